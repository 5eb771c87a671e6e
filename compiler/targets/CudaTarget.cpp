// The GPUs of --target (their shared memory and multiprocessors) and how models are laid out for them.
#include "compiler/targets/CudaTarget.h"
#include "geometry/geometry.h"
#include "geometry/state_ring.h"
#include "geometry/wgmma_linear.h"

using namespace mlir;

namespace bambac {

using EmitError = llvm::function_ref<InFlightDiagnostic()>;

namespace {
struct GpuModel {
  StringLiteral arch;
  /// Shared memory that one block may have: CUDA C++ Programming Guide, "Compute Capabilities".
  int64_t sharedBytes;
  /// Those of A100, A40, L40 and, for the last two, H100 and H200.
  int64_t multiprocessors;
};
} // namespace

static constexpr GpuModel kGpus[] = {{"sm_80", 166912, 108},
                                     {"sm_86", 101376, 84},
                                     {"sm_89", 101376, 142},
                                     {"sm_90", 232448, 132},
                                     {"sm_90a", 232448, 132}};

llvm::Expected<CudaTargetAttr> makeCudaTarget(MLIRContext *context, StringRef arch, int64_t multiprocessors) {
  const GpuModel *gpu = llvm::find_if(kGpus, [&](const GpuModel &candidate) { return candidate.arch == arch; });
  if (gpu == std::end(kGpus))
    return llvm::createStringError("option '--target': expected cpu, sm_80, sm_86, sm_89, sm_90 or sm_90a, found '" +
                                   arch + "'");
  const Fusion fusions[] = {
      Fusion::Siblings,      Fusion::Interleave, Fusion::Epilogue, Fusion::NormPrologue, Fusion::Gate,
      Fusion::Conv,          Fusion::Rope,       Fusion::Argmax,   Fusion::Quantize,     Fusion::QuantizeEpilogue,
      Fusion::SharedQuantize};
  return CudaTargetAttr::get(context, StringAttr::get(context, arch), gpu->sharedBytes,
                             multiprocessors ? multiprocessors : gpu->multiprocessors, fusions);
}

namespace {

struct CudaTargetModel : TargetInterface::ExternalModel<CudaTargetModel, CudaTargetAttr> {
  Device getDevice(Attribute) const { return Device::Cuda; }
  StringRef getName(Attribute target) const { return cast<CudaTargetAttr>(target).getArch(); }
  StringRef getArchitecture(Attribute target) const { return cast<CudaTargetAttr>(target).getArch(); }
  SmallVector<StringRef> getRequiredFeatures(Attribute) const { return {}; }

  /// Code for "sm_90a" runs on compute capability 9.0 only, code for "sm_80" on later minors of 8 too.
  ComputeCapability getComputeCapability(Attribute target) const {
    StringRef version = cast<CudaTargetAttr>(target).getArch().getValue();
    ComputeCapability compute;
    version.consume_front("sm_");
    compute.exact = version.consume_back("a");
    version.getAsInteger(10, compute.version);
    return compute;
  }
  ArrayRef<Fusion> getAllowedFusions(Attribute target) const { return cast<CudaTargetAttr>(target).getFusions(); }

  /// Core matrices of 8 rows of 16 bytes, which both families of tensor core instructions take as they are, and rows
  /// padded to the 64 columns that one step of a product goes through, so that no step needs a tail.
  /// Of codes as many bytes hold twice as many columns, so that a step is 128 of them: after as many their sums are
  /// taken over into f32.
  PanelAttr getWeightPanel(Attribute target, Type element) const {
    int64_t words = isa<Float8E4M3FNType>(element) ? 2 : 1;
    return PanelAttr::get(target.getContext(), /*size=*/8, /*group=*/8 * words, /*align=*/64 * words);
  }
  TermsAttr getInputTerms(Attribute, int64_t, Type) const { return {}; }
  bool packsWeightsOnDevice(Attribute) const { return true; }
  /// What every allocation of the CUDA driver has, and so what kernels there may rely on.
  int64_t getBufferAlignment(Attribute) const { return 256; }
  /// Long runs of memory, and a page table that is quickly copied.
  int64_t getPageTokens(Attribute) const { return 64; }
  /// Of Bamba-9B on an H100, 2, 16 and 64 rows take 7.2, 7.3 and 7.3 ms, in entry points of 16 rows or of 64.
  int64_t getLeastPrefillChunk(Attribute) const { return int64_t{2} * geometry::kMmaRows; }
  int64_t getPrefillTile(Attribute target) const {
    return cast<CudaTargetAttr>(target).hasWgmma() ? geometry::wgmma::LinearMiddle::kMaxRowsOfFourStages : 0;
  }

  /// Entries are weighed by the lanes of one warp.
  int64_t getLongestStateRing(Attribute) const { return 32; }
  /// The fewest bytes. What the ring costs whatever the sizes counts as bytes too, so that small states are written at
  /// once.
  int64_t chooseStateRing(Attribute, int64_t batch, int64_t stateBytes, int64_t entryBytes) const {
    constexpr double kRingBytes = 1 << 20; // a step of one sequence of Bamba-9B gains with a ring
    int64_t best = 1;
    double fewest = 2.0 * static_cast<double>(batch * stateBytes);
    for (int64_t length : {4, 8, 16, 32}) {
      double bytes = static_cast<double>(batch) * geometry::ringStepBytes(stateBytes, entryBytes, length) + kRingBytes;
      if (bytes < fewest)
        fewest = bytes, best = length;
    }
    return best;
  }

  /// Two tiles of the large linears, whose last round of blocks is seldom full. Of Bamba-9B on an H100 a row takes 31
  /// us in a long prompt, and the linears of a decode step 6.9 ms.
  int64_t getRowTile(Attribute) const { return 256; }
  int64_t getWeightRows(Attribute) const { return 224; }

  /// What the tensor cores multiply has the type of the matrices and is rounded once, when it is written for them.
  /// Everything else stays f32, but for what the projection of a Mamba2 layer gives if its weights are codes.
  ElementTypes getElementTypes(Attribute target, Type matrix, Type state) const {
    ElementTypes types;
    types.matrix = types.activation = types.cache = matrix;
    types.codes = types.inputCodes = Float8E4M3FNType::get(target.getContext());
    types.ssmState = state;
    types.wide = Float32Type::get(target.getContext());
    types.convRing = true;
    return types;
  }
  LogicalResult verifyMatrixType(Attribute target, Type matrix, EmitError emitError) const {
    if (!matrix.isBF16() && !matrix.isF16())
      return emitError() << "expected bf16 or f16 for the target " << getName(target) << ", found " << matrix;
    return success();
  }
};

} // namespace

void attachCudaTargetInterface(MLIRContext *context) { CudaTargetAttr::attachInterface<CudaTargetModel>(*context); }

} // namespace bambac
