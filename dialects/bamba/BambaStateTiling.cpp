// Tiles of the ops with state. They are cut along channels or heads, never along sequences: two sequences' updates of
// one pool have no tensor slices that could be told apart.
#include "dialects/bamba/Bamba.h"
#include "dialects/bamba/Tiling.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"

using namespace bambac;

/// The result tile at `spans`.
static LogicalResult setPosition(ArrayRef<Span> spans, SmallVector<OpFoldResult> &offsets,
                                 SmallVector<OpFoldResult> &sizes) {
  Tile tile(spans);
  offsets = tile.offsets;
  sizes = tile.sizes;
  return success();
}

/// A pool [items, heads, ..., ...] at some heads.
static SmallVector<Span> headsOfPool(Slicer &slicer, Value pool, Span heads) {
  return {slicer.all(pool, 0), heads, slicer.all(pool, 2), slicer.all(pool, 3)};
}

//===-- causal_conv1d: channels ----------------------------------------------------------------------------------===//

SmallVector<utils::IteratorType> CausalConv1dOp::getLoopIteratorTypes() { return allParallel(1); }

SmallVector<Range> CausalConv1dOp::getIterationDomain(OpBuilder &builder) {
  return makeDomain(builder, {sizeOf(builder, getInit(), 1)});
}

FailureOr<TilingResult> CausalConv1dOp::getTiledImplementation(OpBuilder &builder, ArrayRef<OpFoldResult> offsets,
                                                               ArrayRef<OpFoldResult> sizes) {
  Slicer slicer(builder, *this);
  Span channels{offsets[0], sizes[0]};
  auto columns = [&](Value value) { return slicer.slice(value, {slicer.all(value, 0), channels}); };
  SmallVector<Value> operands{columns(getInput()), columns(getWeight()), getSlots(), getStarts()};
  operands.push_back(columns(getInit()));
  operands.push_back(slicer.slice(getState(), {slicer.all(getState(), 0), slicer.all(getState(), 1), channels}));
  if (getBias())
    operands.push_back(slicer.slice(getBias(), {channels}));
  if (getPositions())
    operands.push_back(getPositions());
  return slicer.clone(operands);
}

LogicalResult CausalConv1dOp::getResultTilePosition(OpBuilder &builder, unsigned number, ArrayRef<OpFoldResult> offsets,
                                                    ArrayRef<OpFoldResult> sizes,
                                                    SmallVector<OpFoldResult> &resultOffsets,
                                                    SmallVector<OpFoldResult> &resultSizes) {
  Slicer slicer(builder, *this);
  Span channels{offsets[0], sizes[0]};
  if (number == 0)
    return setPosition({slicer.all(getInit(), 0), channels}, resultOffsets, resultSizes);
  return setPosition({slicer.all(getState(), 0), slicer.all(getState(), 1), channels}, resultOffsets, resultSizes);
}

FailureOr<TilingResult> CausalConv1dOp::generateResultTileValue(OpBuilder &builder, unsigned number,
                                                                ArrayRef<OpFoldResult> offsets,
                                                                ArrayRef<OpFoldResult> sizes) {
  FailureOr<TilingResult> tiled = getTiledImplementation(builder, offsets.back(), sizes.back());
  if (failed(tiled))
    return failure();
  return TilingResult{tiled->tiledOps, {tiled->tiledValues[number]}, tiled->generatedSlices};
}

//===-- ssm_step and ssm_scan: heads -----------------------------------------------------------------------------===//

/// x and B of an entry of a ring are columns of one row: a tile of heads would be two slices of it.
static LogicalResult refuseRing(Operation *op) { return op->emitOpError() << "is not tiled with a ring"; }

/// Only kernels that are not tiled in the IR compute with states of codes.
static LogicalResult refuseScales(Operation *op) { return op->emitOpError() << "is not tiled with a state of codes"; }

