// linear of several rows on panels of pairs of columns: products of tiles of 16 rows, 32 columns and 16 outputs.
//
// The depth is cut into blocks. Of each block the input is written out as tiles of bf16, once for all outputs of the
// workgroup: codes as they are, f32 as the sum of three bf16. Weights in bf16 are tiles already; codes are written out.
// Two by two tiles of sums are in registers over a block, then they are added to the result. A block has whole groups
// of codes, whose sums are added up with their scales before.
#include "codegen/cpu/emit/LinearOperands.h"
#include "codegen/cpu/emit/PairCodes.h"
#include "codegen/cpu/emit/RegisterTile.h"
#include "mlir/Dialect/AMX/AMXDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace bambac::codegen {
namespace {

/// Rows and pairs of columns of a tile register, and the columns of both its operands.
constexpr int64_t kTileRows = 16, kTileColumns = 2 * kTileRows;
/// Tiles of sums one below the other and side by side: with one of the input and a panel's two, seven registers.
constexpr int64_t kHighTiles = 2, kWideTiles = 2;
constexpr int64_t kHighRows = kHighTiles * kTileRows;
/// Numbers of bf16, of 8 bits each, whose sum is an f32. Two would be off by up to 2^-17 of it.
constexpr int64_t kTermsOfF32 = 3;
/// Panels whose weights are multiplied with an input once it is written out.
constexpr int64_t kMostPanels = 16;
/// Columns that are summed one after the other, so that errors of rounding do not grow with the depth.
constexpr int64_t kLongestSum = 2048;
/// Blocks of groups at most, for the same reason: their sums are added up in the result one after the other.
constexpr int64_t kMostBlocks = 32;

class PairTilesEmitter : LinearOperands {
public:
  PairTilesEmitter(Emitter &emitter, LinearOp op, LinearOp::Adaptor buffers)
      : LinearOperands(emitter, op, buffers), b(e.getBuilder()), loc(e.getLoc()) {
    CpuScheduleAttr schedule = e.getSchedule();
    int64_t wantedRows = schedule ? schedule.getRows() : 0, wantedDepth = schedule ? schedule.getDepth() : 0;
    rowBlock = llvm::alignTo(std::max<int64_t>(wantedRows, 1), kHighRows);
    if (wantedDepth <= 0)
      wantedDepth = kLongestSum;
    block = llvm::alignTo(std::min({wantedDepth, kLongestSum, depth}), kTileColumns);
    terms = isScaled() ? 1 : kTermsOfF32;
    int64_t tilesDeep = block / kTileColumns;
    if (hasGroups()) {
      // A group that starts at an odd column shares a pair with the one before.
      tilesOfGroup = llvm::divideCeil(startsOdd() ? group + 1 : group, kTileColumns);
      groupsOfBlock = std::max(tilesDeep / tilesOfGroup, llvm::divideCeilSigned(countGroups(depth), kMostBlocks));
      block = groupsOfBlock * group;
      tilesDeep = groupsOfBlock * tilesOfGroup;
      totals = e.scratch({countLevels(groupsOfBlock), kHighRows, panelWidth});
    }
    Type bf16 = b.getBF16Type();
    inputTiles = e.scratch({rowBlock / kTileRows, tilesDeep, terms, kTileRows, kTileColumns}, bf16);
    sumTiles = e.scratch({kHighRows, panelWidth});
    std::optional<int64_t> knownRows = getConstantIntValue(e.dim(out, 0)),
                           knownColumns = getConstantIntValue(e.dim(out, 1));
    isOneTileHigh = knownRows && *knownRows <= kHighRows;
    panelsHeld = knownColumns ? std::min(llvm::divideCeilSigned(*knownColumns, panelWidth), kMostPanels) : kMostPanels;
    // Very small groups fill little of their tiles, and take more of them.
    panelsHeld = std::clamp<int64_t>(kMostPanels * kLongestSum / kTileColumns / tilesDeep, 1, panelsHeld);
    if (isScaled())
      weightTiles = e.scratch({isOneTileHigh ? 1 : panelsHeld, tilesDeep * kTileRows, 2 * panelWidth}, bf16);
    lines = memref::CollapseShapeOp::create(b, loc, weight, ArrayRef<ReassociationIndices>{{0}, {1}, {2, 3}});
    linesOfPanel = cast<MemRefType>(weight.getType()).getDimSize(1);
  }

