// Slices of operands, from which the ops build their tiles.
#ifndef BAMBAC_DIALECTS_BAMBA_TILING_H
#define BAMBAC_DIALECTS_BAMBA_TILING_H

#include "dialects/LLVM.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Builders.h"
#include "mlir/Interfaces/TilingInterface.h"

namespace bambac {

/// An interval of one dimension.
struct Span {
  OpFoldResult offset, size;
};

/// Offsets and sizes, as the tiling interface takes them.
struct Tile {
  SmallVector<OpFoldResult> offsets, sizes;
  Tile() = default;
  explicit Tile(ArrayRef<Span> spans) {
    for (const Span &span : spans) {
      offsets.push_back(span.offset);
      sizes.push_back(span.size);
    }
  }
};

/// Builds slices at one place and remembers them for the tiling result.
class Slicer {
public:
  Slicer(OpBuilder &builder, Operation *op) : builder(builder), op(op) {}

  /// The whole of dimension `dim` of `value`.
  Span all(Value value, unsigned dim);
  /// `count` items of `width` columns each, from item `first`.
  Span scaled(Span items, int64_t width);
  /// `value` at the given spans, one a dimension.
  Value slice(Value value, ArrayRef<Span> spans);
  /// A copy of the op on `operands` with result types those of its destinations, and `attributes` replaced.
  TilingResult clone(ArrayRef<Value> operands, ArrayRef<NamedAttribute> attributes = {});

private:
  OpBuilder &builder;
  Operation *op;
  SmallVector<Operation *> slices;
};

/// The iteration domain [0, size) with step 1 of each dimension.
SmallVector<Range> makeDomain(OpBuilder &builder, ArrayRef<OpFoldResult> sizes);

/// Size of dimension `dim` of `value`: an attribute where static, else a tensor.dim.
inline OpFoldResult sizeOf(OpBuilder &builder, Value value, unsigned dim) {
  return tensor::getMixedSize(builder, value.getLoc(), value, dim);
}

inline SmallVector<utils::IteratorType> allParallel(unsigned rank) {
  return SmallVector<utils::IteratorType>(rank, utils::IteratorType::parallel);
}

/// The domain of an op that iterates over the first `rank` dimensions of its result, which starts as `init`.
SmallVector<Range> domainOfResult(OpBuilder &builder, Value init, unsigned rank);

/// The place in such a result of a tile of iterations: dimensions that are not iterated over are whole.
LogicalResult positionInResult(OpBuilder &builder, Value init, ArrayRef<OpFoldResult> offsets,
                               ArrayRef<OpFoldResult> sizes, SmallVector<OpFoldResult> &resultOffsets,
                               SmallVector<OpFoldResult> &resultSizes);

/// The tile of a producer whose result lies at the same place as its iterations. Dimensions of the result that are not
/// iterated over must be asked for whole.
template <typename Op>
FailureOr<TilingResult> tileAtResult(Op op, OpBuilder &builder, ArrayRef<OpFoldResult> offsets,
                                     ArrayRef<OpFoldResult> sizes) {
  unsigned rank = op.getLoopIteratorTypes().size();
  for (unsigned dim = rank; dim < offsets.size(); ++dim)
    if (!isConstantIntValue(offsets[dim], 0) ||
        !isEqualConstantIntOrValue(sizes[dim], sizeOf(builder, op.getInit(), dim)))
      return failure();
  FailureOr<TilingResult> tiled = op.getTiledImplementation(builder, offsets.take_front(rank), sizes.take_front(rank));
  if (failed(tiled))
    return failure();
  return TilingResult{tiled->tiledOps, {tiled->tiledValues.front()}, tiled->generatedSlices};
}

} // namespace bambac

#endif // BAMBAC_DIALECTS_BAMBA_TILING_H