/// A tile of heads lies inside one group, so that its B and C are those of that group.
template <typename Op>
static FailureOr<TilingResult> tileHeads(Op op, OpBuilder &builder, OpFoldResult offset, OpFoldResult size) {
  int64_t headsPerGroup = op.getNumHeads() / op.getNumGroups();
  std::optional<int64_t> heads = getConstantIntValue(size);
  bool oneGroup = op.getNumGroups() == 1;
  if (!oneGroup && (!heads || headsPerGroup % *heads != 0))
    return op.emitOpError() << "expected a tile of heads that divides the " << headsPerGroup << " heads of a group";
  Slicer slicer(builder, op);
  Span tile{offset, size}, channels = slicer.scaled(tile, op.getHeadDim());
  AffineExpr head = builder.getAffineDimExpr(0);
  OpFoldResult group =
      oneGroup ? OpFoldResult(builder.getIndexAttr(0))
               : affine::makeComposedFoldedAffineApply(builder, op.getLoc(), head.floorDiv(headsPerGroup), {offset});
  Span groupColumns = slicer.scaled({group, builder.getIndexAttr(1)}, op.getStateSize());
  auto columns = [&](Value value, Span span) { return slicer.slice(value, {slicer.all(value, 0), span}); };
  SmallVector<Value> operands{columns(op.getX(), channels),         columns(op.getDt(), tile),
                              columns(op.getB(), groupColumns),     columns(op.getC(), groupColumns),
                              slicer.slice(op.getALog(), {tile}),   slicer.slice(op.getD(), {tile}),
                              slicer.slice(op.getDtBias(), {tile}), op.getSlots()};
  if constexpr (std::is_same_v<Op, SsmScanOp>)
    operands.push_back(op.getStarts());
  operands.push_back(columns(op.getInit(), channels));
  operands.push_back(slicer.slice(op.getState(), headsOfPool(slicer, op.getState(), tile)));
  return slicer.clone(operands);
}

template <typename Op>
static LogicalResult headsPosition(Op op, OpBuilder &builder, unsigned number, Span heads,
                                   SmallVector<OpFoldResult> &offsets, SmallVector<OpFoldResult> &sizes) {
  Slicer slicer(builder, op);
  if (number == 0)
    return setPosition({slicer.all(op.getInit(), 0), slicer.scaled(heads, op.getHeadDim())}, offsets, sizes);
  return setPosition(headsOfPool(slicer, op.getState(), heads), offsets, sizes);
}

SmallVector<utils::IteratorType> SsmStepOp::getLoopIteratorTypes() { return allParallel(1); }

SmallVector<Range> SsmStepOp::getIterationDomain(OpBuilder &builder) {
  return makeDomain(builder, {builder.getIndexAttr(getNumHeads())});
}

FailureOr<TilingResult> SsmStepOp::getTiledImplementation(OpBuilder &builder, ArrayRef<OpFoldResult> offsets,
                                                          ArrayRef<OpFoldResult> sizes) {
  if (getPending())
    return refuseRing(*this);
  return tileHeads(*this, builder, offsets[0], sizes[0]);
}

LogicalResult SsmStepOp::getResultTilePosition(OpBuilder &builder, unsigned number, ArrayRef<OpFoldResult> offsets,
                                               ArrayRef<OpFoldResult> sizes, SmallVector<OpFoldResult> &resultOffsets,
                                               SmallVector<OpFoldResult> &resultSizes) {
  if (getPending())
    return refuseRing(*this);
  return headsPosition(*this, builder, number, {offsets[0], sizes[0]}, resultOffsets, resultSizes);
}

SmallVector<utils::IteratorType> SsmFoldOp::getLoopIteratorTypes() { return allParallel(1); }

SmallVector<Range> SsmFoldOp::getIterationDomain(OpBuilder &builder) {
  return makeDomain(builder, {builder.getIndexAttr(getNumHeads())});
}

FailureOr<TilingResult> SsmFoldOp::getTiledImplementation(OpBuilder &, ArrayRef<OpFoldResult>, ArrayRef<OpFoldResult>) {
  return refuseRing(*this);
}

LogicalResult SsmFoldOp::getResultTilePosition(OpBuilder &, unsigned, ArrayRef<OpFoldResult>, ArrayRef<OpFoldResult>,
                                               SmallVector<OpFoldResult> &, SmallVector<OpFoldResult> &) {
  return refuseRing(*this);
}

SmallVector<utils::IteratorType> SsmScanOp::getLoopIteratorTypes() { return allParallel(1); }

SmallVector<Range> SsmScanOp::getIterationDomain(OpBuilder &builder) {
  return makeDomain(builder, {builder.getIndexAttr(getNumHeads())});
}

FailureOr<TilingResult> SsmScanOp::getTiledImplementation(OpBuilder &builder, ArrayRef<OpFoldResult> offsets,
                                                          ArrayRef<OpFoldResult> sizes) {
  if (getScales())
    return refuseScales(*this);
  return tileHeads(*this, builder, offsets[0], sizes[0]);
}

LogicalResult SsmScanOp::getResultTilePosition(OpBuilder &builder, unsigned number, ArrayRef<OpFoldResult> offsets,
                                               ArrayRef<OpFoldResult> sizes, SmallVector<OpFoldResult> &resultOffsets,
                                               SmallVector<OpFoldResult> &resultSizes) {
  if (getScales())
    return refuseScales(*this);
  return headsPosition(*this, builder, number, {offsets[0], sizes[0]}, resultOffsets, resultSizes);
}

