// linear of a few rows of f32 on panels of pairs of columns in bf16: a panel at a time as one stream, at the speed of
// memory. A pair of bf16 is a 32-bit number whose halves are f32 after a shift or a mask, half the work of widening
// each.
#include "codegen/cpu/emit/LinearOperands.h"
#include "codegen/cpu/emit/RegisterTile.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace bambac::codegen {
namespace {

/// How far ahead of their use weights are asked for at each of two places, in bytes.
constexpr int64_t kAheadOfTwo = 4096;
/// Rows whose sums for two places are in registers.
constexpr int64_t kRowsOfTwo = 4;

using Sums = MutableArrayRef<Value>; // one a row

class PairStreamEmitter : LinearOperands {
public:
  PairStreamEmitter(Emitter &emitter, LinearOp op, LinearOp::Adaptor buffers)
      : LinearOperands(emitter, op, buffers), b(e.getBuilder()), loc(e.getLoc()),
        rowCount(cast<MemRefType>(out.getType()).getDimSize(0)) {
    lines = memref::CollapseShapeOp::create(b, loc, weight, ArrayRef<ReassociationIndices>{{0}, {1}, {2, 3}});
    pairsOfPanel = cast<MemRefType>(weight.getType()).getDimSize(1);
  }

  void emit() {
    e.columns(e.dim(out, 1), panelWidth, [&](Value column, Lanes lanes) {
      Value panel = e.div(column, e.index(panelWidth));
      SmallVector<Value> start(rowCount, getStart(column, lanes));
      for (auto [row, sum] : llvm::enumerate(sumColumns(panel, start)))
        e.store(sum, out, {e.index(row), column}, lanes);
    });
  }

private:
  /// `start` and the products of all pairs.
  SmallVector<Value> sumPairs(Value panel, ArrayRef<Value> start) {
    if (rowCount <= kRowsOfTwo)
      return sumFromTwoPlaces(panel, start);
    Value line = e.mul(panel, pairsOfPanel);
    int64_t elements = 2 * panelWidth;
    return accumulate(e, start, e.index(0), e.index(depth / 2), [&](Sums sums, Value pair) {
      prefetch(e.add(e.add(line, pair), linesAhead(elements)), elements);
      addPair(panel, pair, /*both=*/true, sums);
    });
  }

  /// The same from two places at a time: the processor fetches ahead within a page of memory, so that two pages give
  /// more bandwidth than one.
  SmallVector<Value> sumFromTwoPlaces(Value panel, ArrayRef<Value> start) {
    int64_t pairs = depth / 2, elements = 2 * panelWidth, ahead = linesAhead(elements, kAheadOfTwo);
    Value half = e.index(pairs / 2), line = e.mul(panel, pairsOfPanel);
    SmallVector<Value> sums(start);
    sums.append(rowCount, e.splat(0.0, panelWidth));
    sums = accumulate(e, sums, e.index(0), half, [&](Sums next, Value pair) {
      Value later = e.add(pair, ahead);
      // After its half, the first place goes on in the next panel's second half: the second place reaches the first.
      Value beyond = e.select(e.less(later, half), e.index(0), e.index(pairsOfPanel));
      prefetch(e.add(e.add(line, later), beyond), elements);
      prefetch(e.add(e.add(line, later), half), elements);
      addPair(panel, pair, /*both=*/true, next.take_front(rowCount));
      addPair(panel, e.add(pair, half), /*both=*/true, next.drop_front(rowCount));
    });
    for (int64_t row = 0; row < rowCount; ++row)
      sums[row] = e.addf(sums[row], sums[rowCount + row]);
    sums.resize(rowCount);
    if (pairs % 2 != 0)
      addPair(panel, e.index(pairs - 1), /*both=*/true, sums);
    return sums;
  }

  /// Adds the products of a pair of columns, or of its first one only.
  void addPair(Value panel, Value pair, bool both, Sums sums) {
    auto words = VectorType::get(panelWidth, b.getI32Type()), floats = words.clone(b.getF32Type());
    auto constant = [&](int32_t value) {
      return arith::ConstantOp::create(b, loc, DenseElementsAttr::get(words, value));
    };
    auto add = [&](Value column, Value bits) {
      Value numbers = vector::BitCastOp::create(b, loc, floats, bits);
      for (auto [row, sum] : llvm::enumerate(sums))
        sum = e.fma(e.broadcast(e.load(input, {e.index(row), column}), panelWidth), numbers, sum);
    };
    Value line = vector::LoadOp::create(b, loc, VectorType::get(2 * panelWidth, weightType), lines,
                                        ValueRange{panel, pair, e.index(0)});
    Value packed = vector::BitCastOp::create(b, loc, words, line), column = e.mul(pair, 2);
    add(column, arith::ShLIOp::create(b, loc, packed, constant(16)));
    if (both)
      add(e.add(column, 1), arith::AndIOp::create(b, loc, packed, constant(static_cast<int32_t>(0xFFFF0000))));
  }

  SmallVector<Value> sumColumns(Value panel, ArrayRef<Value> start) {
    SmallVector<Value> sums = sumPairs(panel, start);
    if (depth % 2 != 0)
      addPair(panel, e.index(depth / 2), /*both=*/false, sums);
    return sums;
  }

  OpBuilder &b;
  Location loc;
  Value lines;
  int64_t rowCount, pairsOfPanel;
};

} // namespace

void emitPairStream(Emitter &emitter, LinearOp op, LinearOp::Adaptor buffers) {
  PairStreamEmitter(emitter, op, buffers).emit();
}

} // namespace bambac::codegen
