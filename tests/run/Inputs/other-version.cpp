// A library that speaks version 7 of the interface only.
extern "C" unsigned bamba_abi_version() { return 7; }
extern "C" const void *bamba_get_api(unsigned version) {
  static const int api = 0;
  return version == 7 ? &api : nullptr;
}
