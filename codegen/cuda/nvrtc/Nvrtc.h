// NVRTC, NVIDIA's compiler of CUDA C++ as a library, opened when it is first needed: bambac runs without it as long as
// no CUDA target is asked for.
#ifndef BAMBAC_CODEGEN_CUDA_NVRTC_NVRTC_H
#define BAMBAC_CODEGEN_CUDA_NVRTC_NVRTC_H

#include "dialects/LLVM.h"
#include "llvm/Support/Error.h"
#include <string>

namespace bambac::codegen {

struct NvrtcResult {
  std::string cubin;
  std::string log; ///< of the compiler and of ptxas
};

/// The library, shared by all threads.
class Nvrtc {
public:
  /// Opens the library: `path` (a file or a folder), or where that is empty the first that is found in CUDA_HOME, the
  /// loader's path, /usr/local/cuda, and the folder lib/bambac/cuda beside bambac. The error says where it looked.
  static llvm::Expected<const Nvrtc *> open(StringRef path);

  /// Compiles one translation unit for `arch` ("sm_90a"). `headers` are pairs of a name as in #include and a text.
  /// Thread-safe.
  llvm::Expected<NvrtcResult> compile(StringRef name, StringRef source, StringRef arch,
                                      ArrayRef<std::pair<const char *, const char *>> headers) const;

  /// "13.0".
  std::string version() const;

private:
  struct Api;
  const Api *api = nullptr;
};

} // namespace bambac::codegen

#endif // BAMBAC_CODEGEN_CUDA_NVRTC_NVRTC_H
