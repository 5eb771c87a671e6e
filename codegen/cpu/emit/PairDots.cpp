// linear of codes whose pairs of bf16 are multiplied in vector registers. A few rows read each panel once, in one
// stream; for more rows a block of a panel is decoded once and stays in cache. A dot product of pairs sums in f32 and
// rounds no product, since each number has at most 8 bits.
#include "codegen/cpu/emit/LinearOperands.h"
#include "codegen/cpu/emit/PairCodes.h"
#include "codegen/cpu/emit/RegisterTile.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Dialect/X86Vector/X86VectorDialect.h"

namespace bambac::codegen {
namespace {

using Sums = MutableArrayRef<Value>; // one a row

class PairDotsEmitter : LinearOperands {
public:
  PairDotsEmitter(Emitter &emitter, LinearOp op, LinearOp::Adaptor buffers)
      : LinearOperands(emitter, op, buffers), b(e.getBuilder()), loc(e.getLoc()),
        linesOfPanel(cast<MemRefType>(weight.getType()).getDimSize(1)),
        lines(memref::CollapseShapeOp::create(b, loc, weight, ArrayRef<ReassociationIndices>{{0}, {1}, {2, 3}})) {
    CpuScheduleAttr schedule = e.getSchedule();
    rowTile = schedule ? std::max<int64_t>(schedule.getRows(), 1) : 1;
    rows = wholeTiles(rowTile);
    block = hasGroups() ? getBlock() : llvm::alignTo(getBlock(), 2);
  }

  void emit() {
    std::optional<int64_t> rowCount = getConstantIntValue(e.dim(out, 0));
    if (rowCount && *rowCount <= rowTile)
      forEachPanel([&](Panel panel) { multiplyStream(panel); });
    else
      multiplyBlocks();
  }

private:
  struct Panel {
    Value number, column; ///< column: its first of the result
    Lanes lanes;
  };
  void forEachPanel(llvm::function_ref<void(Panel)> body) {
    e.columns(e.dim(out, 1), panelWidth,
              [&](Value column, Lanes lanes) { body({e.div(column, e.index(panelWidth)), column, lanes}); });
  }

  /// Columns of the input.
  struct Part {
    Value first, size;
  };
  /// The weights of a pair of columns, in two vectors: see decodePairs().
  using GetWeights = llvm::function_ref<std::pair<Value, Value>(Value pair)>;

  //===-- weights ------------------------------------------------------------------------------------------------===//

  /// Those in memory, with those further on asked for.
  std::pair<Value, Value> decode(Panel panel, Value pair) {
    int64_t codes = 2 * panelWidth;
    prefetch(e.add(e.add(e.mul(panel.number, linesOfPanel), pair), linesAhead(codes)), codes);
    return decodePairs(e, vector::LoadOp::create(b, loc, VectorType::get(codes, weightType), lines,
                                                 ValueRange{panel.number, pair, e.index(0)}));
  }

  /// Writes out those of the pairs of a part, and returns the number of the first.
  Value decodeAll(Panel panel, Part part, Value decoded) {
    Value firstPair = e.div(part.first, e.index(2)), end = e.add(e.add(part.first, part.size), 1);
    e.loop(e.sub(e.div(end, e.index(2)), firstPair), [&](Value number) {
      auto [first, second] = decode(panel, e.add(firstPair, number));
      vector::StoreOp::create(b, loc, first, decoded, ValueRange{number, e.index(0)});
      vector::StoreOp::create(b, loc, second, decoded, ValueRange{number, e.index(panelWidth)});
    });
    return firstPair;
  }

  //===-- input --------------------------------------------------------------------------------------------------===//

  /// Two neighbours of the input as 32 bits.
  Value loadPair(Value row, Value column) {
    Value pair = vector::LoadOp::create(b, loc, VectorType::get(2, b.getBF16Type()), input, ValueRange{row, column});
    Value bits = vector::BitCastOp::create(b, loc, VectorType::get(1, b.getI32Type()), pair);
    return vector::ExtractOp::create(b, loc, bits, 0);
  }

  /// One number of the input as 32 bits, as the first or the second of a pair; a pair of zeros where `isThere` is not.
  Value loadHalfPair(Value row, Value column, bool second, Value isThere) {
    Value number = memref::LoadOp::create(b, loc, input, ValueRange{row, column});
    Value half = arith::BitcastOp::create(b, loc, b.getI16Type(), number);
    Value bits = arith::ExtUIOp::create(b, loc, b.getI32Type(), half);
    if (second)
      bits = arith::ShLIOp::create(b, loc, bits, arith::ConstantIntOp::create(b, loc, 16, 32));
    return e.select(isThere, bits, arith::ConstantIntOp::create(b, loc, 0, 32));
  }

  Value isOdd(Value column) { return e.less(e.index(0), b.createOrFold<arith::RemUIOp>(loc, column, e.index(2))); }

  //===-- products -----------------------------------------------------------------------------------------------===//

  /// Adds the products of a pair of columns, whose input is what `getPair` gives for a row, as 32 bits.
  void addPair(std::pair<Value, Value> weights, llvm::function_ref<Value(int64_t row)> getPair, Sums sums) {
    int64_t half = panelWidth / 2;
    auto words = VectorType::get(half, b.getI32Type()), pairs = VectorType::get(panelWidth, b.getBF16Type());
    for (auto [row, sum] : llvm::enumerate(sums)) {
      Value numbers = vector::BroadcastOp::create(b, loc, words, getPair(static_cast<int64_t>(row)));
      numbers = vector::BitCastOp::create(b, loc, pairs, numbers);
      auto dot = [&](int64_t offset, Value ofHalf) -> Value {
        Value before = vector::ExtractStridedSliceOp::create(b, loc, sum, offset, half, 1);
        return x86vector::DotBF16Op::create(b, loc, words.clone(b.getF32Type()), before, ofHalf, numbers);
      };
      sum = vector::ShuffleOp::create(b, loc, dot(0, weights.first), dot(half, weights.second),
                                      llvm::to_vector(llvm::seq<int64_t>(0, panelWidth)));
    }
  }

