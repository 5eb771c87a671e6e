// Checks of the ops that read or update a sequence's state.
#include "dialects/bamba/Bamba.h"
#include "dialects/bamba/Verify.h"
#include "runtime/contract/quantization.h"

using namespace bambac;

/// The first row of each piece, and the end of the last; `perPiece` has an item for each.
static LogicalResult checkStarts(Operation *op, Value starts, Value perPiece) {
  int64_t pieces = dimOf(perPiece, 0);
  return checkShape(op, "starts", starts.getType(), {ShapedType::isDynamic(pieces) ? kAny : pieces + 1});
}

/// A width made of `count` items, unknown where either is: a ragged tile of heads has a dynamic number of them.
static int64_t widthOf(int64_t count, int64_t item) {
  return ShapedType::isDynamic(count) || ShapedType::isDynamic(item) ? kAny : count * item;
}

static LogicalResult checkPoolRank(Operation *op, StringRef name, Value pool, int64_t rank) {
  int64_t found = cast<ShapedType>(pool.getType()).getRank();
  if (found == rank)
    return success();
  return op->emitOpError() << "expected '" << name << "' of rank " << rank << ", found rank " << found;
}

static LogicalResult checkAcc(Operation *op, Type acc) {
  if (isa<FloatType>(acc))
    return success();
  return op->emitOpError() << "expected acc to be a float type, found " << acc;
}

LogicalResult CausalConv1dOp::verify() {
  int64_t taps = getTaps(), channels = dimOf(getWeight(), 1);
  if (failed(checkPoolRank(*this, "state", getState(), 3)) ||
      failed(checkShape(*this, "input", getInput().getType(), {kAny, channels})) ||
      failed(checkShape(*this, "outs", getInit().getType(), getInput().getType().getShape())) ||
      failed(checkStarts(*this, getStarts(), getSlots())) ||
      failed(checkShape(*this, "state", getState().getType(), {kAny, getPositions() ? kAny : taps - 1, channels})))
    return failure();
  if (taps < 2)
    return emitOpError() << "expected a kernel of at least 2 taps, found " << taps;
  if (getPositions()) {
    if (failed(checkShape(*this, "positions", getPositions().getType(), {dimOf(getInput(), 0)})))
      return failure();
    if (int64_t rows = dimOf(getState(), 1); rows < taps)
      return emitOpError() << "expected a ring of at least " << taps << " rows, found " << rows;
  }
  if (getBias())
    return checkShape(*this, "bias", getBias().getType(), {channels});
  return success();
}

/// Codes have scales, and nothing else has.
template <typename Op> static LogicalResult verifyScales(Op op) {
  ArrayRef<int64_t> state = op.getState().getType().getShape();
  bool isCoded = isa<IntegerType>(op.getState().getType().getElementType());
  if (isCoded != static_cast<bool>(op.getScales()))
    return op.emitOpError() << "expected scales for a state of i8 and for no other, found "
                            << op.getState().getType().getElementType() << (isCoded ? " without" : " with");
  if (!isCoded)
    return success();
  if (!op.getScales().getType().getElementType().isF32())
    return op.emitOpError() << "expected scales of f32, found " << op.getScales().getType().getElementType();
  return success(succeeded(checkPoolRank(op, "scales", op.getScales(), 3)) &&
                 succeeded(checkShape(op, "scales", op.getScales().getType(), {kAny, state[1], state[2]})));
}

/// What ssm_step and ssm_scan have in common.
template <typename Op> static LogicalResult verifySsm(Op op) {
  if (failed(verifyScales(op)))
    return failure();
  int64_t rows = dimOf(op.getX(), 0), heads = op.getNumHeads(), stateSize = op.getStateSize();
  int64_t groupColumns = dimOf(op.getB(), 1);
  if (failed(checkShape(op, "x", op.getX().getType(), {kAny, widthOf(heads, op.getHeadDim())})) ||
      failed(checkShape(op, "outs", op.getInit().getType(), op.getX().getType().getShape())) ||
      failed(checkShape(op, "dt", op.getDt().getType(), {rows, heads})) ||
      failed(checkShape(op, "c", op.getC().getType(), {rows, groupColumns})) ||
      failed(checkShape(op, "b", op.getB().getType(), {rows, kAny})) ||
      failed(checkShape(op, "a_log", op.getALog().getType(), {heads})) ||
      failed(checkShape(op, "d", op.getD().getType(), {heads})) ||
      failed(checkShape(op, "dt_bias", op.getDtBias().getType(), {heads})) ||
      failed(checkMultiple(op, "the width of 'b'", groupColumns, stateSize)) ||
      failed(checkMultiple(op, "the number of heads", heads, op.getNumGroups())) || failed(checkAcc(op, op.getAcc())))
    return failure();
  if (op.getDtMin().convertToDouble() > op.getDtMax().convertToDouble())
    return op.emitOpError() << "expected the lower dt_limit not above the upper";
  return success();
}

/// The types of those destinations that are there.
static LogicalResult typesOf(ArrayRef<Value> destinations, SmallVectorImpl<Type> &types) {
  for (Value destination : destinations)
    if (destination)
      types.push_back(destination.getType());
  return success();
}

LogicalResult SsmStepOp::inferReturnTypes(MLIRContext *, std::optional<Location>, ValueRange operands,
                                          DictionaryAttr attributes, OpaqueProperties properties, RegionRange regions,
                                          SmallVectorImpl<Type> &types) {
  Adaptor a(operands, attributes, properties, regions);
  return typesOf({a.getInit(), a.getState(), a.getEntries(), a.getDeltas(), a.getScales()}, types);
}

