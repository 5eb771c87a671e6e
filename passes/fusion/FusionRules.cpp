// See FusionRules.h; the reasons stand with FormDispatches in Passes.td.
#include "passes/fusion/FusionRules.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Utils/Utils.h"

namespace bambac {

/// Rows of one tensor core instruction: with more, blocks multiply for longer than they wait for weights.
static constexpr int64_t kMaxPrologueRows = 16;
/// Elements that each block of a linear may normalize again for itself, while its first weights are on their way;
/// beyond that the norm's own kernel costs less (measured in codegen/cuda/NOTEBOOK.md).
static constexpr int64_t kMaxPrologueElements = 16384;

bool isCompute(Operation *op) {
  return isa<TilingInterface, linalg::LinalgOp>(op) && isa<DestinationStyleOpInterface>(op);
}

Operation *getProducer(Value value) {
  while (auto slice = value.getDefiningOp<tensor::ExtractSliceOp>())
    value = slice.getSource();
  return value.getDefiningOp();
}

SmallVector<OpOperand *> getUsesThroughSlices(Value value) {
  SmallVector<OpOperand *> uses;
  for (OpOperand &use : value.getUses()) {
    if (auto slice = dyn_cast<tensor::ExtractSliceOp>(use.getOwner()))
      llvm::append_range(uses, getUsesThroughSlices(slice.getResult()));
    else
      uses.push_back(&use);
  }
  return uses;
}

bool isStateResult(OpResult result) {
  OpOperand *init = cast<DestinationStyleOpInterface>(result.getOwner()).getTiedOpOperand(result);
  return !init->get().getDefiningOp<tensor::EmptyOp>();
}

/// Each result element depends on the same element of the inputs only.
static bool isElementwise(Operation *op) {
  if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op))
    return linalg::isElementwise(linalgOp);
  return isa<SwigluOp>(op);
}

/// All rows of one column in each `stride` neighbours: what one column of the result needs are neighbours.
static bool isInterleavedSlice(tensor::ExtractSliceOp slice) {
  ArrayRef<int64_t> source = slice.getSourceType().getShape(), result = slice.getType().getShape();
  if (source.size() != 2 || result.size() != 2 || ShapedType::isDynamicShape(slice.getStaticOffsets()))
    return false;
  int64_t offset = slice.getStaticOffsets()[1], stride = slice.getStaticStrides()[1];
  return result[0] == source[0] && offset < stride && result[1] * stride == source[1];
}

static bool fusesIntoElementwise(LinearOp linear, OpOperand &use, TargetAttr target) {
  if (!target.allows(Fusion::Epilogue))
    return false;
  auto slice = use.get().getDefiningOp<tensor::ExtractSliceOp>();
  if (!slice)
    return true;
  return target.allows(Fusion::Interleave) && slice.getSource() == linear.getResult() && isInterleavedSlice(slice);
}

static bool fusesIntoLinear(Operation *norm, TargetAttr target) {
  auto result = cast<ShapedType>(norm->getResult(0).getType());
  return target.allows(Fusion::NormPrologue) && result.getDimSize(0) <= kMaxPrologueRows &&
         result.getNumElements() <= kMaxPrologueElements;
}

/// Whole heads of a projection, as neighbouring columns. Pairs of dimensions are neighbours, so that one call of an
/// epilogue has both of a pair.
static bool isHeads(OpOperand &use, int64_t headDim) {
  auto slice = use.get().getDefiningOp<tensor::ExtractSliceOp>();
  return slice && slice.getSource().getDefiningOp<LinearOp>() && headDim % 2 == 0 &&
         !ShapedType::isDynamicShape(slice.getStaticOffsets()) && slice.getStaticStrides()[1] == 1 &&
         slice.getStaticOffsets()[1] % headDim == 0;
}

/// A rotation, and the append to the cache behind it, follow the projection.
static bool fusesIntoProjection(OpOperand &use, TargetAttr target) {
  if (!target.allows(Fusion::Rope))
    return false;
  if (auto rope = dyn_cast<RopeOp>(use.getOwner()))
    return rope.getInterleaved() && isHeads(use, static_cast<int64_t>(rope.getHeadDim()));
  auto append = dyn_cast<KvAppendOp>(use.getOwner());
  return append && use == append.getVMutable() && isHeads(use, append.getKCache().getType().getShape().back());
}

bool isBeside(OpOperand &use) { return isa<RopeOp, KvAppendOp>(use.getOwner()); }

bool mayLeave(OpResult result, ArrayRef<Operation *> group) {
  return isa<LinearOp>(result.getOwner()) && llvm::any_of(group, [&](Operation *op) {
           return isa<ArgmaxOp>(op) && llvm::is_contained(op->getOperands(), Value(result));
         });
}

bool fuses(Operation *producer, OpOperand &use, TargetAttr target) {
  Operation *consumer = use.getOwner();
  if (auto linear = dyn_cast<LinearOp>(producer))
    return (isElementwise(consumer) && fusesIntoElementwise(linear, use, target)) ||
           (isa<ArgmaxOp>(consumer) && use.get() == linear.getResult() && target.allows(Fusion::Argmax)) ||
           fusesIntoProjection(use, target);
  if (isa<CausalConv1dOp>(producer))
    return isa<SsmStepOp>(consumer) && target.allows(Fusion::Conv) && cast<CausalConv1dOp>(producer).getPositions();
  if (use.get().getDefiningOp() != producer)
    return false;
  if (isa<RmsNormOp, GatedRmsNormOp>(producer))
    return isa<LinearOp>(consumer) && fusesIntoLinear(producer, target);
  if (isa<SsmStepOp, SsmScanOp>(producer)) {
    auto swiglu = dyn_cast<SwigluOp>(consumer);
    return swiglu && use == swiglu.getUpMutable() && target.allows(Fusion::Gate);
  }
  if (auto rope = dyn_cast<RopeOp>(producer)) {
    auto append = dyn_cast<KvAppendOp>(consumer);
    return append && use == append.getKMutable() && rope.getInterleaved() && target.allows(Fusion::Rope);
  }
  return false;
}

} // namespace bambac
