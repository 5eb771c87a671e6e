// Looks for the library and binds it. The few functions that are used are declared here, so that building bambac needs
// no CUDA toolkit.
#include "codegen/cuda/nvrtc/Nvrtc.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include <dlfcn.h>

namespace bambac::codegen {

namespace fs = llvm::sys::fs;
namespace path = llvm::sys::path;

using Program = struct _nvrtcProgram *;

struct Nvrtc::Api {
  int (*version)(int *major, int *minor);
  const char *(*getErrorString)(int result);
  int (*createProgram)(Program *program, const char *source, const char *name, int headers, const char *const *texts,
                       const char *const *names);
  int (*destroyProgram)(Program *program);
  int (*compileProgram)(Program program, int count, const char *const *options);
  int (*getLogSize)(Program program, size_t *size);
  int (*getLog)(Program program, char *log);
  int (*getCubinSize)(Program program, size_t *size);
  int (*getCubin)(Program program, char *cubin);
};

static constexpr StringLiteral kLibrary = "libnvrtc.so";
static constexpr StringLiteral kBuiltins = "libnvrtc-builtins.so";

/// The files of a folder whose names start with `stem` (libnvrtc.so, libnvrtc.so.13), newest last.
static SmallVector<std::string> findVersions(StringRef folder, StringRef stem) {
  SmallVector<std::string> files;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; entry != end && !error; entry.increment(error))
    if (path::filename(entry->path()).starts_with(stem))
      files.push_back(entry->path());
  llvm::sort(files);
  return files;
}

/// Opens NVRTC: a file, or the newest in a folder. It opens its builtins by name without a search path of its own, so
/// they are opened first.
static void *openIn(StringRef place) {
  bool isFile = fs::is_regular_file(place);
  StringRef folder = isFile ? path::parent_path(place) : place;
  for (const std::string &builtins : findVersions(folder, kBuiltins))
    if (dlopen(builtins.c_str(), RTLD_NOW | RTLD_GLOBAL))
      break;
  SmallVector<std::string> libraries = isFile ? SmallVector<std::string>{place.str()} : findVersions(folder, kLibrary);
  for (const std::string &library : llvm::reverse(libraries))
    if (void *handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL))
      return handle;
  return nullptr;
}

/// Where toolkits and PyPI's wheels put the library.
static SmallVector<std::string> searchFolders(const NvrtcOptions &options) {
  if (!options.path.empty())
    return {options.path};
  SmallVector<std::string> folders;
  for (const std::string &toolkit : options.toolkits)
    folders.push_back(toolkit + "/lib64");
  SmallString<128> own(fs::getMainExecutable(nullptr, reinterpret_cast<void *>(&searchFolders)));
  path::remove_filename(own);
  path::append(own, "..", "lib", "bambac", "cuda");
  folders.push_back(own.str().str());
  folders.push_back("/usr/local/cuda/lib64");
  folders.push_back("/usr/lib/x86_64-linux-gnu");
  return folders;
}

template <typename Function> static bool find(void *handle, const char *name, Function &function) {
  function = reinterpret_cast<Function>(dlsym(handle, name));
  return function != nullptr;
}

llvm::Expected<Nvrtc> Nvrtc::open(const NvrtcOptions &options) {
  SmallVector<std::string> folders = searchFolders(options);
  void *handle = nullptr;
  for (const std::string &folder : folders)
    if (!handle)
      handle = openIn(folder);
  if (!handle && options.path.empty())
    handle = dlopen("libnvrtc.so.13", RTLD_NOW | RTLD_LOCAL);
  if (!handle)
    return llvm::createStringError("cannot find NVRTC (libnvrtc.so), which compiles for CUDA targets; looked in " +
                                   llvm::join(folders, ", ") +
                                   "; set CUDA_HOME, or fetch it with cmake/fetch-nvrtc.sh");
  Api api;
  bool complete =
      find(handle, "nvrtcVersion", api.version) && find(handle, "nvrtcGetErrorString", api.getErrorString) &&
      find(handle, "nvrtcCreateProgram", api.createProgram) &&
      find(handle, "nvrtcDestroyProgram", api.destroyProgram) &&
      find(handle, "nvrtcCompileProgram", api.compileProgram) &&
      find(handle, "nvrtcGetProgramLogSize", api.getLogSize) && find(handle, "nvrtcGetProgramLog", api.getLog) &&
      find(handle, "nvrtcGetCUBINSize", api.getCubinSize) && find(handle, "nvrtcGetCUBIN", api.getCubin);
  if (!complete)
    return llvm::createStringError("expected NVRTC 12 or newer, found one without a function that is needed");
  return Nvrtc(std::make_shared<const Api>(api));
}

/// The first error of a log, on one line: `file.cuh(12): error: static assertion failed with "..."`.
static StringRef firstError(StringRef log) {
  for (StringRef line : llvm::split(log, '\n'))
    if (line.contains("error"))
      return line.trim();
  return log.split('\n').first.trim();
}

std::string Nvrtc::version() const {
  int major = 0, minor = 0;
  api->version(&major, &minor);
  return (Twine(major) + "." + Twine(minor)).str();
}

/// Whether this version takes cubins of earlier runs from the driver's cache.
static bool hasCache(int major, int minor) { return std::pair(major, minor) >= std::pair(12, 9); }

/// Whether this version can leave out textures, and launches from a device, with what of CUDA's headers they need: no
/// kernel has any, and each would take about 0.01 s to compile more.
static bool hasMinimal(int major, int minor) { return std::pair(major, minor) >= std::pair(12, 4); }

llvm::Expected<NvrtcResult> Nvrtc::compile(StringRef name, StringRef source, StringRef arch,
                                           ArrayRef<std::pair<const char *, const char *>> headers) const {
  SmallVector<const char *> names, texts;
  for (auto [header, text] : headers) {
    names.push_back(header);
    texts.push_back(text);
  }
  Program program = nullptr;
  std::string file = (name + ".cu").str();
  int code = api->createProgram(&program, source.str().c_str(), file.c_str(), static_cast<int>(headers.size()),
                                texts.data(), names.data());
  if (code)
    return llvm::createStringError("cannot compile " + file + ": " + api->getErrorString(code));
  std::string target = ("--gpu-architecture=" + arch).str();
  SmallVector<const char *> options = {target.c_str(), "--std=c++17", "--ptxas-options=-v"};
  int major = 0, minor = 0;
  api->version(&major, &minor);
  // A cubin from the cache comes without the log, which tells the registers and spills.
  if (hasCache(major, minor))
    options.push_back("--no-cache");
  if (hasMinimal(major, minor))
    options.push_back("--minimal");
  code = api->compileProgram(program, static_cast<int>(options.size()), options.data());
  NvrtcResult result;
  size_t size = 0;
  api->getLogSize(program, &size);
  result.log.resize(size);
  if (size)
    api->getLog(program, result.log.data());
  result.log = StringRef(result.log).rtrim('\0').str();
  if (code == 0)
    code = api->getCubinSize(program, &size);
  if (code == 0) {
    result.cubin.resize(size);
    code = api->getCubin(program, result.cubin.data());
  }
  api->destroyProgram(&program);
  if (code)
    return llvm::createStringError("cannot compile " + file + " for " + arch + ": " + firstError(result.log));
  return result;
}

} // namespace bambac::codegen
