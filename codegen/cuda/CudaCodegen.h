// CUDA code generation as a library: scheduled kernels in, CUDA C++ and cubins out.
#ifndef BAMBAC_CODEGEN_CUDA_CUDACODEGEN_H
#define BAMBAC_CODEGEN_CUDA_CUDACODEGEN_H

#include "codegen/cuda/emit/KernelWriter.h"
#include "codegen/cuda/nvrtc/Nvrtc.h"
#include "codegen/plan/Plan.h"

namespace bambac::codegen {

/// The source of one kernel: a translation unit that instantiates a collective of codegen/cuda.
struct CudaSource {
  std::string name;
  KernelText text;
  Location loc; ///< of the kernel function, or of a weight that it packs
  std::vector<KernelParam> params;

  /// The translation unit.
  std::string unit() const { return text.kernel + "\n" + text.launch; }
};

/// Prints every function with `bamba.kernel` in `scheduled`, in the order in which they stand there, and after them
/// the kernels that pack its weights.
FailureOr<std::vector<CudaSource>> emitCudaKernels(ModuleOp scheduled);

struct CudaCodegenOptions {
  NvrtcOptions nvrtc;
  /// Kernels compiled at a time; 0: as many as there are processors.
  unsigned threads = 0;
};

/// Compiles the sources for the module's target, those that differ in nothing but the kernel's name and launch once. A
/// kernel that spills registers is compiled with the next schedule of its `bamba.fallbacks`: `sources` and the module
/// then show the one that was taken. One that spills with all of them is a warning; one that needs more shared memory
/// than the target has is an error.
FailureOr<std::vector<KernelCode>> compileCudaKernels(ModuleOp scheduled, std::vector<CudaSource> &sources,
                                                      const CudaCodegenOptions &options);

} // namespace bambac::codegen

#endif // BAMBAC_CODEGEN_CUDA_CUDACODEGEN_H
