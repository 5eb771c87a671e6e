// linear: a panel of outputs at a time, a tile of rows in registers.
//
// A short input reads each panel once, in one stream over the whole depth: memory sets the speed. A tall input reads it
// once for every row tile, so that it is cut along the depth into blocks that stay in cache, and bf16 or f16 is
// converted once a block; sums wait in the result between blocks. Codes with scales are sums of each group of columns,
// multiplied by the scales of the group.
#include "codegen/cpu/emit/Codes.h"
#include "codegen/cpu/emit/LinearOperands.h"
#include "codegen/cpu/emit/Ops.h"
#include "codegen/cpu/emit/PairCodes.h"
#include "codegen/cpu/emit/RegisterTile.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace bambac::codegen {
namespace {

class LinearEmitter : LinearOperands {
public:
  LinearEmitter(Emitter &emitter, LinearOp op, LinearOp::Adaptor buffers)
      : LinearOperands(emitter, op, buffers), isBf16(weightType.isBF16()),
        isNarrow(weightType.getIntOrFloatBitWidth() < 32) {
    rowTile = e.getSchedule() ? std::max<int64_t>(e.getSchedule().getRows(), 1) : 1;
    block = getBlock();
    rows = wholeTiles(rowTile);
  }

  void emit() {
    Value columns = e.dim(out, 1);
    e.columns(columns, panelWidth, [&](Value column, Lanes lanes) {
      Value panel = e.div(column, e.index(panelWidth));
      std::optional<int64_t> rowCount = getConstantIntValue(e.dim(out, 0));
      if (rowCount && *rowCount <= rowTile)
        emitShort(panel, column, lanes);
      else
        emitTall(panel, column, lanes);
    });
  }

private:
  /// Sums of the products from column `begin` to `end` of the input.
  SmallVector<Value> sumProducts(Value panel, Value row, ArrayRef<Value> start, Value begin, Value end) {
    return accumulateParts(e, start, begin, end, [&](MutableArrayRef<Value> sums, Value depth) {
      addProducts(e, sums, depth,
                  {[&](int64_t r, Value k) { return e.load(input, {e.add(row, r), k}); },
                   [&](Value k) { return loadSplit(panel, k); }});
    });
  }

  /// All of the depth at once.
  void emitShort(Value panel, Value column, Lanes lanes) {
    Value start = getStart(column, lanes);
    e.rowTiles(e.index(0), rows, rowTile, [&](Value row, int64_t count) {
      SmallVector<Value> sums =
          isScaled() ? sumGroups(panel, row, column, lanes, SmallVector<Value>(count, start))
                     : sumProducts(panel, row, SmallVector<Value>(count, split(start)), e.index(0), e.index(depth));
      for (auto [r, sum] : llvm::enumerate(sums))
        e.store(join(sum), out, {e.add(row, r), column}, lanes);
    });
  }

  /// `start` and the sums of each group with its scales.
  SmallVector<Value> sumGroups(Value panel, Value row, Value column, Lanes lanes, ArrayRef<Value> start) {
    return sumInTree(e, start, e.index(0), e.index(countGroups(depth)), countGroups(depth),
                     [&](MutableArrayRef<Value> totals, Value number) {
                       Value first = e.mul(number, group), end = e.add(first, e.partSize(e.index(depth), first, group));
                       SmallVector<Value> zeros(totals.size(), e.splat(0.0, lanes.width));
                       addScaled(totals, sumProducts(panel, row, zeros, first, end), row, number, column, lanes);
                     });
  }

  /// Adds the sums of group `number` times its scales.
  void addScaled(MutableArrayRef<Value> totals, ArrayRef<Value> sums, Value row, Value number, Value column,
                 Lanes lanes) {
    for (auto [r, total] : llvm::enumerate(totals))
      total = e.fma(sums[r], getScale(e.add(row, r), number, column, lanes, kHalfOfCode), total);
  }