  void emit() {
    storeStart();
    e.loop(e.index(0), e.dim(out, 1), panelsHeld * panelWidth, [&](Value firstColumn) {
      Value width = e.partSize(e.dim(out, 1), firstColumn, panelsHeld * panelWidth);
      e.loop(e.index(0), e.index(depth), block, [&](Value first) { multiplyBlock(first, firstColumn, width); });
    });
  }

private:
  /// Columns of the input whose products are summed in tiles: a block, or a group of one.
  struct Part {
    Value first, size;
    Value skipped; ///< 1 where the first column is the second of a pair
    Value line;    ///< the pair of the first column
    Value tiles;
    Value place; ///< of its first tile among those of the block
  };

  /// Sums of up to two by two tiles.
  struct Target {
    Value firstRow, count; ///< of the result
    Value tileRow;         ///< the first row within the rows that are written out
    Value column, heldColumn;
    Lanes lanes;
    int64_t high; ///< in tiles
  };

  bool startsOdd() const { return hasGroups() && group % 2 != 0; }

  Part getPart(Value first, Value place, int64_t most) {
    Part at;
    at.first = first;
    at.size = e.partSize(e.index(depth), first, most);
    at.skipped = startsOdd() ? b.createOrFold<arith::RemUIOp>(loc, first, e.index(2)) : e.index(0);
    at.line = e.div(first, e.index(2));
    at.tiles = e.div(e.add(e.add(at.size, at.skipped), kTileColumns - 1), e.index(kTileColumns));
    at.place = place;
    return at;
  }

  /// Group `number` of the block from column `first` on.
  Part getGroup(Value first, Value number) {
    return getPart(e.add(first, e.mul(number, group)), e.mul(number, tilesOfGroup), group);
  }

  /// How many groups the block from column `first` on has.
  Value countGroupsFrom(Value first) {
    return e.div(e.add(e.partSize(e.index(depth), first, block), group - 1), e.index(group));
  }

  void forEachPart(Value first, llvm::function_ref<void(Part)> body) {
    if (hasGroups())
      e.loop(countGroupsFrom(first), [&](Value number) { body(getGroup(first, number)); });
    else
      body(getPart(first, e.index(0), block));
  }

  void storeStart() {
    e.columns(e.dim(out, 1), panelWidth, [&](Value column, Lanes lanes) {
      Value start = getStart(column, lanes);
      e.loop(rows, [&](Value row) { e.store(start, out, {row, column}, lanes); });
    });
  }

  //===-- input --------------------------------------------------------------------------------------------------===//

  /// Numbers with the bits that bf16 has: a bf16, and what is left of a number is exact. Three of them have the 24 bits
  /// of an f32.
  Value keepHighBits(Value numbers) {
    auto floats = cast<VectorType>(numbers.getType()), words = floats.clone(b.getI32Type());
    Value mask = arith::ConstantOp::create(
        b, loc, DenseElementsAttr::get(words, b.getI32IntegerAttr(static_cast<int32_t>(0xFFFF0000))));
    Value bits = vector::BitCastOp::create(b, loc, words, numbers);
    return vector::BitCastOp::create(b, loc, floats, arith::AndIOp::create(b, loc, bits, mask).getResult());
  }

  /// What is left of a number without its high bits. Of an infinity it is nothing: a difference would be a NaN, which
  /// the sum of terms is not.
  Value subtractHighBits(Value number, Value high) {
    Value isHigh = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OEQ, number, high);
    return e.select(isHigh, e.constantLike(number, 0.0), e.subf(number, high));
  }