//===-- kv_append and attention: KV heads ------------------------------------------------------------------------===//

SmallVector<utils::IteratorType> KvAppendOp::getLoopIteratorTypes() { return allParallel(1); }

SmallVector<Range> KvAppendOp::getIterationDomain(OpBuilder &builder) {
  return makeDomain(builder, {sizeOf(builder, getKCache(), 1)});
}

FailureOr<TilingResult> KvAppendOp::getTiledImplementation(OpBuilder &builder, ArrayRef<OpFoldResult> offsets,
                                                           ArrayRef<OpFoldResult> sizes) {
  Slicer slicer(builder, *this);
  Span heads{offsets[0], sizes[0]}, columns = slicer.scaled(heads, getKCache().getType().getDimSize(3));
  SmallVector<Value> operands{slicer.slice(getK(), {slicer.all(getK(), 0), columns}),
                              slicer.slice(getV(), {slicer.all(getV(), 0), columns}),
                              getPositions(),
                              getPages(),
                              slicer.slice(getKCache(), headsOfPool(slicer, getKCache(), heads)),
                              slicer.slice(getVCache(), headsOfPool(slicer, getVCache(), heads))};
  if (getScales())
    operands.push_back(getScales());
  if (getPieces())
    operands.push_back(getPieces());
  return slicer.clone(operands);
}

LogicalResult KvAppendOp::getResultTilePosition(OpBuilder &builder, unsigned number, ArrayRef<OpFoldResult> offsets,
                                                ArrayRef<OpFoldResult> sizes, SmallVector<OpFoldResult> &resultOffsets,
                                                SmallVector<OpFoldResult> &resultSizes) {
  Slicer slicer(builder, *this);
  Value cache = number == 0 ? getKCache() : getVCache();
  return setPosition(headsOfPool(slicer, cache, {offsets[0], sizes[0]}), resultOffsets, resultSizes);
}

/// Sequences and KV heads: a page table row and a group of query heads each. The rows of pieces are not cut, since only
/// the step knows where they lie.
SmallVector<utils::IteratorType> AttentionOp::getLoopIteratorTypes() { return allParallel(2); }

SmallVector<Range> AttentionOp::getIterationDomain(OpBuilder &builder) {
  OpFoldResult sequences = hasRuns() ? OpFoldResult(builder.getIndexAttr(1)) : sizeOf(builder, getPages(), 0);
  return makeDomain(builder, {sequences, builder.getIndexAttr(getNumKvHeads())});
}

/// Rows and columns of the query that belong to some sequences and KV heads.
static SmallVector<Span> queryTile(AttentionOp op, Slicer &slicer, Span sequences, Span heads) {
  Span rows = op.hasRuns() ? slicer.all(op.getQuery(), 0) : sequences;
  return {rows, slicer.scaled(heads, op.getGroupSize() * op.getHeadDim())};
}

FailureOr<TilingResult> AttentionOp::getTiledImplementation(OpBuilder &builder, ArrayRef<OpFoldResult> offsets,
                                                            ArrayRef<OpFoldResult> sizes) {
  Slicer slicer(builder, *this);
  Span sequences{offsets[0], sizes[0]}, heads{offsets[1], sizes[1]};
  SmallVector<Span> query = queryTile(*this, slicer, sequences, heads);
  SmallVector<Value> operands{slicer.slice(getQuery(), query),
                              slicer.slice(getKCache(), headsOfPool(slicer, getKCache(), heads)),
                              slicer.slice(getVCache(), headsOfPool(slicer, getVCache(), heads)),
                              slicer.slice(getPositions(), {query[0]}),
                              hasRuns() ? getPages() : slicer.slice(getPages(), {sequences, slicer.all(getPages(), 1)}),
                              slicer.slice(getInit(), query)};
  if (getCacheScales())
    operands.push_back(getCacheScales());
  if (getStarts())
    operands.push_back(getStarts());
  return slicer.clone(operands);
}

LogicalResult AttentionOp::getResultTilePosition(OpBuilder &builder, unsigned, ArrayRef<OpFoldResult> offsets,
                                                 ArrayRef<OpFoldResult> sizes, SmallVector<OpFoldResult> &resultOffsets,
                                                 SmallVector<OpFoldResult> &resultSizes) {
  Slicer slicer(builder, *this);
  return setPosition(queryTile(*this, slicer, {offsets[0], sizes[0]}, {offsets[1], sizes[1]}), resultOffsets,
                     resultSizes);
}