  /// The weights of a panel at a depth; in bf16, those of even columns before those of odd ones. A pair of bf16 is a
  /// 32-bit number whose halves are f32 after a shift or a mask, half the work of widening each.
  Value loadSplit(Value panel, Value k) {
    OpBuilder &b = e.getBuilder();
    Location loc = e.getLoc();
    prefetch(e.add(e.add(e.mul(panel, depth), k), linesAhead(panelWidth)), panelWidth);
    if (isScaled())
      return loadCodes(panel, k);
    if (!isBf16)
      return e.load(weight, {panel, k, e.index(0)}, {panelWidth, Value()});
    auto stored = VectorType::get(panelWidth, b.getBF16Type());
    auto pairs = VectorType::get(panelWidth / 2, b.getI32Type()), halves = pairs.clone(b.getF32Type());
    auto constant = [&](int32_t value) {
      return arith::ConstantOp::create(b, loc, DenseElementsAttr::get(pairs, value));
    };
    Value loaded = vector::LoadOp::create(b, loc, stored, weight, ValueRange{panel, k, e.index(0)});
    Value packed = vector::BitCastOp::create(b, loc, pairs, loaded);
    Value even = arith::ShLIOp::create(b, loc, packed, constant(16));
    Value odd = arith::AndIOp::create(b, loc, packed, constant(static_cast<int32_t>(0xFFFF0000)));
    return vector::ShuffleOp::create(b, loc, vector::BitCastOp::create(b, loc, halves, even),
                                     vector::BitCastOp::create(b, loc, halves, odd),
                                     llvm::to_vector(llvm::seq<int64_t>(0, panelWidth)));
  }

  /// The codes of a panel at a depth, divided by kHalfOfCode. None is NaN: the loader refuses those.
  Value loadCodes(Value panel, Value k) {
    auto stored = VectorType::get(panelWidth, getElementTypeOrSelf(weight.getType()));
    return halfOfCodes(
        e, vector::LoadOp::create(e.getBuilder(), e.getLoc(), stored, weight, ValueRange{panel, k, e.index(0)}));
  }

  /// Columns in the order of loadSplit.
  Value split(Value columns) {
    return permute(columns, [&](int64_t i) { return i < panelWidth / 2 ? 2 * i : 2 * i - panelWidth + 1; });
  }

  /// Columns of loadSplit in their own order.
  Value join(Value columns) {
    return permute(columns, [&](int64_t i) { return i / 2 + i % 2 * (panelWidth / 2); });
  }

  Value permute(Value columns, llvm::function_ref<int64_t(int64_t)> getSource) {
    if (!isBf16)
      return columns;
    SmallVector<int64_t> order = llvm::map_to_vector(llvm::seq<int64_t>(0, panelWidth), getSource);
    return vector::ShuffleOp::create(e.getBuilder(), e.getLoc(), columns, columns, order);
  }

  Value loadWide(Value panel, Value k) {
    return isScaled() ? loadCodes(panel, k) : e.load(weight, {panel, k, e.index(0)}, {panelWidth, Value()});
  }

  /// Block by block of the depth, with the sums in the result. A block has whole groups of scales.
  void emitTall(Value panel, Value column, Lanes lanes) {
    bool scalesLast = isScaled() && !hasGroups();
    Value start = scalesLast ? e.splat(0.0, lanes.width) : getStart(column, lanes);
    e.loop(rows, [&](Value row) { e.store(start, out, {row, column}, lanes); });
    Value converted = isNarrow ? e.scratch({block, panelWidth}) : Value();
    e.loop(e.index(0), e.index(depth), block, [&](Value first) {
      Value size = e.partSize(e.index(depth), first, block);
      if (isNarrow)
        e.loop(size, [&](Value k) {
          e.store(loadWide(panel, e.add(first, k)), converted, {k, e.index(0)}, {panelWidth, Value()});
        });
      auto getWeights = [&](Value k) {
        return isNarrow ? e.load(converted, {k, e.index(0)}, {panelWidth, Value()})
                        : e.load(weight, {panel, e.add(first, k), e.index(0)}, {panelWidth, Value()});
      };
      e.rowTiles(e.index(0), rows, rowTile,
                 [&](Value row, int64_t count) { addBlock(row, count, first, size, column, lanes, getWeights); });
    });
    if (!scalesLast)
      return;
    Value none = getStart(column, lanes);
    e.loop(rows, [&](Value row) {
      Value sum = e.load(out, {row, column}, lanes);
      e.store(e.fma(sum, getScale(row, e.index(0), column, lanes, kHalfOfCode), none), out, {row, column}, lanes);
    });
  }

