// linear on panels of pairs of columns: products of tiles of 16 rows, or as many as there are, 32 columns and 16
// outputs.
//
// The depth is cut into blocks. All rows of a block are multiplied with one panel of weights after the other, while the
// next comes from memory. Tiles of the input, codes or terms in bf16, are read where they lie; they are copied first
// where rows or columns fill no tile. Two by two tiles of sums are in registers over a block, then they are added to
// the result. A block has whole groups of codes, whose sums are added up with their scales before.
#include "codegen/cpu/emit/PairCodes.h"
#include "codegen/cpu/emit/PairWeights.h"
#include "codegen/cpu/emit/RegisterTile.h"
#include "mlir/Dialect/AMX/AMXDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

namespace bambac::codegen {
namespace {

/// Tiles of sums one below the other: two by two, one of the input and a panel's two are seven registers.
constexpr int64_t kHighTiles = 2;
constexpr int64_t kHighRows = kHighTiles * kTileRows;
/// Columns that are summed one after the other, so that errors of rounding do not grow with the depth.
constexpr int64_t kLongestSum = 2048;

/// Rows of the input, where they are known.
std::optional<int64_t> countRows(Emitter &e, LinearOp::Adaptor buffers) {
  return getConstantIntValue(e.dim(buffers.getInput(), 0));
}

bool fitOneTile(std::optional<int64_t> rows) { return rows && *rows <= kTileRows; }

class PairTilesEmitter : PairWeights {
public:
  PairTilesEmitter(Emitter &emitter, LinearOp op, LinearOp::Adaptor buffers)
      : PairWeights(emitter, op, buffers, /*decodesAhead=*/op.isScaled() && fitOneTile(countRows(emitter, buffers))) {
    CpuScheduleAttr schedule = e.getSchedule();
    int64_t wantedRows = schedule ? schedule.getRows() : 0, wantedDepth = schedule ? schedule.getDepth() : 0;
    rowBlock = llvm::alignTo(std::max<int64_t>(wantedRows, 1), kHighRows);
    if (wantedDepth <= 0)
      wantedDepth = kLongestSum;
    block = llvm::alignTo(columnsOfBlock(std::min({wantedDepth, kLongestSum, depth})), kTileColumns);
    terms = op.getTermsAttr() ? op.getTermsAttr().getCount() : 1;
    std::optional<int64_t> rowsOfInput = countRows(emitter, buffers);
    tileRows = fitOneTile(rowsOfInput) ? *rowsOfInput : kTileRows;
    readsInput = rowsOfInput && !hasGroups() && (op.getTermsAttr() || depth % kTileColumns == 0);
    rowsLeft = readsInput ? *rowsOfInput % tileRows : decodesAhead ? tileRows : rowBlock;
    int64_t tilesDeep = block / kTileColumns;
    if (hasGroups()) {
      // A group that starts at an odd column shares a pair with the one before.
      tilesOfGroup = llvm::divideCeil(startsOdd() ? group + 1 : group, kTileColumns);
      groupsInBlock = groupsOfBlock(tilesDeep / tilesOfGroup);
      block = groupsInBlock * group;
      tilesDeep = groupsInBlock * tilesOfGroup;
      totals = e.scratch({countLevels(groupsInBlock), kHighRows, panelWidth});
    }
    Type bf16 = b.getBF16Type();
    if (rowsLeft > 0)
      inputTiles =
          e.scratch({llvm::divideCeilSigned(rowsLeft, kTileRows), tilesDeep, terms, kTileRows, kTileColumns}, bf16);
    sumTiles = e.scratch({kHighRows, panelWidth});
    allocate(tilesDeep);
  }

  void emit() {
    storeStart();
    e.loop(e.index(0), e.index(depth), block, [&](Value first) {
      e.loop(e.index(0), rows, rowBlock, [&](Value firstRow) { multiplyBlock(first, firstRow); });
    });
  }

private:
  /// Sums of up to two by two tiles.
  struct Target {
    Value firstRow, count; ///< of the result
    Value tileRow;         ///< the first row within the rows that are copied; null where tiles are read from the input
    Value column;
    Lanes lanes;
    int64_t high; ///< in tiles
    Value asked;  ///< the line of weights from which on to ask for more
    Value linesAsked;
  };

  bool startsOdd() const { return hasGroups() && group % 2 != 0; }

