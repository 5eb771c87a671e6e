// The kernels that pack weights at load: one for each type and layout of a model's weights.
#ifndef BAMBAC_CODEGEN_CUDA_EMIT_PACKKERNELS_H
#define BAMBAC_CODEGEN_CUDA_EMIT_PACKKERNELS_H

#include "codegen/cuda/emit/KernelWriter.h"
#include <string>
#include <vector>

namespace bambac::codegen {

struct PackKernel {
  std::string name;
  KernelText text;
  Location loc; ///< of the first weight that it packs
};

/// In the order in which weights ask for them. Weights of no type that a plan takes are left to the plan to refuse.
std::vector<PackKernel> emitPackKernels(ModuleOp scheduled, CudaTargetAttr target);

} // namespace bambac::codegen

#endif // BAMBAC_CODEGEN_CUDA_EMIT_PACKKERNELS_H
