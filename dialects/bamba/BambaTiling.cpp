// Tiles of the ops without state: rows, or rows and columns.
#include "dialects/bamba/Bamba.h"
#include "dialects/bamba/Tiling.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"

using namespace bambac;

Span Slicer::all(Value value, unsigned dim) { return {builder.getIndexAttr(0), sizeOf(builder, value, dim)}; }

Span Slicer::scaled(Span items, int64_t width) {
  AffineExpr d0 = builder.getAffineDimExpr(0);
  auto times = [&](OpFoldResult value) {
    return affine::makeComposedFoldedAffineApply(builder, op->getLoc(), d0 * width, {value});
  };
  return {times(items.offset), times(items.size)};
}

Value Slicer::slice(Value value, ArrayRef<Span> spans) {
  Tile tile(spans);
  SmallVector<OpFoldResult> strides(spans.size(), builder.getIndexAttr(1));
  auto extract = tensor::ExtractSliceOp::create(builder, op->getLoc(), value, tile.offsets, tile.sizes, strides);
  // A slice keeps the encoding of its source: it says how the memory under both lies.
  slices.push_back(extract);
  return extract;
}

TilingResult Slicer::clone(ArrayRef<Value> operands, ArrayRef<NamedAttribute> attributes) {
  SmallVector<Type> types;
  for (OpOperand &init : cast<DestinationStyleOpInterface>(op).getDpsInitsMutable())
    types.push_back(operands[init.getOperandNumber()].getType());
  Operation *tiled = mlir::clone(builder, op, types, operands);
  for (NamedAttribute attribute : attributes)
    tiled->setAttr(attribute.getName(), attribute.getValue());
  return TilingResult{{tiled}, SmallVector<Value>(tiled->getResults()), slices};
}

SmallVector<Range> bambac::makeDomain(OpBuilder &builder, ArrayRef<OpFoldResult> sizes) {
  return llvm::map_to_vector(
      sizes, [&](OpFoldResult size) { return Range{builder.getIndexAttr(0), size, builder.getIndexAttr(1)}; });
}

SmallVector<Range> bambac::domainOfResult(OpBuilder &builder, Value init, unsigned rank) {
  SmallVector<OpFoldResult> sizes;
  for (unsigned dim = 0; dim < rank; ++dim)
    sizes.push_back(sizeOf(builder, init, dim));
  return makeDomain(builder, sizes);
}

LogicalResult bambac::positionInResult(OpBuilder &builder, Value init, ArrayRef<OpFoldResult> offsets,
                                       ArrayRef<OpFoldResult> sizes, SmallVector<OpFoldResult> &resultOffsets,
                                       SmallVector<OpFoldResult> &resultSizes) {
  resultOffsets.assign(offsets.begin(), offsets.end());
  resultSizes.assign(sizes.begin(), sizes.end());
  for (int64_t dim = offsets.size(), rank = cast<ShapedType>(init.getType()).getRank(); dim < rank; ++dim) {
    resultOffsets.push_back(builder.getIndexAttr(0));
    resultSizes.push_back(sizeOf(builder, init, dim));
  }
  return success();
}

FailureOr<TilingResult> EmbeddingOp::getTiledImplementation(OpBuilder &builder, ArrayRef<OpFoldResult> offsets,
                                                            ArrayRef<OpFoldResult> sizes) {
  Slicer slicer(builder, *this);
  Span rows{offsets[0], sizes[0]}, columns{offsets[1], sizes[1]};
  return slicer.clone({slicer.slice(getTokens(), {rows}),
                       slicer.slice(getTable(), {slicer.all(getTable(), 0), columns}),
                       slicer.slice(getInit(), {rows, columns})});
}

FailureOr<TilingResult> RmsNormOp::getTiledImplementation(OpBuilder &builder, ArrayRef<OpFoldResult> offsets,
                                                          ArrayRef<OpFoldResult> sizes) {
  Slicer slicer(builder, *this);
  Span rows{offsets[0], sizes[0]}, columns = slicer.all(getInput(), 1);
  return slicer.clone(
      {slicer.slice(getInput(), {rows, columns}), getWeight(), slicer.slice(getInit(), {rows, columns})});
}

FailureOr<TilingResult> GatedRmsNormOp::getTiledImplementation(OpBuilder &builder, ArrayRef<OpFoldResult> offsets,
                                                               ArrayRef<OpFoldResult> sizes) {
  Slicer slicer(builder, *this);
  Span rows{offsets[0], sizes[0]}, columns = slicer.all(getInput(), 1);
  return slicer.clone({slicer.slice(getInput(), {rows, columns}), slicer.slice(getGate(), {rows, columns}), getWeight(),
                       slicer.slice(getInit(), {rows, columns})});
}

FailureOr<TilingResult> LinearOp::getTiledImplementation(OpBuilder &builder, ArrayRef<OpFoldResult> offsets,
                                                         ArrayRef<OpFoldResult> sizes) {
  Slicer slicer(builder, *this);
  Span rows{offsets[0], sizes[0]}, columns{offsets[1], sizes[1]};
  SmallVector<Span> weight{columns, slicer.all(getWeight(), 1)};
  if (int64_t rank = getWeight().getType().getRank(); rank > 2) { // whole panels: a tile starts at one
    AffineExpr column = builder.getAffineDimExpr(0);
    int64_t width = getWeight().getType().getDimSize(2);
    auto apply = [&](AffineExpr expr, OpFoldResult value) {
      return affine::makeComposedFoldedAffineApply(builder, getLoc(), expr, {value});
    };
    weight = {{apply(column.floorDiv(width), offsets[1]), apply(column.ceilDiv(width), sizes[1])}};
    for (int64_t dim = 1; dim < rank; ++dim)
      weight.push_back(slicer.all(getWeight(), dim));
  }
  SmallVector<Value> operands{slicer.slice(getInput(), {rows, slicer.all(getInput(), 1)}),
                              slicer.slice(getWeight(), weight)};
  operands.push_back(slicer.slice(getInit(), {rows, columns}));
  if (getBias())
    operands.push_back(slicer.slice(getBias(), {columns}));
  if (isScaled()) {
    operands.push_back(slicer.slice(getInputScales(), {rows, slicer.all(getInputScales(), 1)}));
    operands.push_back(slicer.slice(getWeightScales(), {slicer.all(getWeightScales(), 0), columns}));
  }
  return slicer.clone(operands);
}