  PairPart getPart(Value first, Value place, int64_t most) {
    PairPart at;
    at.first = first;
    at.size = e.partSize(e.index(depth), first, most);
    at.skipped = startsOdd() ? b.createOrFold<arith::RemUIOp>(loc, first, e.index(2)) : e.index(0);
    at.line = e.div(first, e.index(2));
    at.tiles = e.div(e.add(e.add(at.size, at.skipped), kTileColumns - 1), e.index(kTileColumns));
    at.place = place;
    return at;
  }

  /// Group `number` of the block from column `first` on.
  PairPart getGroup(Value first, Value number) {
    return getPart(e.add(first, e.mul(number, group)), e.mul(number, tilesOfGroup), group);
  }

  /// How many groups the block from column `first` on has.
  Value countGroupsFrom(Value first) {
    return e.div(e.add(e.partSize(e.index(depth), first, block), group - 1), e.index(group));
  }

  void forEachPart(Value first, llvm::function_ref<void(PairPart)> body) {
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

  /// Copies rows of a part as tiles, with zeros after its last column and before its first. Rows that there are not
  /// keep what was in them: their sums are not read.
  void fillInput(PairPart at, Value firstRow, Value count) {
    // Terms fill tiles.
    Value width = terms > 1 ? e.mul(at.tiles, terms * kTileColumns) : e.add(at.size, at.skipped);
    Value first = e.sub(e.mul(at.first, terms), at.skipped);
    e.loop(count, [&](Value row) {
      Value tile = e.div(row, e.index(kTileRows)), inTile = e.sub(row, e.mul(tile, kTileRows));
      e.columns(width, kTileColumns, [&](Value column, Lanes lanes) {
        Value number = e.div(column, e.index(kTileColumns)), deep = e.div(number, e.index(terms));
        Value term = e.sub(number, e.mul(deep, terms));
        e.store(e.load(input, {e.add(firstRow, row), e.add(first, column)}, lanes), inputTiles,
                {tile, e.add(at.place, deep), term, inTile, e.index(0)}, {kTileColumns, Value()});
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

  /// A tile of a term of the input, `number` of those one below the other.
  Value loadInput(PairPart at, const Target &to, Value deep, int64_t term, int64_t number) {
    auto type = amx::TileType::get({tileRows, kTileColumns}, b.getBF16Type());
    if (to.tileRow)
      return amx::TileLoadOp::create(b, loc, type, inputTiles,
                                     ValueRange{e.add(e.div(to.tileRow, e.index(kTileRows)), number),
                                                e.add(at.place, deep), e.index(term), e.index(0), e.index(0)});
    Value column = e.add(e.mul(at.first, terms), e.add(e.mul(deep, terms * kTileColumns), term * kTileColumns));
    return amx::TileLoadOp::create(b, loc, type, input, ValueRange{e.add(to.firstRow, number * kTileRows), column});
  }

  Value panelOf(Value column) { return e.div(column, e.index(panelWidth)); }

  /// The weights that `count` rows ask for while they are multiplied with a panel, two tiles of rows after the other:
  /// so many lines at each depth of a tile. All rows together ask for what is needed next; where there are no more than
  /// two tiles, they ask for what they need a little later themselves.
  struct Ahead {
    Value line, lines;
  };

  Ahead getAhead(Value first, Value column, Value count) {
    Value own = e.add(e.mul(panelOf(column), linesOfPanel), e.div(first, e.index(2)));
    // The next panel's of the block, or the first panel's of the next block.
    Value isLast = e.less(e.add(e.dim(out, 1), -1), e.add(column, panelWidth));
    Value next = e.select(isLast, e.div(e.add(first, block), e.index(2)), e.add(own, linesOfPanel));
    Value rounds = e.div(e.add(count, kHighRows - 1), e.index(kHighRows)), isOnly = e.less(rounds, e.index(2));
    return {e.select(isOnly, e.add(own, linesAhead(2 * panelWidth)), next),
            e.div(e.add(rounds, kTileRows - 1), rounds)};
  }

  void prefetchWeights(const Target &to, Value deep) {
    Value line = e.add(to.asked, e.mul(deep, to.linesAsked));
    e.loop(to.linesAsked, [&](Value number) { prefetch(e.add(line, number), 2 * panelWidth); });
  }

  //===-- products -----------------------------------------------------------------------------------------------===//

  /// Adds the products of a block of some rows to the result.
  void multiplyBlock(Value first, Value firstRow) {
    Value count = e.partSize(rows, firstRow, rowBlock);
    // Rows in tiles that may be read from the input, then those that are copied.
    Value end = readsInput ? e.sub(e.dim(input, 0), e.add(firstRow, rowsLeft)) : e.index(0), read = e.min(count, end);
    if (rowsLeft > 0)
      forEachPart(first, [&](PairPart at) { fillInput(at, e.add(firstRow, read), e.sub(count, read)); });
    e.columns(e.dim(out, 1), panelWidth, [&](Value column, Lanes lanes) {
      if (isScaled() && !decodesAhead)
        forEachPart(first, [&](PairPart at) { decodeAll(at, panelOf(column)); });
      Ahead ahead = getAhead(first, column, count);
      auto multiply = [&](Value row, int64_t high, bool isCopied) {
        Value there = e.min(e.sub(count, row), e.index(high * kTileRows));
        Value before = e.mul(e.div(row, e.index(kHighRows)), e.mul(ahead.lines, block / kTileColumns));
        multiplyToResult(first, {e.add(firstRow, row), there, isCopied ? e.sub(row, read) : Value(), column, lanes,
                                 high, e.add(ahead.line, before), ahead.lines});
      };
      if (decodesAhead)
        return multiply(e.index(0), 1, /*isCopied=*/!readsInput);
      forEachTile(e.index(0), read, [&](Value row, int64_t high) { multiply(row, high, /*isCopied=*/false); });
      if (!readsInput)
        forEachTile(read, count, [&](Value row, int64_t high) { multiply(row, high, /*isCopied=*/true); });
      else if (rowsLeft > 0)
        e.when(e.less(read, count), [&] { multiply(read, 1, /*isCopied=*/true); });
    });
  }

  /// Calls `multiply(row, high)` for rows `begin` to `end`, in twos of tiles, the last of which may be one.
  void forEachTile(Value begin, Value end, llvm::function_ref<void(Value, int64_t)> multiply) {
    Value left = b.createOrFold<arith::RemUIOp>(loc, e.sub(end, begin), e.index(kHighRows));
    Value isLow = b.createOrFold<arith::AndIOp>(loc, e.less(e.index(0), left), e.less(left, e.index(kTileRows + 1)));
    Value high = e.select(isLow, e.sub(end, left), end);
    e.loop(begin, high, kHighRows, [&](Value row) { multiply(row, kHighTiles); });
    e.when(isLow, [&] { multiply(high, 1); });
  }

  /// Adds the sums of the block from column `first` on to the result.
  void multiplyToResult(Value first, const Target &to) {
    if (hasGroups())
      sumGroups(first, to, e.index(0), countGroupsFrom(first), groupsInBlock, /*level=*/0);
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
  void multiplyTiles(PairPart at, const Target &to) {
    int64_t high = to.high;
    Value panel = panelOf(to.column);
    auto sumType = amx::TileType::get({tileRows, kTileRows}, b.getF32Type());
    SmallVector<Value> sums;
    for (int64_t number = 0; number < high * kWideTiles; ++number)
      sums.push_back(amx::TileZeroOp::create(b, loc, sumType));
    if (decodesAhead)
      decode(at, panel, e.index(0));
    sums = e.loop(e.index(0), at.tiles, 1, sums, [&](Value deep, ValueRange values) {
      SmallVector<Value> next(values);
      if (!isScaled()) // codes are asked for where they are decoded
        prefetchWeights(to, deep);
      if (decodesAhead) {
        Value later = e.add(deep, 1);
        e.when(e.less(later, at.tiles), [&] { decode(at, panel, later); });
      }
      Value weights[kWideTiles];
      for (int64_t wide = 0; wide < kWideTiles; ++wide)
        weights[wide] = load(at, panel, deep, wide);
      for (int64_t term = 0; term < terms; ++term)
        for (int64_t tile = 0; tile < high; ++tile) {
          Value numbers = loadInput(at, to, deep, term, tile);
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

  Value inputTiles, sumTiles;
  Value totals; ///< with the scales of groups, a level of the tree of sums after the other
  int64_t rowBlock, block, terms;
  int64_t tileRows; ///< of the input and of sums
  bool readsInput;  ///< where rows fill tiles
  int64_t rowsLeft; ///< of the input, which are copied
  int64_t groupsInBlock = 1, tilesOfGroup = 0;
};

} // namespace

void emitPairTiles(Emitter &emitter, LinearOp op, LinearOp::Adaptor buffers) {
  PairTilesEmitter(emitter, op, buffers).emit();
}

} // namespace bambac::codegen
