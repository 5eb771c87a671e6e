// The whole way from a configuration to a library, phase by phase.
#ifndef BAMBAC_COMPILER_PIPELINE_COMPILE_H
#define BAMBAC_COMPILER_PIPELINE_COMPILE_H

#include "codegen/cuda/nvrtc/Nvrtc.h"
#include "compiler/models/QuantizationOptions.h"
#include "compiler/pipeline/Phase.h"
#include "compiler/targets/CompileLimits.h"
#include "llvm/Support/Error.h"
#include <string>
#include <vector>

namespace bambac {

/// All that `bambac compile` can be told.
struct CompileOptions {
  std::string config;                      ///< a config.json, or a folder that holds one
  std::string output;                      ///< "-": stdout (not for a library)
  std::vector<std::string> targets{"cpu"}; ///< "cpu" and CUDA architectures; the library has a model for each
  std::string cpu = "native";
  int64_t multiprocessors = 0; ///< of the GPU; 0: those of the largest card of each architecture
  codegen::NvrtcOptions nvrtc; ///< where NVRTC is looked for
  CompileLimits limits;
  QuantizationOptions quantization;
  Phase compileTo = Phase::Library;
  std::string dumpFolder;    ///< none where empty
  std::string scheduleFile;  ///< none where empty
  std::string symbolPrefix;  ///< before the names of the library's functions; none where empty
  std::string runtimeFolder; ///< holds what libraries link with
  std::string version;       ///< of this compiler, noted in libraries
  unsigned threads = 0;      ///< 0: one for each processor
  bool verifyEach = true;
  bool explainFusion = false; ///< print which rule kept ops in kernels of their own, to stderr
};

/// Compiles up to `options.compileTo` and writes the output. Errors are one line each; where there is one, no output
/// was written. `note` gets what was decided for the user and is no mistake.
llvm::Error compileModel(const CompileOptions &options, WarningHandler warn, WarningHandler note);

} // namespace bambac

#endif // BAMBAC_COMPILER_PIPELINE_COMPILE_H
