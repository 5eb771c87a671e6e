// Syntax, checks and folds of the ops without state.
#include "dialects/bamba/Bamba.h"
#include "dialects/bamba/Tiling.h"
#include "dialects/bamba/Verify.h"
#include "runtime/contract/sampling.h"

using namespace bambac;

/// A float attribute in parentheses, without its type.
static ParseResult parseFloat(OpAsmParser &parser, FloatAttr &attribute) {
  return parser.parseAttribute(attribute, parser.getBuilder().getF64Type());
}
static void printFloat(OpAsmPrinter &printer, Operation *, FloatAttr attribute) {
  printer.printAttributeWithoutType(attribute);
}

/// An integer attribute in parentheses, without its type.
static ParseResult parseInt(OpAsmParser &parser, IntegerAttr &attribute) {
  return parser.parseAttribute(attribute, parser.getBuilder().getI64Type());
}
static void printInt(OpAsmPrinter &printer, Operation *, IntegerAttr attribute) {
  printer.printAttributeWithoutType(attribute);
}

#define GET_OP_CLASSES
#include "dialects/bamba/BambaOps.cpp.inc"

LogicalResult bambac::checkShape(Operation *op, StringRef name, Type type, ArrayRef<int64_t> expected) {
  auto shape = cast<ShapedType>(type).getShape();
  bool matches = shape.size() == expected.size() && llvm::all_of(llvm::zip(shape, expected), [](auto pair) {
                   auto [size, wanted] = pair;
                   return size == wanted || ShapedType::isDynamic(size) || wanted == kAny;
                 });
  if (matches)
    return success();
  InFlightDiagnostic diagnostic = op->emitOpError() << "expected '" << name << "' of shape [";
  auto print = [&](int64_t size) {
    if (ShapedType::isDynamic(size))
      diagnostic << "?";
    else
      diagnostic << size;
  };
  llvm::interleave(expected, print, [&] { diagnostic << ", "; });
  diagnostic << "], found [";
  llvm::interleave(shape, print, [&] { diagnostic << ", "; });
  return diagnostic << "]";
}

LogicalResult bambac::checkMultiple(Operation *op, StringRef what, int64_t value, int64_t divisor) {
  if (ShapedType::isDynamic(value) || ShapedType::isDynamic(divisor) || (divisor > 0 && value % divisor == 0))
    return success();
  return op->emitOpError() << "expected " << what << " to be a multiple of " << divisor << ", found " << value;
}

LogicalResult bambac::checkPositive(Operation *op, StringRef what, double value) {
  if (value > 0)
    return success();
  return op->emitOpError() << "expected " << what << " greater than 0, found " << value;
}

LogicalResult EmbeddingOp::verify() {
  return checkShape(*this, "outs", getInit().getType(), {dimOf(getTokens(), 0), dimOf(getTable(), 1)});
}

LogicalResult RmsNormOp::verify() {
  ArrayRef<int64_t> shape = getInput().getType().getShape();
  return success(succeeded(checkShape(*this, "weight", getWeight().getType(), {shape[1]})) &&
                 succeeded(checkShape(*this, "outs", getInit().getType(), shape)) &&
                 succeeded(checkPositive(*this, "eps", getEps().convertToDouble())));
}

LogicalResult GatedRmsNormOp::verify() {
  ArrayRef<int64_t> shape = getInput().getType().getShape();
  return success(succeeded(checkShape(*this, "gate", getGate().getType(), shape)) &&
                 succeeded(checkShape(*this, "weight", getWeight().getType(), {shape[1]})) &&
                 succeeded(checkShape(*this, "outs", getInit().getType(), shape)) &&
                 succeeded(checkPositive(*this, "eps", getEps().convertToDouble())));
}

/// Groups of `group` columns, 0 for all of them.
static int64_t countGroups(int64_t columns, int64_t group) {
  if (group == 0 || ShapedType::isDynamic(columns))
    return group == 0 ? 1 : kAny;
  return (columns + group - 1) / group;
}

static LogicalResult checkGroup(Operation *op, int64_t group) {
  if (group >= 0)
    return success();
  return op->emitOpError() << "expected group of at least 0, found " << group;
}

LogicalResult QuantizeOp::verify() {
  ArrayRef<int64_t> shape = getInput().getType().getShape();
  if (failed(checkGroup(*this, getGroup())) || failed(checkShape(*this, "outs", getInit().getType(), shape)) ||
      failed(checkShape(*this, "scales", getScalesInit().getType(), {shape[0], countGroups(shape[1], getGroup())})))
    return failure();
  if (getStaticScales() && getGroup() != 0)
    return emitOpError() << "expected group(0) with static scales, found " << getGroup();
  return success();
}

