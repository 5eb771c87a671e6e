// What a compiled kernel says of itself: the launch and tensor maps that its cubin holds as constants, and the
// resources that ptxas reports.
#ifndef BAMBAC_CODEGEN_CUDA_NVRTC_CUBIN_H
#define BAMBAC_CODEGEN_CUDA_NVRTC_CUBIN_H

#include "codegen/cuda/emit/KernelWriter.h"
#include "codegen/plan/Plan.h"
#include "llvm/Support/Error.h"

namespace bambac::codegen {

/// Fills `code` with the launch of the kernel `name` and its parameters from the constants NAME_launch and NAME_map_I
/// in its cubin (runtime/contract/launch.h). A constant that is missing or of another size than here is an error.
llvm::Error readLaunch(StringRef name, ArrayRef<KernelParam> params, CudaCode &code);

/// Reads registers, static shared memory and spills off the log of ptxas. A log that does not say the registers and the
/// spills is an error: a kernel that spills must not pass because nothing was said of it.
llvm::Error readResources(StringRef log, CudaCode &code);

} // namespace bambac::codegen

#endif // BAMBAC_CODEGEN_CUDA_NVRTC_CUBIN_H
