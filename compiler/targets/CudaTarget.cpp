// The GPUs of --target: their shared memory and multiprocessors.
#include "compiler/targets/CudaTarget.h"

using namespace mlir;

namespace bambac {

namespace {
struct Gpu {
  StringLiteral arch;
  /// Shared memory that one block may have: CUDA C++ Programming Guide, "Compute Capabilities".
  int64_t sharedBytes;
  /// Those of A100, A40, L40 and, for the last two, H100 and H200.
  int64_t multiprocessors;
};
} // namespace

static constexpr Gpu kGpus[] = {{"sm_80", 166912, 108},
                                {"sm_86", 101376, 84},
                                {"sm_89", 101376, 142},
                                {"sm_90", 232448, 132},
                                {"sm_90a", 232448, 132}};

/// The widest access of one thread to memory, and the registers that one may have.
static constexpr int64_t kAccessBits = 128;
static constexpr int64_t kThreadRegisters = 255;

llvm::Expected<TargetAttr> makeCudaTarget(MLIRContext *context, StringRef arch) {
  const Gpu *gpu = llvm::find_if(kGpus, [&](const Gpu &candidate) { return candidate.arch == arch; });
  if (gpu == std::end(kGpus))
    return llvm::createStringError("option '--target': expected cpu, sm_80, sm_86, sm_89, sm_90 or sm_90a, found '" +
                                   arch + "'");
  const Fusion fusions[] = {Fusion::Siblings, Fusion::Interleave, Fusion::Epilogue, Fusion::NormPrologue,
                            Fusion::Gate,     Fusion::Conv,       Fusion::Rope,     Fusion::Argmax};
  return TargetAttr::get(context, Device::Cuda, StringAttr::get(context, arch), StringAttr::get(context, ""),
                         kAccessBits, kThreadRegisters, gpu->sharedBytes, gpu->multiprocessors, fusions);
}

} // namespace bambac
