// A library whose metadata ends in the middle.
#include "bamba/bamba.h"

const bamba_api *bamba_get_api(uint32_t version) {
  static bamba_api api = {};
  api.struct_size = sizeof(api);
  api.abi_version = BAMBA_ABI_VERSION;
  api.metadata = [] { return R"({"compiler": )"; };
  return version == BAMBA_ABI_VERSION ? &api : nullptr;
}