  /// The high halves of numbers, as one line of a tile. For what bf16 holds, that is all of a number, and takes one
  /// instruction where conversions take five.
  void storeTerm(Value numbers, ValueRange at) {
    auto halves = VectorType::get(2 * kTileColumns, b.getI16Type());
    auto isHigh = llvm::map_to_vector(llvm::seq<int64_t>(0, kTileColumns), [](int64_t i) { return 2 * i + 1; });
    Value bits = vector::BitCastOp::create(b, loc, halves, numbers);
    Value high = vector::ShuffleOp::create(b, loc, bits, bits, isHigh);
    Value term = vector::BitCastOp::create(b, loc, VectorType::get(kTileColumns, b.getBF16Type()), high);
    vector::StoreOp::create(b, loc, term, inputTiles, at);
  }

  /// A line of a tile for each term of some numbers.
  void storeTerms(Value numbers, Value tile, Value deep, Value inTile) {
    auto placeOf = [&](int64_t term) { return SmallVector<Value>{tile, deep, e.index(term), inTile, e.index(0)}; };
    if (terms == 1) // codes
      return e.store(numbers, inputTiles, placeOf(0), {kTileColumns, Value()});
    for (int64_t term = 0; term < terms; ++term) {
      storeTerm(numbers, placeOf(term));
      if (term + 1 == terms)
        return;
      // What is left of an infinity is finite after the first time.
      Value high = keepHighBits(numbers);
      numbers = term == 0 ? subtractHighBits(numbers, high) : e.subf(numbers, high);
    }
  }

