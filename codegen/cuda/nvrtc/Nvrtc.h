// NVRTC, NVIDIA's compiler of CUDA C++ as a library, opened when it is needed: bambac runs without it as long as
// no CUDA target is asked for.
#ifndef BAMBAC_CODEGEN_CUDA_NVRTC_NVRTC_H
#define BAMBAC_CODEGEN_CUDA_NVRTC_NVRTC_H

#include "dialects/LLVM.h"
#include "llvm/Support/Error.h"
#include <memory>
#include <string>
#include <vector>

namespace bambac::codegen {

struct NvrtcResult {
  std::string cubin;
  std::string log; ///< of the compiler and of ptxas
};

/// Where the library is looked for.
struct NvrtcOptions {
  /// A file or a folder; empty: the first that is found in `toolkits`, in the folder lib/bambac/cuda next to bambac's
  /// bin, in /usr/local/cuda, in the system's folder and on the loader's path.
  std::string path;
  /// Folders of CUDA toolkits, as CUDA_HOME names one.
  std::vector<std::string> toolkits;
};

/// The library. A copy shares it.
class Nvrtc {
public:
  /// Opens the library. The error says where it looked.
  static llvm::Expected<Nvrtc> open(const NvrtcOptions &options);

  /// Compiles one translation unit for `arch` ("sm_90a"). `headers` are pairs of a name as in #include and a text.
  /// Thread-safe.
  llvm::Expected<NvrtcResult> compile(StringRef name, StringRef source, StringRef arch,
                                      ArrayRef<std::pair<const char *, const char *>> headers) const;

  /// "13.0".
  std::string version() const;

private:
  struct Api;
  explicit Nvrtc(std::shared_ptr<const Api> api) : api(std::move(api)) {}

  std::shared_ptr<const Api> api;
};

} // namespace bambac::codegen

#endif // BAMBAC_CODEGEN_CUDA_NVRTC_NVRTC_H
