#include "runtime/run/library.h"
#include "runtime/run/elf_file.h"
#include "runtime/run/failure.h"

#include <cstddef>
#include <dlfcn.h>
#include <filesystem>

namespace bambac::run {

/// The loader's own message, without the path that it usually starts with.
static std::string loaderMessage(const std::string &path) {
  const char *text = dlerror();
  std::string message = text ? text : "unknown reason";
  if (message.starts_with(path + ": "))
    message.erase(0, path.size() + 2);
  return message;
}

void Library::Close::operator()(void *handle) const { dlclose(handle); }

Library::Library(const std::string &path) : name(path) {
  std::error_code error;
  std::filesystem::file_status status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status))
    fail("cannot open '{}': {}", path, systemMessage(error ? error.value() : ENOENT));
  if (std::filesystem::is_directory(status))
    fail("cannot open '{}': expected a compiled model, found a folder", path);

  // A name without a slash would be looked up in the system's library folders.
  std::string file = path.find('/') == std::string::npos ? "./" + path : path;
  ElfFile elf(file);
  uint64_t complete = elf.completeBytes(), found = std::filesystem::file_size(file, error);
  if (!error && found < complete)
    fail("cannot open '{}': expected {} bytes, found {}: the end of the file is missing", path, complete, found);
  handle.reset(dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL));
  if (!handle)
    fail("cannot open '{}' as a library: {}", path, loaderMessage(file));

  const std::string apiSymbol = "bamba_get_api";
  void *symbol = dlsym(handle.get(), apiSymbol.c_str());
  if (!symbol)
    if (std::string prefixed = elf.findExportedSymbol(apiSymbol); !prefixed.empty()) {
      prefix = prefixed.substr(0, prefixed.size() - apiSymbol.size());
      symbol = dlsym(handle.get(), prefixed.c_str());
    }
  auto getApi = reinterpret_cast<decltype(&bamba_get_api)>(symbol);
  if (!getApi)
    fail("'{}' is not a model compiled by bambac: it has no symbol 'bamba_get_api'", path);
  api = getApi(BAMBA_ABI_VERSION);
  constexpr size_t firstVersionBytes = offsetof(bamba_api, session_get_sample) + sizeof(api->session_get_sample);
  if (api && api->abi_version == BAMBA_ABI_VERSION && api->struct_size >= firstVersionBytes)
    return;
  auto getVersion =
      reinterpret_cast<decltype(&bamba_abi_version)>(dlsym(handle.get(), (prefix + "bamba_abi_version").c_str()));
  fail("'{}' speaks another version of the interface: expected {}, found {}", path, BAMBA_ABI_VERSION,
       getVersion ? fmt::to_string(getVersion()) : "none");
}

void Library::check(bamba_status status, const bamba_error &error) const {
  if (status == BAMBA_OK)
    return;
  if (status == BAMBA_OUT_OF_MEMORY)
    throw OutOfMemory(error.message[0] ? error.message : "out of memory");
  if (error.message[0])
    throw Failure(error.message);
  fail("'{}' failed with {}", name, api->status_name(status));
}

} // namespace bambac::run