  /// The rows of a part as tiles, with zeros after its last column and before its first. Rows that there are not keep
  /// what was in them: their sums are not read.
  void fillInput(Part at, Value firstRow, Value count) {
    e.loop(count, [&](Value row) {
      Value tile = e.div(row, e.index(kTileRows)), inTile = e.sub(row, e.mul(tile, kTileRows));
      e.columns(e.add(at.size, at.skipped), kTileColumns, [&](Value column, Lanes lanes) {
        Value from = e.sub(e.add(at.first, column), at.skipped);
        Value number = e.load(input, {e.add(firstRow, row), from}, lanes);
        Value deep = e.add(at.place, e.div(column, e.index(kTileColumns)));
        storeTerms(number, tile, deep, inTile);
      });
      if (!startsOdd())
        return;
      Value isSkipped = e.less(e.index(0), at.skipped);
      Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(b.getBF16Type()));
      e.when(isSkipped, [&] {
        memref::StoreOp::create(b, loc, zero, inputTiles, ValueRange{tile, at.place, e.index(0), inTile, e.index(0)});
      });
    });
  }

  //===-- weights ------------------------------------------------------------------------------------------------===//

  /// The codes of a panel and a part as pairs, the panel that is held as number `held`. Beyond the part are other
  /// codes: the input has zeros there.
  void fillWeights(Part at, Value panel, Value held) {
    Value half = e.mul(at.tiles, kTileRows / 2), place = e.mul(at.place, kTileRows);
    e.loop(half, [&](Value number) {
      // From two places at a time, which gives more bandwidth than one.
      for (Value line : {number, e.add(number, half)}) {
        Value from = e.min(e.add(at.line, line), e.index(linesOfPanel - 1));
        prefetch(e.add(e.add(e.mul(panel, linesOfPanel), from), linesAhead(2 * panelWidth)), 2 * panelWidth);
        Value codes = vector::LoadOp::create(b, loc, VectorType::get(2 * panelWidth, weightType), lines,
                                             ValueRange{panel, from, e.index(0)});
        auto [first, second] = decodePairs(e, codes);
        Value to = e.add(place, line);
        vector::StoreOp::create(b, loc, first, weightTiles, ValueRange{held, to, e.index(0)});
        vector::StoreOp::create(b, loc, second, weightTiles, ValueRange{held, to, e.index(panelWidth)});
      }
    });
  }

  /// Weights in bf16 come from memory, whose speed is that of a few rows. Codes are asked for by fillWeights().
  void prefetchWeights(Part at, Value panel, Value deep) {
    if (isScaled())
      return;
    Value line = e.add(e.add(e.mul(panel, linesOfPanel), at.line), e.mul(deep, kTileRows));
    for (int64_t number = 0; number < kTileRows; ++number)
      prefetch(e.add(line, number + linesAhead(2 * panelWidth)), 2 * panelWidth);
  }

  /// A tile of the panel's weights, `number` of two, at a depth of so many tiles.
  Value loadWeights(Part at, Value panel, Value held, Value deep, int64_t number) {
    auto type = amx::TileType::get({kTileRows, kTileColumns}, b.getBF16Type());
    Value line = e.mul(deep, kTileRows), column = e.index(number * kTileColumns);
    if (isScaled()) {
      Value from = e.add(e.mul(at.place, kTileRows), line);
      return amx::TileLoadOp::create(b, loc, type, weightTiles, ValueRange{held, from, column});
    }
    return amx::TileLoadOp::create(b, loc, type, lines, ValueRange{panel, e.add(at.line, line), column});
  }

  //===-- products -----------------------------------------------------------------------------------------------===//

  /// Adds the products of a block to `width` columns of the result. A tile of rows of the input stays in the level-1
  /// cache for all of them.
  void multiplyBlock(Value first, Value firstColumn, Value width) {
    if (isScaled() && !isOneTileHigh)
      forEachPart(first, [&](Part at) {
        e.loop(e.div(e.add(width, panelWidth - 1), e.index(panelWidth)),
               [&](Value held) { fillWeights(at, e.add(e.div(firstColumn, e.index(panelWidth)), held), held); });
      });
    e.loop(e.index(0), rows, rowBlock, [&](Value firstRow) {
      Value count = e.partSize(rows, firstRow, rowBlock);
      forEachPart(first, [&](Part at) { fillInput(at, firstRow, count); });
      // What is left is at most one tile high where that is known.
      std::optional<int64_t> known = getConstantIntValue(count);
      int64_t left = known ? *known % kHighRows : 0;
      Value whole = left > 0 && left <= kTileRows ? e.sub(count, e.index(left)) : count;
      auto multiply = [&](Value row, int64_t high) {
        Value there = e.min(e.sub(count, row), e.index(high * kTileRows));
        e.columns(width, panelWidth, [&](Value column, Lanes lanes) {
          multiplyToResult(first, {e.add(firstRow, row), there, row, e.add(firstColumn, column), column, lanes, high});
        });
      };
      e.loop(e.index(0), whole, kHighRows, [&](Value row) { multiply(row, kHighTiles); });
      if (whole != count)
        multiply(whole, 1);
    });
  }

  /// Adds the sums of the block from column `first` on to the result.
  void multiplyToResult(Value first, const Target &to) {
    if (hasGroups())
      sumGroups(first, to, e.index(0), countGroupsFrom(first), groupsOfBlock, /*level=*/0);
    else
      multiplyTiles(getPart(first, e.index(0), block), to);
    e.loop(to.count, [&](Value r) {
      Value row = e.add(to.firstRow, r), before = e.load(out, {row, to.column}, to.lanes);
      Value sum = hasGroups() ? loadTotal(0, r) : e.load(sumTiles, {r, e.index(0)}, {panelWidth, Value()});
      sum = isScaled() && !hasGroups()
                ? e.fma(orderPairs(e, sum), getScale(row, e.index(0), to.column, to.lanes), before)
                : e.addf(sum, before);
      e.store(sum, out, {row, to.column}, to.lanes);
    });
  }

  /// How deep the tree of so many groups is.
  static int64_t countLevels(int64_t groups) {
    int64_t part = partOfTree(groups);
    return part == 1 ? 1 : 1 + countLevels(part);
  }

  Value loadTotal(int64_t level, Value r) {
    return e.load(totals, {e.index(level), r, e.index(0)}, {panelWidth, Value()});
  }

  void storeTotal(Value total, int64_t level, Value r) {
    e.store(total, totals, {e.index(level), r, e.index(0)}, {panelWidth, Value()});
  }

  /// The sums of groups `begin` to `end`, of which there are at most `most`, with their scales, to the totals of a
  /// level: the tree of sumInTree(), in memory.
  void sumGroups(Value first, const Target &to, Value begin, Value end, int64_t most, int64_t level) {
    int64_t part = partOfTree(most);
    e.loop(to.count, [&](Value r) { storeTotal(e.splat(0.0, panelWidth), level, r); });
    e.loop(begin, end, part, [&](Value number) {
      if (part == 1)
        return addGroup(first, to, number, level);
      sumGroups(first, to, number, e.min(e.add(number, part), end), part, level + 1);
      e.loop(to.count, [&](Value r) { storeTotal(e.addf(loadTotal(level, r), loadTotal(level + 1, r)), level, r); });
    });
  }

  void addGroup(Value first, const Target &to, Value number, int64_t level) {
    multiplyTiles(getGroup(first, number), to);
    Value ofScales = e.add(e.div(first, e.index(group)), number);
    e.loop(to.count, [&](Value r) {
      Value sum = orderPairs(e, e.load(sumTiles, {r, e.index(0)}, {panelWidth, Value()}));
      Value scale = getScale(e.add(to.firstRow, r), ofScales, to.column, to.lanes);
      storeTotal(e.fma(sum, scale, loadTotal(level, r)), level, r);
    });
  }

  /// The sums of a part, of some by two tiles, to `sumTiles`.
  void multiplyTiles(Part at, const Target &to) {
    int64_t high = to.high;
    Value panel = e.div(to.column, e.index(panelWidth)), held = e.div(to.heldColumn, e.index(panelWidth));
    if (isScaled() && isOneTileHigh)
      fillWeights(at, panel, held = e.index(0));
    auto sumType = amx::TileType::get({kTileRows, kTileRows}, b.getF32Type());
    auto inputType = amx::TileType::get({kTileRows, kTileColumns}, b.getBF16Type());
    SmallVector<Value> sums;
    for (int64_t number = 0; number < high * kWideTiles; ++number)
      sums.push_back(amx::TileZeroOp::create(b, loc, sumType));
    Value firstTile = e.div(to.tileRow, e.index(kTileRows));
    sums = e.loop(e.index(0), at.tiles, 1, sums, [&](Value deep, ValueRange values) {
      SmallVector<Value> next(values);
      prefetchWeights(at, panel, deep);
      Value weights[kWideTiles];
      for (int64_t wide = 0; wide < kWideTiles; ++wide)
        weights[wide] = loadWeights(at, panel, held, deep, wide);
      for (int64_t term = 0; term < terms; ++term)
        for (int64_t tile = 0; tile < high; ++tile) {
          Value numbers = amx::TileLoadOp::create(
              b, loc, inputType, inputTiles,
              ValueRange{e.add(firstTile, tile), e.add(at.place, deep), e.index(term), e.index(0), e.index(0)});
          for (int64_t wide = 0; wide < kWideTiles; ++wide) {
            Value &sum = next[tile * kWideTiles + wide];
            sum = amx::TileMulFOp::create(b, loc, sumType, numbers, weights[wide], sum);
          }
        }
      return next;
    });
    for (auto [number, sum] : llvm::enumerate(sums))
      amx::TileStoreOp::create(b, loc, sumTiles,
                               ValueRange{e.index(static_cast<int64_t>(number) / kWideTiles * kTileRows),
                                          e.index(static_cast<int64_t>(number) % kWideTiles * kTileRows)},
                               sum);
  }

  OpBuilder &b;
  Location loc;
  Value inputTiles, weightTiles, sumTiles, lines;
  Value totals; ///< with the scales of groups, a level of the tree of sums after the other
  int64_t rowBlock, block, terms, linesOfPanel;
  int64_t groupsOfBlock = 1, tilesOfGroup = 0;
  int64_t panelsHeld; ///< whose columns are multiplied together
  bool isOneTileHigh; ///< so that a panel of codes is used once
};

} // namespace

void emitPairTiles(Emitter &emitter, LinearOp op, LinearOp::Adaptor buffers) {
  PairTilesEmitter(emitter, op, buffers).emit();
}

} // namespace bambac::codegen
