// The rules of fusion, one function for each kind of producer. Passes.td says under FormDispatches why each pays.
#include "passes/fusion/FusionRules.h"
#include "codegen/cuda/collectives/geometry/quantize.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Utils/Utils.h"

namespace bambac {

/// Taps of a convolution whose weights and inputs a step holds in registers beside its own.
static constexpr int64_t kMaxFusedTaps = 8;
/// Rows of one tensor core instruction: with more, blocks multiply for longer than they wait for weights.
static constexpr int64_t kMaxPrologueRows = geometry::kMmaRows;
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
  return !isFresh(init->get());
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

static FusionDecision isListed(Fusion fusion, TargetInterface target) {
  if (target.allows(fusion))
    return FusionDecision::yes();
  return FusionDecision::no("the target " + target.getName() + " does not list the fusion '" + stringifyFusion(fusion) +
                            "'");
}

static FusionDecision noRule() { return FusionDecision::no("no rule joins them"); }

static FusionDecision fusesIntoElementwise(LinearOp linear, OpOperand &use, TargetInterface target) {
  if (FusionDecision listed = isListed(Fusion::Epilogue, target); !listed)
    return listed;
  auto slice = use.get().getDefiningOp<tensor::ExtractSliceOp>();
  if (!slice)
    return FusionDecision::yes();
  if (FusionDecision listed = isListed(Fusion::Interleave, target); !listed)
    return listed;
  if (slice.getSource() == linear.getResult() && isInterleavedSlice(slice))
    return FusionDecision::yes();
  return FusionDecision::no("expected the columns that one element needs to be neighbours, found another slice");
}

/// A norm, or a quantization and the norm before it.
static FusionDecision fusesIntoLinear(Operation *producer, TargetInterface target) {
  if (FusionDecision listed = isListed(Fusion::NormPrologue, target); !listed)
    return listed;
  StringRef verb = isa<QuantizeOp>(producer) ? "quantize" : "normalize";
  auto result = cast<ShapedType>(producer->getResult(0).getType());
  if (int64_t rows = result.getDimSize(0); rows > kMaxPrologueRows)
    return FusionDecision::no("expected at most " + Twine(kMaxPrologueRows) + " rows for each block to " + verb +
                              " again, found " + Twine(rows));
  if (int64_t elements = result.getNumElements(); elements > kMaxPrologueElements)
    return FusionDecision::no("expected at most " + Twine(kMaxPrologueElements) + " elements for each block to " +
                              verb + " again, found " + Twine(elements));
  return FusionDecision::yes();
}

/// The rows of a linear's input become codes in each block of its kernel.
static FusionDecision repeatsInLinear(QuantizeOp quantize, TargetInterface target) {
  if (cast<ShapedType>(quantize.getScales().getType()).getDimSize(1) > 1)
    return FusionDecision::no("expected one scale a row, found one for each " + Twine(quantize.getGroup()) +
                              " columns");
  return fusesIntoLinear(quantize, target);
}

/// Rows that become codes in the kernel of their linear, at most: those of a decode step. With those of prompts, a
/// kernel of their own costs no more.
static int64_t getMaxSharedRows(QuantizeOp quantize) {
  auto limits = quantize->getParentOfType<ModuleOp>()->getAttrOfType<LimitsAttr>(attr::kLimits);
  return std::min<int64_t>(limits ? limits.getMaxBatch() : geometry::kMostSharedRows, geometry::kMostSharedRows);
}

/// The rows of a linear's input become codes in its kernel, for all of its blocks.
static FusionDecision sharesInLinear(QuantizeOp quantize, TargetInterface target) {
  if (FusionDecision listed = isListed(Fusion::SharedQuantize, target); !listed)
    return listed;
  const int64_t rows = cast<ShapedType>(quantize.getResult().getType()).getDimSize(0);
  if (const int64_t most = getMaxSharedRows(quantize); rows > most)
    return FusionDecision::no("expected at most " + Twine(most) + " rows, those of a decode step, found " +
                              Twine(rows));
  return FusionDecision::yes();
}

/// Whether the kernel before a quantization can make the codes: its blocks have whole rows, or need none.
static bool followsWholeRows(QuantizeOp quantize) {
  return quantize.getStaticScales() || !endsInPieces(getProducer(quantize.getInput()));
}

bool needsSharedCodes(QuantizeOp quantize, TargetInterface target) {
  return !followsWholeRows(quantize) && !repeatsInLinear(quantize, target) && sharesInLinear(quantize, target);
}

/// The rows of a linear's input become codes in its kernel.
static FusionDecision fusesIntoLinear(QuantizeOp quantize, LinearOp linear, TargetInterface target) {
  if (linear.getInput() != quantize.getResult() || linear.getInputScales() != quantize.getScales())
    return noRule();
  FusionDecision repeats = repeatsInLinear(quantize, target);
  return repeats || followsWholeRows(quantize) ? repeats : sharesInLinear(quantize, target);
}

bool endsInPieces(Operation *op) {
  if (isa_and_nonnull<LinearOp, AttentionOp>(op))
    return true;
  return op && isElementwise(op) &&
         llvm::any_of(op->getOperands(), [](Value operand) { return isa_and_nonnull<LinearOp>(getProducer(operand)); });
}

/// A quantization after an op that has a row in many blocks: none of them sees all that decides about a scale.
static FusionDecision followsPieces(Operation *producer, QuantizeOp quantize, TargetInterface target) {
  if (FusionDecision listed = isListed(Fusion::QuantizeEpilogue, target); !listed)
    return listed;
  if (auto attention = dyn_cast<AttentionOp>(producer); attention && attention.hasRuns())
    return FusionDecision::no("expected one token of each sequence, found runs of tokens");
  if (!quantize.getStaticScales())
    return FusionDecision::no("expected scales that are known, since a block has some columns of a row");
  return FusionDecision::yes();
}

/// What a quantization takes from the op before it without a way through memory.
static FusionDecision fusesIntoQuantize(Operation *producer, QuantizeOp quantize, TargetInterface target) {
  auto swiglu = dyn_cast<SwigluOp>(producer);
  if (swiglu && target.allows(Fusion::Interleave) && endsInPieces(swiglu))
    return followsPieces(swiglu, quantize, target);
  return isListed(Fusion::Quantize, target);
}

/// Whole heads of a projection, as neighbouring columns. Pairs of dimensions are neighbours, so that one call of an
/// epilogue has both of a pair.
static FusionDecision readsHeads(OpOperand &use, int64_t headDim) {
  auto slice = use.get().getDefiningOp<tensor::ExtractSliceOp>();
  if (!slice || !slice.getSource().getDefiningOp<LinearOp>())
    return FusionDecision::no("expected a slice of a projection's columns, found another operand");
  if (headDim % 2 != 0)
    return FusionDecision::no("expected heads of an even size, found " + Twine(headDim));
  if (ShapedType::isDynamicShape(slice.getStaticOffsets()) || slice.getStaticStrides()[1] != 1 ||
      slice.getStaticOffsets()[1] % headDim != 0)
    return FusionDecision::no("expected a slice of whole heads of " + Twine(headDim) + " columns, found another");
  return FusionDecision::yes();
}

/// A rotation, and the append to the cache after it, follow the projection.
static FusionDecision fusesIntoProjection(OpOperand &use, TargetInterface target) {
  if (FusionDecision listed = isListed(Fusion::Rope, target); !listed)
    return listed;
  if (auto rope = dyn_cast<RopeOp>(use.getOwner())) {
    if (!rope.getInterleaved())
      return FusionDecision::no("expected rotary pairs of neighbouring dimensions, found pairs that are apart");
    return readsHeads(use, static_cast<int64_t>(rope.getHeadDim()));
  }
  auto append = cast<KvAppendOp>(use.getOwner());
  if (use != append.getVMutable())
    return FusionDecision::no("expected keys that a rotation of interleaved pairs gives, found a projection's");
  return readsHeads(use, append.getKCache().getType().getShape().back());
}

bool canFollowAnotherReader(OpOperand &use) { return isa<RopeOp, KvAppendOp>(use.getOwner()); }

bool mayAlsoBeReadOutside(OpResult result, ArrayRef<Operation *> group) {
  return isa<LinearOp>(result.getOwner()) && llvm::any_of(group, [&](Operation *op) {
           return isa<ArgmaxOp>(op) && llvm::is_contained(op->getOperands(), Value(result));
         });
}

static FusionDecision fusesAfterLinear(LinearOp linear, OpOperand &use, TargetInterface target) {
  Operation *consumer = use.getOwner();
  if (isElementwise(consumer))
    return fusesIntoElementwise(linear, use, target);
  if (isa<RopeOp, KvAppendOp>(consumer))
    return fusesIntoProjection(use, target);
  if (!isa<ArgmaxOp>(consumer))
    return noRule();
  if (use.get() != linear.getResult())
    return FusionDecision::no("expected the argmax of whole rows, found one of a slice");
  return isListed(Fusion::Argmax, target);
}

static FusionDecision fusesIntoStep(CausalConv1dOp conv, Operation *consumer, TargetInterface target) {
  if (!isa<SsmStepOp>(consumer))
    return isa<SsmScanOp>(consumer) ? FusionDecision::no("a scan reads a token's inputs in many blocks") : noRule();
  if (FusionDecision listed = isListed(Fusion::Conv, target); !listed)
    return listed;
  if (!conv.getPositions())
    return FusionDecision::no("expected a convolution whose state is a ring, found one that shifts");
  int64_t taps = conv.getWeight().getType().getDimSize(0);
  return taps <= kMaxFusedTaps ? FusionDecision::yes()
                               : FusionDecision::no("expected at most " + Twine(kMaxFusedTaps) +
                                                    " taps, whose inputs registers hold, found " + Twine(taps));
}

FusionDecision fuses(Operation *producer, OpOperand &use, TargetInterface target) {
  Operation *consumer = use.getOwner();
  if (auto linear = dyn_cast<LinearOp>(producer))
    return fusesAfterLinear(linear, use, target);
  if (auto conv = dyn_cast<CausalConv1dOp>(producer))
    return fusesIntoStep(conv, consumer, target);
  bool readsWhole = use.get().getDefiningOp() == producer;
  if (isa<RmsNormOp, GatedRmsNormOp>(producer) && isa<LinearOp>(consumer) && readsWhole)
    return fusesIntoLinear(producer, target);
  if (isa<RmsNormOp, GatedRmsNormOp, SwigluOp>(producer) && isa<QuantizeOp>(consumer) && readsWhole)
    return fusesIntoQuantize(producer, cast<QuantizeOp>(consumer), target);
  if (isa<AttentionOp>(producer) && isa<QuantizeOp>(consumer) && readsWhole)
    return followsPieces(producer, cast<QuantizeOp>(consumer), target);
  if (isa<QuantizeOp>(producer) && isa<LinearOp>(consumer))
    return fusesIntoLinear(cast<QuantizeOp>(producer), cast<LinearOp>(consumer), target);
  if (auto swiglu = dyn_cast<SwigluOp>(consumer); swiglu && isa<SsmStepOp, SsmScanOp>(producer) && readsWhole)
    return use == swiglu.getUpMutable() ? isListed(Fusion::Gate, target) : noRule();
  auto rope = dyn_cast<RopeOp>(producer);
  auto append = dyn_cast<KvAppendOp>(consumer);
  if (!rope || !append || !readsWhole || use != append.getKMutable())
    return noRule();
  if (!rope.getInterleaved())
    return FusionDecision::no("expected rotary pairs of neighbouring dimensions, found pairs that are apart");
  return isListed(Fusion::Rope, target);
}

} // namespace bambac
