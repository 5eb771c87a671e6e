// What is known of NVIDIA GPUs.
#ifndef BAMBAC_COMPILER_TARGETS_CUDATARGET_H
#define BAMBAC_COMPILER_TARGETS_CUDATARGET_H

#include "dialects/bamba/Bamba.h"
#include "llvm/Support/Error.h"

namespace bambac {

/// The target with `multiprocessors`, or with those of the largest card where that is 0, of --target=`arch`: sm_80,
/// sm_86, sm_89 or sm_90, whose kernels copy by cp.async and multiply by mma.sync, or sm_90a, whose kernels copy by TMA
/// and multiply by wgmma.
llvm::Expected<CudaTargetAttr> makeCudaTarget(MLIRContext *context, StringRef arch, int64_t multiprocessors);

/// Lets #bamba.cuda_target answer TargetInterface.
void attachCudaTargetInterface(MLIRContext *context);

} // namespace bambac

#endif // BAMBAC_COMPILER_TARGETS_CUDATARGET_H
