// linear of a few rows on panels of pairs of columns: a panel at a time as one stream, at the speed of memory.
//
// A pair of bf16 is a 32-bit number whose halves are f32 after a shift or a mask, half the work of widening each. Codes
// become pairs of bf16, whose products with the input's, of 8 bits, a dot product of pairs sums in f32 without rounding
// them.
#include "codegen/cpu/emit/LinearOperands.h"
#include "codegen/cpu/emit/PairCodes.h"
#include "codegen/cpu/emit/RegisterTile.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Dialect/X86Vector/X86VectorDialect.h"

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
      SmallVector<Value> sums(rowCount, getStart(column, lanes));
      sums = isScaled() ? sumGroups(panel, column, lanes, sums) : sumNumbers(panel, sums);
      for (auto [row, sum] : llvm::enumerate(sums))
        e.store(sum, out, {e.index(row), column}, lanes);
    });
  }

private:
  Value loadLine(Value panel, Value pair) {
    return vector::LoadOp::create(b, loc, VectorType::get(2 * panelWidth, weightType), lines,
                                  ValueRange{panel, pair, e.index(0)});
  }

  using AddPair = llvm::function_ref<void(Value pair, Sums sums)>;

  /// `start` and what `add` adds for each of `count` pairs from `first` on.
  SmallVector<Value> sumPairs(Value panel, ArrayRef<Value> start, Value first, Value count, AddPair add) {
    if (rowCount <= kRowsOfTwo)
      return sumFromTwoPlaces(panel, start, first, count, add);
    Value line = e.add(e.mul(panel, pairsOfPanel), first);
    int64_t elements = 2 * panelWidth;
    return accumulate(e, start, e.index(0), count, [&](Sums sums, Value number) {
      prefetch(e.add(e.add(line, number), linesAhead(elements)), elements);
      add(e.add(first, number), sums);
    });
  }

  /// The same from two places at a time: the processor fetches ahead within a page of memory, so that two pages give
  /// more bandwidth than one.
  SmallVector<Value> sumFromTwoPlaces(Value panel, ArrayRef<Value> start, Value first, Value count, AddPair add) {
    Value half = e.div(count, e.index(2)), line = e.add(e.mul(panel, pairsOfPanel), first);
    int64_t elements = 2 * panelWidth, ahead = linesAhead(elements, kAheadOfTwo);
    SmallVector<Value> sums(start);
    sums.append(rowCount, e.splat(0.0, panelWidth));
    sums = accumulate(e, sums, e.index(0), half, [&](Sums next, Value number) {
      Value later = e.add(number, ahead);
      // After its half, the first place goes on in the next panel's second half: the second place reaches the first.
      Value beyond = e.select(e.less(later, half), e.index(0), e.index(pairsOfPanel));
      prefetch(e.add(e.add(line, later), beyond), elements);
      prefetch(e.add(e.add(line, later), half), elements);
      add(e.add(first, number), next.take_front(rowCount));
      add(e.add(e.add(first, number), half), next.drop_front(rowCount));
    });
    for (int64_t row = 0; row < rowCount; ++row)
      sums[row] = e.addf(sums[row], sums[rowCount + row]);
    sums.resize(rowCount);
    // An odd one is left.
    return e.loop(e.mul(half, 2), count, 1, sums, [&](Value number, ValueRange values) {
      SmallVector<Value> next(values);
      add(e.add(first, number), next);
      return next;
    });
  }

  //===-- bf16 ---------------------------------------------------------------------------------------------------===//

  /// Adds the products of a pair of columns, or of its first one only.
  void addNumbers(Value panel, Value pair, bool both, Sums sums) {
    auto words = VectorType::get(panelWidth, b.getI32Type()), floats = words.clone(b.getF32Type());
    auto constant = [&](int32_t value) {
      return arith::ConstantOp::create(b, loc, DenseElementsAttr::get(words, value));
    };
    auto add = [&](Value column, Value bits) {
      Value numbers = vector::BitCastOp::create(b, loc, floats, bits);
      for (auto [row, sum] : llvm::enumerate(sums))
        sum = e.fma(e.broadcast(e.load(input, {e.index(row), column}), panelWidth), numbers, sum);
    };
    Value packed = vector::BitCastOp::create(b, loc, words, loadLine(panel, pair)), column = e.mul(pair, 2);
    add(column, arith::ShLIOp::create(b, loc, packed, constant(16)));
    if (both)
      add(e.add(column, 1), arith::AndIOp::create(b, loc, packed, constant(static_cast<int32_t>(0xFFFF0000))));
  }

  SmallVector<Value> sumNumbers(Value panel, ArrayRef<Value> start) {
    auto sums = sumPairs(panel, start, e.index(0), e.index(depth / 2),
                         [&](Value pair, Sums next) { addNumbers(panel, pair, /*both=*/true, next); });
    if (depth % 2 != 0)
      addNumbers(panel, e.index(depth / 2), /*both=*/false, sums);
    return sums;
  }

  //===-- codes --------------------------------------------------------------------------------------------------===//

  /// Adds the products of a pair of columns, whose input is what `getPair` gives for a row, as 32 bits.
  void addCodes(Value panel, Value pair, llvm::function_ref<Value(Value row)> getPair, Sums sums) {
    int64_t half = panelWidth / 2;
    auto words = VectorType::get(half, b.getI32Type()), pairs = VectorType::get(panelWidth, b.getBF16Type());
    auto floats = words.clone(b.getF32Type());
    auto [first, second] = decodePairs(e, loadLine(panel, pair));
    for (auto [row, sum] : llvm::enumerate(sums)) {
      Value factor = vector::BroadcastOp::create(b, loc, words, getPair(e.index(row)));
      factor = vector::BitCastOp::create(b, loc, pairs, factor);
      auto dot = [&](int64_t offset, Value weights) -> Value {
        Value before = vector::ExtractStridedSliceOp::create(b, loc, sum, offset, half, 1);
        return x86vector::DotBF16Op::create(b, loc, floats, before, weights, factor);
      };
      sum = vector::ShuffleOp::create(b, loc, dot(0, first), dot(half, second),
                                      llvm::to_vector(llvm::seq<int64_t>(0, panelWidth)));
    }
  }

  /// Two neighbours of the input as 32 bits.
  Value loadPair(Value row, Value column) {
    Value pair = vector::LoadOp::create(b, loc, VectorType::get(2, b.getBF16Type()), input, ValueRange{row, column});
    return vector::ExtractOp::create(
        b, loc, vector::BitCastOp::create(b, loc, VectorType::get(1, b.getI32Type()), pair).getResult(), 0);
  }

  /// One column of the input as 32 bits, as the first or the second of a pair; a pair of zeros where `isThere` is not.
  Value loadHalfPair(Value row, Value column, bool second, Value isThere) {
    Value code = memref::LoadOp::create(b, loc, input, ValueRange{row, column});
    Value bits = arith::ExtUIOp::create(b, loc, b.getI32Type(),
                                        arith::BitcastOp::create(b, loc, b.getI16Type(), code).getResult());
    if (second)
      bits = arith::ShLIOp::create(b, loc, bits, arith::ConstantIntOp::create(b, loc, 16, 32));
    return e.select(isThere, bits, arith::ConstantIntOp::create(b, loc, 0, 32));
  }

  Value isOdd(Value column) {
    return b.createOrFold<arith::CmpIOp>(loc, arith::CmpIPredicate::ne,
                                         b.createOrFold<arith::RemUIOp>(loc, column, e.index(2)), e.index(0));
  }

  /// The sums of the columns from `first` on. Groups of an odd number of columns share pairs at their ends.
  SmallVector<Value> sumCodes(Value panel, Value first, Value size) {
    bool startsOdd = hasGroups() && group % 2 != 0, endsOdd = startsOdd || depth % 2 != 0;
    Value begin = startsOdd ? e.add(first, 1) : first, end = e.add(first, size), two = e.index(2);
    Value firstPair = e.div(begin, two), pairs = startsOdd ? e.sub(e.div(end, two), firstPair) : e.div(size, two);
    SmallVector<Value> zeros(rowCount, e.splat(0.0, panelWidth));
    auto sums = sumPairs(panel, zeros, firstPair, pairs, [&](Value pair, Sums next) {
      Value column = e.mul(pair, 2);
      addCodes(panel, pair, [&](Value row) { return loadPair(row, column); }, next);
    });
    if (startsOdd)
      addCodes(
          panel, e.div(first, two), [&](Value row) { return loadHalfPair(row, first, /*second=*/true, isOdd(first)); },
          sums);
    if (endsOdd) {
      Value last = e.sub(end, e.index(1));
      addCodes(
          panel, e.div(last, two), [&](Value row) { return loadHalfPair(row, last, /*second=*/false, isOdd(end)); },
          sums);
    }
    return llvm::map_to_vector(sums, [&](Value sum) { return orderPairs(e, sum); });
  }

  SmallVector<Value> sumGroups(Value panel, Value column, Lanes lanes, ArrayRef<Value> start) {
    return sumInTree(e, start, e.index(0), e.index(countGroups(depth)), countGroups(depth),
                     [&](Sums totals, Value number) {
                       Value first = e.mul(number, group), size = e.partSize(e.index(depth), first, group);
                       for (auto [row, sum] : llvm::enumerate(sumCodes(panel, first, size)))
                         totals[row] = e.fma(sum, getScale(e.index(row), number, column, lanes), totals[row]);
                     });
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