  /// The sums of a part for `rowCount` rows from `row` on. Groups of an odd number of columns share pairs at their
  /// ends.
  SmallVector<Value> sumPart(Value row, int64_t rowCount, Part part, GetWeights getWeights) {
    bool startsOdd = hasGroups() && group % 2 != 0, endsOdd = startsOdd || depth % 2 != 0;
    Value two = e.index(2), begin = startsOdd ? e.add(part.first, 1) : part.first, end = e.add(part.first, part.size);
    Value firstPair = e.div(begin, two), pairs = startsOdd ? e.sub(e.div(end, two), firstPair) : e.div(part.size, two);
    SmallVector<Value> zeros(rowCount, e.splat(0.0, panelWidth));
    auto sums = accumulateParts(e, zeros, e.index(0), pairs, [&](Sums next, Value number) {
      Value pair = e.add(firstPair, number), column = e.mul(pair, 2);
      addPair(getWeights(pair), [&](int64_t r) { return loadPair(e.add(row, r), column); }, next);
    });
    auto addHalf = [&](Value column, bool second, Value isThere) {
      auto getPair = [&](int64_t r) { return loadHalfPair(e.add(row, r), column, second, isThere); };
      addPair(getWeights(e.div(column, two)), getPair, sums);
    };
    if (startsOdd)
      addHalf(part.first, /*second=*/true, isOdd(part.first));
    if (endsOdd)
      addHalf(e.sub(end, e.index(1)), /*second=*/false, isOdd(end));
    return sums;
  }

  /// `start` and the sums of each group of a part with its scales; of at most so many groups.
  SmallVector<Value> sumGroups(Panel panel, Value row, ArrayRef<Value> start, Part part, int64_t most,
                               GetWeights getWeights) {
    Value firstGroup = e.div(part.first, e.index(group));
    Value groups = hasGroups() ? e.div(e.add(part.size, group - 1), e.index(group)) : e.index(1);
    return sumInTree(e, start, e.index(0), groups, most, [&](Sums totals, Value number) {
      Value first = e.add(part.first, e.mul(number, group));
      Part ofGroup = hasGroups() ? Part{first, e.partSize(e.index(depth), first, group)} : part;
      SmallVector<Value> sums = sumPart(row, static_cast<int64_t>(totals.size()), ofGroup, getWeights);
      for (auto [r, total] : llvm::enumerate(totals)) {
        Value scale =
            getScale(e.add(row, static_cast<int64_t>(r)), e.add(firstGroup, number), panel.column, panel.lanes);
        total = e.fma(orderPairs(e, sums[r]), scale, total);
      }
    });
  }

  /// All of the depth at once, as the weights come from memory.
  void multiplyStream(Panel panel) {
    Value start = getStart(panel.column, panel.lanes);
    e.rowTiles(e.index(0), rows, rowTile, [&](Value row, int64_t count) {
      SmallVector<Value> sums = sumGroups(panel, row, SmallVector<Value>(count, start), {e.index(0), e.index(depth)},
                                          countGroups(depth), [&](Value pair) { return decode(panel, pair); });
      for (auto [r, sum] : llvm::enumerate(sums))
        e.store(sum, out, {e.add(row, static_cast<int64_t>(r)), panel.column}, panel.lanes);
    });
  }

  /// Block by block of the depth, so that the input stays in cache too, with the sums in the result.
  void multiplyBlocks() {
    forEachPanel([&](Panel panel) {
      Value start = getStart(panel.column, panel.lanes);
      e.loop(rows, [&](Value row) { e.store(start, out, {row, panel.column}, panel.lanes); });
    });
    Value decoded = e.scratch({llvm::divideCeilSigned(block + 1, 2), 2 * panelWidth}, b.getBF16Type());
    e.loop(e.index(0), e.index(depth), block, [&](Value first) {
      Part part{first, e.partSize(e.index(depth), first, block)};
      forEachPanel([&](Panel panel) { multiplyBlock(panel, part, decoded); });
    });
  }

  void multiplyBlock(Panel panel, Part part, Value decoded) {
    Value firstPair = decodeAll(panel, part, decoded);
    auto load = [&](Value pair, int64_t at) -> Value {
      auto pairs = VectorType::get(panelWidth, b.getBF16Type());
      return vector::LoadOp::create(b, loc, pairs, decoded, ValueRange{e.sub(pair, firstPair), e.index(at)});
    };
    e.rowTiles(e.index(0), rows, rowTile, [&](Value row, int64_t count) {
      SmallVector<Value> zeros(count, e.splat(0.0, panelWidth));
      SmallVector<Value> sums = sumGroups(panel, row, zeros, part, countGroups(block),
                                          [&](Value pair) { return std::pair(load(pair, 0), load(pair, panelWidth)); });
      for (auto [r, sum] : llvm::enumerate(sums)) {
        SmallVector<Value> at{e.add(row, static_cast<int64_t>(r)), panel.column};
        e.store(e.addf(sum, e.load(out, at, panel.lanes)), out, at, panel.lanes);
      }
    });
  }

  OpBuilder &b;
  Location loc;
  int64_t linesOfPanel; ///< a line is a pair of columns
  Value lines;
  int64_t rowTile = 1, block = 0;
};

} // namespace

void emitPairDots(Emitter &emitter, LinearOp op, LinearOp::Adaptor buffers) {
  PairDotsEmitter(emitter, op, buffers).emit();
}

} // namespace bambac::codegen
