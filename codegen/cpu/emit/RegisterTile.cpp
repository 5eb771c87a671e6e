// Sums in registers over a depth.
#include "codegen/cpu/emit/RegisterTile.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

namespace bambac::codegen {

/// Sums under way that hide the latency of a fused multiply-add: four cycles, two units.
static constexpr int64_t kSumsUnderWay = 8;

/// How many depths run side by side.
static int64_t chooseSplits(Emitter &e, ArrayRef<Value> sums, Value begin, Value end) {
  std::optional<int64_t> first = getConstantIntValue(begin), last = getConstantIntValue(end);
  if (!first || !last)
    return 1;
  int64_t registers = cast<VectorType>(sums[0].getType()).getDimSize(0) / e.getLanes() * sums.size();
  int64_t splits = kSumsUnderWay / std::max<int64_t>(registers, 1);
  return *last - *first >= splits ? std::max<int64_t>(splits, 1) : 1;
}

SmallVector<Value> accumulate(Emitter &e, ArrayRef<Value> sums, Value begin, Value end, TileStep step) {
  int64_t rows = sums.size(), splits = chooseSplits(e, sums, begin, end);
  SmallVector<Value> carried(sums);
  for (int64_t split = 1; split < splits; ++split)
    for (Value sum : sums)
      carried.push_back(e.constantLike(sum, 0.0));
  Value whole = splits == 1 ? end : e.add(begin, e.mul(e.div(e.sub(end, begin), e.index(splits)), splits));
  carried = e.loop(begin, whole, splits, carried, [&](Value depth, ValueRange values) {
    SmallVector<Value> next(values);
    for (int64_t split = 0; split < splits; ++split)
      step(MutableArrayRef(next).slice(split * rows, rows), e.add(depth, split));
    return next;
  });
  for (int64_t split = 1; split < splits; ++split)
    for (int64_t row = 0; row < rows; ++row)
      carried[row] = e.addf(carried[row], carried[split * rows + row]);
  carried.resize(rows);
  if (splits == 1)
    return carried;
  return e.loop(whole, end, 1, carried, [&](Value depth, ValueRange values) {
    SmallVector<Value> next(values);
    step(next, depth);
    return next;
  });
}

SmallVector<Value> accumulateParts(Emitter &e, ArrayRef<Value> sums, Value begin, Value end, TileStep step) {
  std::optional<int64_t> count = getConstantIntValue(e.sub(end, begin));
  if (!count || *count <= kLongestPart)
    return accumulate(e, sums, begin, end, step);
  auto zeros = llvm::map_to_vector(sums, [&](Value sum) { return e.constantLike(sum, 0.0); });
  auto addPart = [&](ValueRange before, Value first, int64_t size) {
    SmallVector<Value> next(before);
    auto ofPart = accumulate(e, zeros, e.index(0), e.index(size),
                             [&](MutableArrayRef<Value> part, Value depth) { step(part, e.add(first, depth)); });
    for (auto [sum, part] : llvm::zip_equal(next, ofPart))
      sum = e.addf(sum, part);
    return next;
  };
  int64_t left = *count % kLongestPart;
  Value whole = e.add(begin, *count - left);
  SmallVector<Value> carried =
      e.loop(begin, whole, kLongestPart, SmallVector<Value>(sums),
             [&](Value first, ValueRange before) { return addPart(before, first, kLongestPart); });
  return left == 0 ? carried : addPart(carried, whole, left);
}

void addProducts(Emitter &e, MutableArrayRef<Value> sums, Value depth, TileFactors factors) {
  Value vector = factors.vector(depth);
  int64_t width = cast<VectorType>(vector.getType()).getDimSize(0);
  for (auto [row, sum] : llvm::enumerate(sums))
    sum = e.fma(e.broadcast(factors.scalar(row, depth), width), vector, sum);
}

SmallVector<Value> accumulate(Emitter &e, ArrayRef<Value> sums, Value begin, Value end, TileFactors factors) {
  return accumulate(e, sums, begin, end,
                    [&](MutableArrayRef<Value> next, Value depth) { addProducts(e, next, depth, factors); });
}

int64_t partOfTree(int64_t most) {
  int64_t part = 1;
  while (part * kLongestChain < most)
    part *= kLongestChain;
  return part;
}

SmallVector<Value> sumInTree(Emitter &e, ArrayRef<Value> sums, Value begin, Value end, int64_t most, TileStep step) {
  int64_t part = partOfTree(most);
  return e.loop(begin, end, part, sums, [&](Value first, ValueRange before) {
    SmallVector<Value> next(before);
    if (part == 1) {
      step(next, first);
      return next;
    }
    auto zeros = llvm::map_to_vector(before, [&](Value sum) { return e.constantLike(sum, 0.0); });
    Value last = e.min(e.add(first, part), end);
    for (auto [sum, ofPart] : llvm::zip_equal(next, sumInTree(e, zeros, first, last, part, step)))
      sum = e.addf(sum, ofPart);
    return next;
  });
}

} // namespace bambac::codegen
