// The schedules of a linear: on wgmma one for few, some and many rows, and on mma.sync for all others.
#include "passes/schedule/CudaCandidates.h"
#include "passes/schedule/LinearUse.h"

namespace bambac {
namespace {

using geometry::alignTo;
using geometry::ceilDiv;

/// Candidates of this cost or more come after all others: another family of instructions, which is slower there.
constexpr double kOtherFamily = 1e12;

/// Blocks that a stream of weights takes about to run at its full rate.
constexpr double kEnoughBlocks = 100;

/// Rows of which no linear is faster than the skinny one.
constexpr int kFewRows = 8;

/// Few rows on wgmma, a stream of groups of 8 columns. Of more than kFewRows it takes longer than the middle linear
/// where that has as many blocks:
///
///   cost = kEnoughBlocks / min(groups, kEnoughBlocks) * price
void addSkinnyLinears(Candidates &candidates, const geometry::LinearShape &shape) {
  using geometry::wgmma::LinearSkinny;
  constexpr double kPrice = 1.07;
  double groups = std::min<double>(LinearSkinny::groups(shape), kEnoughBlocks);
  candidates.add(LinearSkinny{12}, shape, shape.rows <= kFewRows ? 0.0 : kEnoughBlocks / groups * kPrice);
}

/// As many stages as wanted, or as fit in addition to `otherBytes`; at least two.
int chooseStages(int wanted, int tileRows, int tileColumns, int otherBytes, const geometry::Limits &limits) {
  int stageBytes = (tileRows + tileColumns) * geometry::kTileDepth * 2 + geometry::kStageBarrierBytes;
  return std::clamp((limits.sharedBytes - otherBytes) / stageBytes, 2, wanted);
}

/// Some rows on wgmma: one tile holds them all, or two do, each of a cluster of its own. The time is that of the stream
/// of weights:
///
///   cost = kEnoughBlocks / min(blocks, kEnoughBlocks) * price
///
/// The price of a tile of 64 columns breaks ties: it reads the input twice as often as one of 128. Two tiles of some
/// rows and 128 columns read a fifth less than one of 64 columns, if both have rows: 256 rows of codes take 30.0 us
/// for 33.0 (4096x14336), but those of 16 bits longer.
void addMiddleLinears(Candidates &candidates, LinearOp linear, const geometry::LinearShape &shape) {
  using geometry::wgmma::LinearMiddle;
  constexpr double kNarrowPrice = 1.005;
  constexpr int kWantedStages = 12, kLeastSteps = 4, kManyRows = 192, kRowTiles = 2;
  const geometry::Limits &limits = candidates.getLimits();
  LinearMiddle tile{0, 0, geometry::kTileDepth, 2, 1};
  auto add = [&](int tileColumns, int split, double price, int rowTiles = 1) {
    tile.tileColumns = tileColumns;
    tile.split = split;
    tile.tileRows = LinearMiddle::fittingRows(ceilDiv(shape.rows, rowTiles), tileColumns, shape.promotes());
    // Room for the staging of two warpgroups is left whatever the tile: what was measured.
    LinearMiddle wide{tile.tileRows, 128, geometry::kTileDepth, 2, 1};
    int otherBytes = (split == 1 ? wide.stagingBytes() : 0) + shape.staticBytes;
    tile.stages = chooseStages(kWantedStages, tile.tileRows, tileColumns, otherBytes, limits);
    double blocks = std::min<double>(tile.tiles(shape) * split, kEnoughBlocks);
    candidates.add(tile, shape, kEnoughBlocks / blocks * price);
  };
  add(128, 1, 1.0);
  add(64, 1, kNarrowPrice);
  // All blocks of a cluster start together: clusters of more than two do not fill the device.
  auto fits = [&](int tiles, int split) {
    int usable = split == 2 ? limits.multiprocessors : limits.multiprocessors * 7 / 8;
    return tiles * split <= usable && ceilDiv(shape.words(), geometry::kTileDepth) >= kLeastSteps * split;
  };
  for (int split : {2, 3, 4})
    if (fits(ceilDiv(shape.columns, 64), split))
      add(64, split, kNarrowPrice);
  if (shape.isOfCodes() && shape.rows >= kManyRows && fits(ceilDiv(shape.columns, 128) * kRowTiles, 2) &&
      hasMostRows(linear))
    add(128, 2, 1.0, kRowTiles);
}

/// Many rows on wgmma. The time is that of the block with the most tiles, for all numbers of rows that are likely:
///
///   cost = sum of LinearLarge::cost * price
///
/// where the price is the measured slowdown of tiles that reuse less of what they load, or are multiplied in parts.
/// Tiles of several widths, whose loads are smaller (1%) and which take longer to compile, have to save more than that.
/// Tiles of 256 rows are overestimated. Where sums of codes are taken over into f32 the widest tile has registers for
/// half of those that are yet to be, one of 192 columns for all. What a step seldom computes is not worth compiling
/// several widths.
void addLargeLinears(Candidates &candidates, LinearOp linear, const geometry::LinearShape &shape) {
  using geometry::wgmma::LinearLarge;
  constexpr int kWantedStages = 6;
  struct Tile {
    int rows, columns, leastColumns;
    double price;
  };
  const geometry::Limits &limits = candidates.getLimits();
  const SmallVector<int> likelyRows = getLikelyRows(linear);
  const bool isRare = isRareShape(linear);
  const Tile tiles[] = {{128, 256, 256, 1.0}, {128, 256, 128, 1.01}, {256, 128, 128, 0.85}, {128, 128, 128, 1.0}};
  const Tile tilesOfCodes[] = {
      {128, 192, 192, 1.0}, {128, 256, 256, 1.13}, {256, 128, 128, 1.05}, {128, 128, 128, 1.0}};
  for (Tile tile : shape.promotes() ? ArrayRef(tilesOfCodes) : ArrayRef(tiles)) {
    if (isRare && tile.leastColumns < tile.columns)
      continue;
    LinearLarge candidate{tile.rows, tile.columns, 2, tile.leastColumns};
    if (shape.hasGroups() && candidate.promotedColumns(tile.columns) < tile.columns)
      continue; // scales of groups need the registers that are left
    candidate.stages =
        chooseStages(kWantedStages, tile.rows, tile.columns, LinearLarge::kOtherBytes + shape.staticBytes, limits);
    double cost = 0;
    geometry::LinearShape likely = shape;
    for (int rows : likelyRows) {
      likely.rows = rows;
      cost += candidate.cost(likely, limits.multiprocessors, candidate.columnsOf(likely, limits.multiprocessors));
    }
    candidates.add(candidate, shape, tile.price * cost);
  }
}

/// Half of the rows that one tile of a middle linear can hold and more, of many columns: tiles of 128 rows that leave
/// few multiprocessors idle in their last round come before all tiles that hold every row. They take 6% less time,
/// since less of the input is loaded again: 101 us for 107 of 28,672 columns, 60 for 64 of 16,768.
void addWideLinears(Candidates &candidates, const geometry::LinearShape &shape) {
  using geometry::wgmma::LinearLarge;
  constexpr int kTileRows = 128, kWantedStages = 6;
  constexpr double kLeastBusy = 0.93;
  const geometry::Limits &limits = candidates.getLimits();
  if (shape.promotes() || shape.rows <= kTileRows)
    return;
  for (int columns : {256, 224}) {
    int stages = chooseStages(kWantedStages, kTileRows, columns, LinearLarge::kOtherBytes + shape.staticBytes, limits);
    LinearLarge linear{kTileRows, columns, stages, columns};
    int tiles = linear.tiles(shape, columns), slots = alignTo(tiles, std::max(limits.multiprocessors, 1));
    double busy = static_cast<double>(shape.rows) * shape.columns / (static_cast<double>(slots) * kTileRows * columns);
    if (busy >= kLeastBusy)
      candidates.add(linear, shape, -busy);
  }
}

/// Up to 32 rows on mma.sync: narrow tiles, whose weights pass through registers and whose blocks are many. The time is
/// that of the steps along the depth of all passes; an input that does not fit whole costs two barriers and a copy,
/// about a step, for each chunk of it; fewer stages than four hide less of the memory's latency:
///
///   cost = passes * (steps + chunks) * (1 + 0.1 * (4 - stages))      (no chunks where all of the input fits)
///
/// A tall tile of 64 rows streams as much without chunks, and computes for rows that are not there:
///
///   cost = 1.5 * passes * steps
void addFewRowLinears(Candidates &candidates, const geometry::LinearShape &shape, double family) {
  using geometry::mma::Linear;
  constexpr int kWantedStages = 4, kTallStages = 8, kColumns = 32;
  constexpr double kStagePrice = 0.1, kTallPrice = 1.5;
  const geometry::Limits &limits = candidates.getLimits();
  int tileRows = shape.rows <= geometry::kMmaRows ? geometry::kMmaRows : Linear::kSkinnyTileRows;
  for (int columns : {kColumns, kColumns / 2})
    for (int stages = kWantedStages; stages >= 2; --stages) {
      Linear linear{tileRows, columns, stages};
      int chunks = linear.inputChunks(shape, limits);
      double steps = Linear::skinnySteps(shape) + (chunks > 1 ? chunks : 0);
      double price = 1.0 + kStagePrice * (kWantedStages - stages);
      candidates.add(linear, shape, family + linear.skinnyPasses(shape, limits) * steps * price);
    }
  double passes = Linear{tileRows, kColumns, 2}.skinnyPasses(shape, limits);
  for (int stages = kTallStages; stages >= 2; --stages)
    if (candidates.add(Linear{64, kColumns, stages}, shape, family + kTallPrice * passes * Linear::skinnySteps(shape)))
      break;
}

/// More rows on mma.sync, in an order of preference: the widest tile that still gives each multiprocessor one, since
/// each fragment then serves most products; then narrower and lower ones, which need fewer registers.
void addManyRowLinears(Candidates &candidates, const geometry::LinearShape &shape, double family) {
  using geometry::mma::Linear;
  constexpr int kWantedStages = 3, kNarrow = 32, kNarrowStages = 8;
  const geometry::Limits &limits = candidates.getLimits();
  int place = 0;
  auto add = [&](int rows, int columns, int leastStages) {
    Linear linear{rows, columns, 2};
    linear.stages =
        chooseStages(columns == kNarrow ? kNarrowStages : kWantedStages, rows, columns, shape.staticBytes, limits);
    if (linear.stages >= leastStages)
      candidates.add(linear, shape, family + place++);
  };
  auto fills = [&](int rows, int columns) {
    return Linear{rows, columns, 2}.tallTiles(shape) >= limits.multiprocessors;
  };
  bool isLow = shape.rows <= 64;
  // Two stages hide too little of the memory's latency to make up for a wider tile.
  if (!isLow && fills(128, 256))
    add(128, 256, kWantedStages);
  if (!isLow || fills(64, 128))
    add(isLow ? 64 : 128, 128, 2);
  if (isLow)
    add(64, kNarrow, 2);
  for (int rows : {128, 64})
    for (int columns : {64, kNarrow})
      if (rows == 64 || !isLow)
        add(rows, columns, 2);
}

} // namespace

/// A linear on wgmma where the target has it: few, some or many rows. After them the linear on mma.sync, which takes
/// every input.
void addLinears(Candidates &candidates, LinearOp linear) {
  geometry::LinearShape shape = shapeOf(linear);
  double family = 0.0;
  if (candidates.hasWgmma()) {
    family = kOtherFamily;
    if (shape.rows <= geometry::wgmma::LinearSkinny::kMaxRows)
      addSkinnyLinears(candidates, shape);
    if (shape.rows > geometry::wgmma::LinearMiddle::kMaxRows)
      addLargeLinears(candidates, linear, shape);
    else if (shape.rows > kFewRows) {
      addWideLinears(candidates, shape);
      addMiddleLinears(candidates, linear, shape);
      if (shape.rows > geometry::wgmma::kInstructionColumns)
        addLargeLinears(candidates, linear, shape);
    }
  }
  if (shape.rows <= geometry::mma::Linear::kSkinnyTileRows)
    addFewRowLinears(candidates, shape, family);
  else
    addManyRowLinears(candidates, shape, family);
}

} // namespace bambac