LogicalResult SsmFoldOp::inferReturnTypes(MLIRContext *, std::optional<Location>, ValueRange operands,
                                          DictionaryAttr attributes, OpaqueProperties properties, RegionRange regions,
                                          SmallVectorImpl<Type> &types) {
  Adaptor a(operands, attributes, properties, regions);
  return typesOf({a.getState(), a.getScales()}, types);
}

LogicalResult SsmScanOp::inferReturnTypes(MLIRContext *, std::optional<Location>, ValueRange operands,
                                          DictionaryAttr attributes, OpaqueProperties properties, RegionRange regions,
                                          SmallVectorImpl<Type> &types) {
  Adaptor a(operands, attributes, properties, regions);
  return typesOf({a.getInit(), a.getState(), a.getScales()}, types);
}

/// The pools of a ring in addition to the state of `op`, with x | B of `columns` columns.
template <typename Op> static LogicalResult verifyRing(Op op, int64_t columns) {
  if (failed(checkPoolRank(op, "entries", op.getEntries(), 3)) ||
      failed(checkPoolRank(op, "deltas", op.getDeltas(), 3)) ||
      failed(checkShape(op, "pending", op.getPending().getType(), {dimOf(op.getSlots(), 0)})) ||
      failed(checkShape(op, "entries", op.getEntries().getType(), {kAny, kAny, columns})))
    return failure();
  return checkShape(op, "deltas", op.getDeltas().getType(), {kAny, dimOf(op.getEntries(), 1), op.getNumHeads()});
}

LogicalResult SsmStepOp::verify() {
  if (failed(verifySsm(*this)) || failed(checkShape(*this, "slots", getSlots().getType(), {dimOf(getX(), 0)})))
    return failure();
  if (!getPending() && !getEntries() && !getDeltas())
    return getScales() ? emitOpError() << "expected a ring with a state of i8, found none" : success();
  if (!getPending() || !getEntries() || !getDeltas())
    return emitOpError() << "expected pending, entries and deltas of a ring, found some of them";
  Type kept = getEntries().getType().getElementType(), given = getX().getType().getElementType();
  if (kept != given)
    return emitOpError() << "expected entries of the type of 'x', " << given << ", found " << kept;
  return verifyRing(*this, dimOf(getX(), 1) + dimOf(getB(), 1));
}

LogicalResult SsmFoldOp::verify() {
  if (failed(verifyScales(*this)) || failed(checkShape(*this, "a_log", getALog().getType(), {getNumHeads()})) ||
      failed(checkAcc(*this, getAcc())) || failed(verifyRing(*this, kAny)))
    return failure();
  int64_t groupColumns = dimOf(getEntries(), 2) - getNumHeads() * getHeadDim();
  if (groupColumns <= 0)
    return emitOpError() << "expected entries of more than " << getNumHeads() * getHeadDim() << " columns, found "
                         << dimOf(getEntries(), 2);
  return success(succeeded(checkMultiple(*this, "the width of B in 'entries'", groupColumns, getStateSize())) &&
                 succeeded(checkMultiple(*this, "the number of heads", getNumHeads(), getNumGroups())));
}

LogicalResult SsmScanOp::verify() {
  return success(succeeded(verifySsm(*this)) && succeeded(checkStarts(*this, getStarts(), getSlots())) &&
                 succeeded(checkPositive(*this, "chunk", getChunk())));
}

static LogicalResult checkCacheScales(Operation *op, Value scales) {
  return scales ? checkShape(op, "scales", scales.getType(), {contract::kNumCacheScales}) : success();
}

LogicalResult KvAppendOp::verify() {
  if (failed(checkPoolRank(*this, "k_cache", getKCache(), 4)) || failed(checkCacheScales(*this, getScales())))
    return failure();
  int64_t width = widthOf(dimOf(getKCache(), 1), dimOf(getKCache(), 3));
  return success(succeeded(checkShape(*this, "v_cache", getVCache().getType(),
                                      cast<ShapedType>(getKCache().getType()).getShape())) &&
                 succeeded(checkShape(*this, "k", getK().getType(), {kAny, width})) &&
                 succeeded(checkShape(*this, "v", getV().getType(), getK().getType().getShape())) &&
                 succeeded(checkShape(*this, "positions", getPositions().getType(), {dimOf(getK(), 0)})) &&
                 succeeded(getPieces() ? checkShape(*this, "pieces", getPieces().getType(), {dimOf(getK(), 0)})
                                       : checkShape(*this, "pages", getPages().getType(), {dimOf(getK(), 0), kAny})));
}

LogicalResult AttentionOp::verify() {
  if (failed(checkPoolRank(*this, "k_cache", getKCache(), 4)) || failed(checkCacheScales(*this, getCacheScales())))
    return failure();
  return success(succeeded(checkShape(*this, "v_cache", getVCache().getType(),
                                      cast<ShapedType>(getKCache().getType()).getShape())) &&
                 succeeded(checkMultiple(*this, "the width of the query", dimOf(getQuery(), 1),
                                         widthOf(getNumKvHeads(), getHeadDim()))) &&
                 succeeded(checkShape(*this, "outs", getInit().getType(), getQuery().getType().getShape())) &&
                 succeeded(checkShape(*this, "positions", getPositions().getType(), {dimOf(getQuery(), 0)})) &&
                 succeeded(hasRuns() ? checkStarts(*this, getStarts(), getPages())
                                     : checkShape(*this, "pages", getPages().getType(), {getNumRows(), kAny})) &&
                 succeeded(checkAcc(*this, getAcc())));
}