  /// Adds the products of a block to the result, which has the sums of those before it. A block is summed by itself:
  /// errors of rounding would grow with the depth.
  void addBlock(Value row, int64_t count, Value first, Value size, Value column, Lanes lanes,
                llvm::function_ref<Value(Value)> getWeights) {
    SmallVector<Value> zeros(count, e.splat(0.0, lanes.width));
    auto sum = [&](Value begin, Value columns) {
      Value from = e.add(first, begin);
      return accumulate(e, zeros, e.index(0), columns,
                        {[&](int64_t r, Value k) { return e.load(input, {e.add(row, r), e.add(from, k)}); },
                         [&](Value k) { return getWeights(e.add(begin, k)); }});
    };
    SmallVector<Value> sums;
    if (hasGroups()) {
      Value firstGroup = e.div(first, e.index(group)), groups = e.div(e.add(size, group - 1), e.index(group));
      sums =
          sumInTree(e, zeros, e.index(0), groups, countGroups(block), [&](MutableArrayRef<Value> totals, Value number) {
            Value begin = e.mul(number, group), columns = e.partSize(e.index(depth), e.add(first, begin), group);
            addScaled(totals, sum(begin, columns), row, e.add(firstGroup, number), column, lanes);
          });
    } else {
      sums = sum(e.index(0), size);
    }
    for (auto [r, sum] : llvm::enumerate(sums))
      e.store(e.addf(sum, e.load(out, {e.add(row, r), column}, lanes)), out, {e.add(row, r), column}, lanes);
  }

  bool isBf16, isNarrow; ///< narrow: widened when it is loaded
  int64_t rowTile = 1, block = 0;
};

/// Rows whose sums are in vector registers at most.
constexpr int64_t kMostRowsOfStream = 14;

/// Panels of groups of columns.
LogicalResult emitPairs(Emitter &emitter, LinearOp op, LinearOp::Adaptor buffers) {
  auto target = op->getParentOfType<ModuleOp>()->getAttrOfType<CpuTargetAttr>(attr::kTarget);
  bool inTiles = target && target.multipliesTiles();
  if (!inTiles && !(target && target.multipliesPairs() && op.isScaled()))
    return op.emitOpError() << "expected a target that multiplies pairs of bf16 (AMX, or AVX512-BF16 for codes) for a "
                               "weight in groups of columns";
  auto weight = op.getWeight().getType();
  if (weight.getDimSize(2) != kCodePairs || weight.getDimSize(3) != 2)
    return op.emitOpError() << "expected a weight in panels of " << kCodePairs << " with groups of 2 columns, found "
                            << weight;
  if (TermsAttr terms = op.getTermsAttr(); terms && terms.getRun() != kTileColumns)
    return op.emitOpError() << "expected terms in runs of " << kTileColumns << " for tile registers, found " << terms;
  std::optional<int64_t> rows = getConstantIntValue(emitter.dim(buffers.getInit(), 0));
  Type input = getElementTypeOrSelf(op.getInput().getType());
  bool isFew = rows && *rows <= kMostRowsOfStream, isWide = input.isF32() && !op.isScaled();
  if (!input.isBF16() && !(isWide && isFew))
    return op.emitOpError() << "expected an input of bf16, codes or terms, for tile registers, found "
                            << op.getInput().getType();
  if (!inTiles)
    emitPairDots(emitter, op, buffers);
  else if (isWide)
    emitPairStream(emitter, op, buffers);
  else
    emitPairTiles(emitter, op, buffers);
  return success();
}

} // namespace

LogicalResult emitOp(Emitter &emitter, LinearOp op, LinearOp::Adaptor buffers) {
  int64_t rank = op.getWeight().getType().getRank();
  if (rank < 3)
    return op.emitOpError() << "expected a weight in panels, found one without the encoding #bamba.panel";
  if (!getElementTypeOrSelf(op.getInit().getType()).isF32())
    return op.emitOpError() << "expected an f32 result, found " << op.getInit().getType();
  if (rank == 4)
    return emitPairs(emitter, op, buffers);
  if (op.getTermsAttr())
    return op.emitOpError() << "expected a weight in groups of columns for an input of terms, found "
                            << op.getWeight().getType();
  LinearEmitter(emitter, op, buffers).emit();
  return success();
}

} // namespace bambac::codegen
