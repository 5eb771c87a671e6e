// What a compiled kernel says of itself: the launch and tensor maps that its cubin holds as constants, and the
// resources that ptxas reports.
#ifndef BAMBAC_CODEGEN_CUDA_NVRTC_CUBIN_H
#define BAMBAC_CODEGEN_CUDA_NVRTC_CUBIN_H

#include "codegen/cuda/emit/KernelWriter.h"
#include "codegen/plan/Plan.h"
#include "llvm/Support/Error.h"

namespace bambac::codegen {

/// Fills `code` with the launch of the kernel `name` and its parameters from the constants NAME_launch and NAME_map_I
/// (codegen/cuda/collectives/common/launch.cuh).
llvm::Error readLaunch(StringRef name, ArrayRef<KernelParam> params, KernelCode &code);

/// Reads registers, static shared memory and spills off the log of ptxas.
void readResources(StringRef log, CudaCode &code);

} // namespace bambac::codegen

#endif // BAMBAC_CODEGEN_CUDA_NVRTC_CUBIN_H
