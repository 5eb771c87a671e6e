// Describes an NVIDIA GPU as the target attribute that passes and code generation ask.
#ifndef BAMBAC_COMPILER_TARGETS_CUDATARGET_H
#define BAMBAC_COMPILER_TARGETS_CUDATARGET_H

#include "dialects/bamba/Bamba.h"
#include "llvm/Support/Error.h"

namespace bambac {

/// The target of --target=`arch`: sm_80, sm_86, sm_89 or sm_90, whose kernels copy by cp.async and multiply by
/// mma.sync, or sm_90a, whose kernels copy by TMA and multiply by wgmma.
llvm::Expected<TargetAttr> makeCudaTarget(MLIRContext *context, StringRef arch);

/// Tokens of a page of the KV cache on such a target: long runs of memory, and a page table that is quickly copied.
inline constexpr int64_t kCudaPageTokens = 64;

} // namespace bambac

#endif // BAMBAC_COMPILER_TARGETS_CUDATARGET_H