FailureOr<TilingResult> SplitOp::getTiledImplementation(OpBuilder &builder, ArrayRef<OpFoldResult> offsets,
                                                        ArrayRef<OpFoldResult> sizes) {
  Slicer slicer(builder, *this);
  Span rows{offsets[0], sizes[0]};
  return slicer.clone({slicer.slice(getInput(), {rows, slicer.all(getInput(), 1)}),
                       slicer.slice(getInit(), {rows, slicer.all(getInit(), 1)})});
}

SmallVector<utils::IteratorType> QuantizeOp::getLoopIteratorTypes() { return allParallel(1); }

SmallVector<Range> QuantizeOp::getIterationDomain(OpBuilder &builder) { return domainOfResult(builder, getInit(), 1); }

LogicalResult QuantizeOp::getResultTilePosition(OpBuilder &builder, unsigned number, ArrayRef<OpFoldResult> offsets,
                                                ArrayRef<OpFoldResult> sizes, SmallVector<OpFoldResult> &resultOffsets,
                                                SmallVector<OpFoldResult> &resultSizes) {
  return positionInResult(builder, getDpsInits()[number], offsets, sizes, resultOffsets, resultSizes);
}

/// Its readers, linears, have kernels of their own.
FailureOr<TilingResult> QuantizeOp::generateResultTileValue(OpBuilder &, unsigned, ArrayRef<OpFoldResult>,
                                                            ArrayRef<OpFoldResult>) {
  return failure();
}

FailureOr<TilingResult> QuantizeOp::getTiledImplementation(OpBuilder &builder, ArrayRef<OpFoldResult> offsets,
                                                           ArrayRef<OpFoldResult> sizes) {
  Slicer slicer(builder, *this);
  Span rows{offsets[0], sizes[0]};
  auto cut = [&](Value matrix) { return slicer.slice(matrix, {rows, slicer.all(matrix, 1)}); };
  SmallVector<Value> operands{cut(getInput()), cut(getInit()), cut(getScalesInit())};
  if (getStaticScales())
    operands.push_back(getStaticScales());
  return slicer.clone(operands);
}

FailureOr<TilingResult> SwigluOp::getTiledImplementation(OpBuilder &builder, ArrayRef<OpFoldResult> offsets,
                                                         ArrayRef<OpFoldResult> sizes) {
  Slicer slicer(builder, *this);
  SmallVector<Span> tile{{offsets[0], sizes[0]}, {offsets[1], sizes[1]}};
  return slicer.clone({slicer.slice(getGate(), tile), slicer.slice(getUp(), tile), slicer.slice(getInit(), tile)});
}

FailureOr<TilingResult> RopeOp::getTiledImplementation(OpBuilder &builder, ArrayRef<OpFoldResult> offsets,
                                                       ArrayRef<OpFoldResult> sizes) {
  Slicer slicer(builder, *this);
  Span rows{offsets[0], sizes[0]}, columns = slicer.all(getInput(), 1);
  return slicer.clone({slicer.slice(getInput(), {rows, columns}), slicer.slice(getPositions(), {rows}),
                       slicer.slice(getInit(), {rows, columns})});
}

FailureOr<TilingResult> ArgmaxOp::getTiledImplementation(OpBuilder &builder, ArrayRef<OpFoldResult> offsets,
                                                         ArrayRef<OpFoldResult> sizes) {
  Slicer slicer(builder, *this);
  Span rows{offsets[0], sizes[0]};
  return slicer.clone({slicer.slice(getInput(), {rows, slicer.all(getInput(), 1)}), slicer.slice(getInit(), {rows})});
}

FailureOr<TilingResult> TakeRowsOp::getTiledImplementation(OpBuilder &builder, ArrayRef<OpFoldResult> offsets,
                                                           ArrayRef<OpFoldResult> sizes) {
  Slicer slicer(builder, *this);
  Span rows{offsets[0], sizes[0]}, columns{offsets[1], sizes[1]};
  return slicer.clone({slicer.slice(getInput(), {slicer.all(getInput(), 0), columns}), slicer.slice(getRows(), {rows}),
                       slicer.slice(getInit(), {rows, columns})});
}

FailureOr<TilingResult> SampleOp::getTiledImplementation(OpBuilder &builder, ArrayRef<OpFoldResult> offsets,
                                                         ArrayRef<OpFoldResult> sizes) {
  Slicer slicer(builder, *this);
  Span rows{offsets[0], sizes[0]};
  auto cut = [&](Value matrix) { return slicer.slice(matrix, {rows, slicer.all(matrix, 1)}); };
  SmallVector<Value> operands{cut(getLogits()), slicer.slice(getGreedy(), {rows}),
                              getKept() ? getPositions() : slicer.slice(getPositions(), {rows}), cut(getSampling()),
                              cut(getInit())};
  if (getKept())
    operands.push_back(slicer.slice(getKept(), {rows}));
  return slicer.clone(operands);
}
