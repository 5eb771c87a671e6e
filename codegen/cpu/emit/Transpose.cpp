// Emitter::transpose: a square of registers at a time, by shuffles of two registers each.
#include "codegen/cpu/emit/Emitter.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace bambac::codegen {

/// Elements that shuffles move freely: 128 bits.
static constexpr int64_t kPartLanes = 4;

/// Elements of `left` and `right`, counted through both.
static Value shuffle(Emitter &e, Value left, Value right, ArrayRef<int64_t> order) {
  return vector::ShuffleOp::create(e.getBuilder(), e.getLoc(), left, right, order);
}

/// From the parts of two vectors, the even or the odd ones.
static Value takeParts(Emitter &e, Value left, Value right, int64_t isOdd) {
  SmallVector<int64_t> order;
  for (int64_t part = isOdd; part < 2 * e.getLanes() / kPartLanes; part += 2)
    for (int64_t i = 0; i < kPartLanes; ++i)
      order.push_back(part * kPartLanes + i);
  return shuffle(e, left, right, order);
}

/// As many vectors as each has parts, part by part: result p has part p of each.
static Emitter::Values transposeParts(Emitter &e, ArrayRef<Value> vectors) {
  if (vectors.size() == 1)
    return Emitter::Values(vectors);
  Emitter::Values result(vectors.size());
  for (int64_t isOdd : {0, 1}) {
    Emitter::Values taken;
    for (size_t i = 0; i < vectors.size(); i += 2)
      taken.push_back(takeParts(e, vectors[i], vectors[i + 1], isOdd));
    for (auto [i, value] : llvm::enumerate(transposeParts(e, taken)))
      result[2 * i + static_cast<size_t>(isOdd)] = value;
  }
  return result;
}

/// Runs of `size` elements of two vectors by turns, from the lower or the upper half of each part.
static Value interleave(Emitter &e, Value left, Value right, int64_t size, int64_t half) {
  SmallVector<int64_t> order;
  for (int64_t part = 0; part < e.getLanes(); part += kPartLanes)
    for (int64_t at = half * kPartLanes / 2; at < (half + 1) * kPartLanes / 2; at += size)
      for (int64_t from : {int64_t{0}, e.getLanes()})
        for (int64_t i = 0; i < size; ++i)
          order.push_back(from + part + at + i);
  return shuffle(e, left, right, order);
}

/// A square of elements as rows. Each step is one instruction on two registers; LLVM makes many more of a general
/// transposition.
static Emitter::Values transposeSquare(Emitter &e, ArrayRef<Value> rows) {
  // [column within a part][four rows]: lane by lane of the parts, those columns of the four rows.
  SmallVector<Emitter::Values> columns(kPartLanes);
  for (size_t first = 0; first < rows.size(); first += kPartLanes)
    for (int64_t half : {0, 1}) {
      Value upper = interleave(e, rows[first], rows[first + 1], 1, half);
      Value lower = interleave(e, rows[first + 2], rows[first + 3], 1, half);
      columns[2 * half].push_back(interleave(e, upper, lower, 2, 0));
      columns[2 * half + 1].push_back(interleave(e, upper, lower, 2, 1));
    }
  Emitter::Values result(rows.size());
  for (size_t column = 0; column < kPartLanes; ++column)
    for (auto [part, value] : llvm::enumerate(transposeParts(e, columns[column])))
      result[part * kPartLanes + column] = value;
  return result;
}

void Emitter::transposeRows(Value source, ValueRange at, Value row, Value rows, Value columns, Value target) {
  std::optional<int64_t> known = getConstantIntValue(rows);
  this->columns(columns, lanes, [&](Value column, Lanes inColumns) {
    Values square;
    for (int64_t r = 0; r < lanes; ++r) {
      if (known && r >= *known) {
        square.push_back(splat(0.0, lanes));
        continue;
      }
      Lanes mask = inColumns;
      if (!known) {
        Value size = builder.createOrFold<arith::SelectOp>(loc, less(index(r), rows), sub(columns, column), index(0));
        mask = lanesBefore(size, lanes);
      }
      Values place(at);
      place[place.size() - 2] = add(place[place.size() - 2], add(row, r));
      place.back() = add(place.back(), column);
      square.push_back(load(source, place, mask));
    }
    auto type = cast<MemRefType>(target.getType());
    for (auto [c, value] : llvm::enumerate(transposeSquare(*this, square))) {
      Values place{add(column, static_cast<int64_t>(c)), row};
      if (type.getRank() == 3) {
        Value panel = div(row, index(type.getDimSize(2)));
        place = {panel, place[0], sub(row, mul(panel, type.getDimSize(2)))};
      }
      store(value, target, place, {lanes, Value()});
    }
  });
}

void Emitter::transpose(Value source, ValueRange at, Value rows, Value columns, Value target) {
  std::optional<int64_t> known = getConstantIntValue(rows);
  Value whole = mul(div(rows, index(lanes)), lanes);
  loop(index(0), whole, lanes, [&](Value row) { transposeRows(source, at, row, index(lanes), columns, target); });
  loop(whole, rows, lanes, [&](Value row) {
    transposeRows(source, at, row, known ? index(*known % lanes) : sub(rows, row), columns, target);
  });
}

} // namespace bambac::codegen