/// Scales of both operands, and codes with them only.
static LogicalResult verifyScales(LinearOp linear) {
  int64_t outputs = dimOf(linear.getInit(), 1), groups = countGroups(dimOf(linear.getInput(), 1), linear.getGroup());
  Type weight = linear.getWeight().getType().getElementType();
  if (!linear.isScaled()) {
    if (isa<Float8E4M3FNType>(weight) || isa<Float8E4M3FNType>(linear.getInput().getType().getElementType()))
      return linear.emitOpError() << "expected scales for operands of f8E4M3FN, found none";
    if (linear.getFastAccumulate())
      return linear.emitOpError() << "expected no fast_accumulate without scales, found it";
    return success();
  }
  if (!isa<Float8E4M3FNType>(weight))
    return linear.emitOpError() << "expected a weight of f8E4M3FN with scales, found " << weight;
  if (linear.getFastAccumulate() && groups != 1)
    return linear.emitOpError() << "expected one scale a row with fast_accumulate, found " << groups;
  return success(
      succeeded(checkGroup(linear, linear.getGroup())) &&
      succeeded(checkShape(linear, "scales of the input", linear.getInputScales().getType(),
                           {dimOf(linear.getInput(), 0), groups})) &&
      succeeded(checkShape(linear, "scales of the weight", linear.getWeightScales().getType(), {groups, outputs})));
}

static int64_t widthOf(TermsAttr terms, int64_t columns) {
  return ShapedType::isDynamic(columns) ? kAny : terms.getWidth(columns);
}

LogicalResult SplitOp::verify() {
  Type from = getInput().getType().getElementType(), to = getInit().getType().getElementType();
  if (to.getIntOrFloatBitWidth() >= from.getIntOrFloatBitWidth())
    return emitOpError() << "expected terms of a narrower type than " << from << ", found " << to;
  return checkShape(*this, "outs", getInit().getType(),
                    {dimOf(getInput(), 0), widthOf(getTerms(), dimOf(getInput(), 1))});
}

/// The input has the terms of as many numbers as the weight has columns; the padding of groups is less than a run.
static LogicalResult verifyTerms(LinearOp linear) {
  if (linear.isScaled())
    return linear.emitOpError() << "expected no terms of codes with scales, found " << linear.getTermsAttr();
  return checkShape(linear, "input", linear.getInput().getType(),
                    {kAny, widthOf(linear.getTermsAttr(), linear.getWeightColumns())});
}

LogicalResult LinearOp::verify() {
  int64_t rows = dimOf(getInput(), 0), depth = getTerms() ? kAny : dimOf(getInput(), 1), outputs = dimOf(getInit(), 1);
  bool panels = getWeight().getType().getRank() > 2;
  SmallVector<int64_t> weight = panels ? SmallVector<int64_t>{kAny, depth, kAny} : SmallVector<int64_t>{kAny, depth};
  if (getWeight().getType().getRank() == 4) {
    int64_t group = dimOf(getWeight(), 3), groups = dimOf(getWeight(), 1);
    if (group * groups < depth)
      return emitOpError() << "expected groups of weights for " << depth << " columns, found " << groups << " of "
                           << group;
    weight = {kAny, groups, kAny, group};
  }
  if (failed(checkShape(*this, "weight", getWeight().getType(), weight)) ||
      failed(checkShape(*this, "outs", getInit().getType(), {rows, panels ? kAny : dimOf(getWeight(), 0)})))
    return failure();
  if (getBias() && failed(checkShape(*this, "bias", getBias().getType(), {outputs})))
    return failure();
  if (!isa<FloatType>(getAcc()))
    return emitOpError() << "expected acc to be a float type, found " << getAcc();
  if (getTerms() && failed(verifyTerms(*this)))
    return failure();
  return verifyScales(*this);
}

LogicalResult RopeOp::verify() {
  int64_t headDim = getHeadDim(), rotary = getRotaryDim();
  if (failed(checkShape(*this, "positions", getPositions().getType(), {dimOf(getInput(), 0)})) ||
      failed(checkShape(*this, "outs", getInit().getType(), getInput().getType().getShape())) ||
      failed(checkPositive(*this, "head_dim", headDim)) ||
      failed(checkMultiple(*this, "the width of the input", dimOf(getInput(), 1), headDim)))
    return failure();
  if (rotary > headDim)
    return emitOpError() << "expected frequencies of at most the " << headDim / 2 << " pairs of a head, found "
                         << rotary / 2;
  return success();
}

/// Nothing turns: the input passes through.
OpFoldResult RopeOp::fold(FoldAdaptor) {
  if (getRotaryDim() == 0 && getInput().getType() == getResult().getType())
    return getInput();
  return {};
}

LogicalResult SwigluOp::verify() {
  ArrayRef<int64_t> shape = getGate().getType().getShape();
  return success(succeeded(checkShape(*this, "up", getUp().getType(), shape)) &&
                 succeeded(checkShape(*this, "outs", getInit().getType(), shape)));
}

LogicalResult TakeRowsOp::verify() {
  return checkShape(*this, "outs", getInit().getType(), {dimOf(getRows(), 0), dimOf(getInput(), 1)});
}

LogicalResult ArgmaxOp::verify() { return checkShape(*this, "outs", getInit().getType(), {dimOf(getInput(), 0)}); }

LogicalResult SampleOp::verify() {
  int64_t rows = dimOf(getLogits(), 0);
  if (failed(checkShape(*this, "greedy", getGreedy().getType(), {rows})) ||
      failed(checkShape(*this, "sampling", getSampling().getType(), {rows, BAMBA_RT_SAMPLING_WORDS})) ||
      failed(checkShape(*this, "outs", getInit().getType(), {rows, BAMBA_RT_SAMPLE_WORDS})))
    return failure();
  if (getKept())
    return checkShape(*this, "kept", getKept().getType(), {rows});
  return checkShape(*this, "positions", getPositions().getType(), {rows});
}
