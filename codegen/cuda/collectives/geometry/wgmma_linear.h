// The linears on wgmma: wgmma/linear_middle (up to 320 rows) and wgmma/linear_large (more).
#pragma once
#include "geometry/linear.h"

namespace bambac::geometry::wgmma {

/// Rows and columns of W in one instruction; the most of the other operand.
inline constexpr int kInstructionRows = 64, kInstructionColumns = 256;
/// Sums that a thread holds, and with those of codes that are yet to be taken over into f32.
inline constexpr int kThreadSums = 160, kThreadSumsOfCodes = 192;

/// What both ask of their operands, which tensor copies bring.
BAMBAC_HOST_DEVICE constexpr void checkInput(Check &check, const LinearShape &shape) {
  check.exactly("norms of the input", 0, shape.normalizes)
      .exactly("quantizations of the input", 0, shape.quantizes)
      .exactly("conversions of the input", 0, !shape.isOperand)
      .multipleOf("elements from row to row of the input", 16 / shape.operandBytes, shape.stride);
  checkScales(check, shape);
}

/// Few hundred rows: the weights are wgmma's 64 rows, the rows of x its columns.
struct LinearMiddle {
  int tileRows;    ///< rows of x, a multiple of 8: all of them unless there is a split
  int tileColumns; ///< columns of a tile: 64, 128 or 256
  int tileDepth;   ///< words of the depth in a stage
  int stages;      ///< of the ring
  int split;       ///< blocks of a cluster that share the depth of a tile

  using Shape = LinearShape;
  static constexpr const char *kCollective = "wgmma/linear_middle";
  static constexpr Field<LinearMiddle> kFields[] = {{"tile_rows", &LinearMiddle::tileRows},
                                                    {"tile_columns", &LinearMiddle::tileColumns},
                                                    {"tile_depth", &LinearMiddle::tileDepth},
                                                    {"stages", &LinearMiddle::stages},
                                                    {"split", &LinearMiddle::split}};
  static constexpr int kMaxRows = 320, kMaxSplit = 8;
  /// The most of which four stages of 128 columns fit: three hide less of the memory's latency.
  static constexpr int kMaxRowsOfFourStages = 304;
  /// Sums that a thread holds: more than of linear_large, since an epilogue loads little ahead.
  static constexpr int kMaxSums = kMaxRows / 2, kMaxSumsOfCodes = kMaxSums + kInstructionColumns / 8;

  /// Parts of the rows that are instructions of their own: of 64 columns one for each warpgroup, else as many as an
  /// instruction asks for.
  BAMBAC_HOST_DEVICE constexpr bool isNarrow() const { return tileColumns == kInstructionRows; }
  BAMBAC_HOST_DEVICE constexpr int rowParts() const {
    return tileRows <= (isNarrow() ? kInstructionColumns / 2 : kInstructionColumns) ? 1 : 2;
  }
  BAMBAC_HOST_DEVICE constexpr int partRows() const { return tileRows / rowParts(); }
  /// Warpgroups, and what each of them multiplies.
  BAMBAC_HOST_DEVICE constexpr int consumers() const { return isNarrow() ? rowParts() : 2; }
  BAMBAC_HOST_DEVICE constexpr int rowGroups() const { return isNarrow() ? rowParts() : 1; }
  BAMBAC_HOST_DEVICE constexpr int groupRows() const { return tileRows / rowGroups(); }
  BAMBAC_HOST_DEVICE constexpr int columnBlocks() const { return ceilDiv(tileColumns, 2 * kInstructionRows); }
  BAMBAC_HOST_DEVICE constexpr int threads() const { return 128 * (1 + consumers()); }
  BAMBAC_HOST_DEVICE constexpr int sums() const { return columnBlocks() * groupRows() / 2; }
  /// Rows whose products of codes are summed at a time.
  BAMBAC_HOST_DEVICE constexpr int promotedRows() const {
    if (groupRows() <= kInstructionColumns / 2 || rowGroups() > 1)
      return groupRows();
    return rowParts() == 1 ? tileRows / 2 : kInstructionColumns / 4;
  }
  /// True where all parts have whole groups of 8 rows.
  BAMBAC_HOST_DEVICE constexpr bool dividesRows(bool promotes) const {
    return tileRows % (8 * rowParts()) == 0 &&
           (!promotes || (promotedRows() % 8 == 0 && groupRows() % promotedRows() == 0));
  }
  /// The fewest rows of a tile of so many columns that holds `rows`.
  BAMBAC_HOST_DEVICE static constexpr int fittingRows(int rows, int tileColumns, bool promotes) {
    LinearMiddle tile{alignTo(rows, 8), tileColumns, kTileDepth, 2, 1};
    while (!tile.dividesRows(promotes))
      tile.tileRows += 8;
    return tile.tileRows;
  }
  BAMBAC_HOST_DEVICE constexpr int steps(const LinearShape &shape) const { return ceilDiv(shape.words(), tileDepth); }
  BAMBAC_HOST_DEVICE constexpr int rowTiles(const LinearShape &shape) const { return ceilDiv(shape.rows, tileRows); }
  BAMBAC_HOST_DEVICE constexpr int tiles(const LinearShape &shape) const {
    return rowTiles(shape) * ceilDiv(shape.columns, tileColumns);
  }
  BAMBAC_HOST_DEVICE constexpr int blocks(const LinearShape &shape, const Limits &limits) const {
    return split > 1 ? tiles(shape) * split : minOf(tiles(shape), limits.multiprocessors);
  }

  BAMBAC_HOST_DEVICE constexpr int inputBytes() const { return tileRows * tileDepth * 2; }
  BAMBAC_HOST_DEVICE constexpr int weightBytes() const { return tileColumns * tileDepth * 2; }
  BAMBAC_HOST_DEVICE constexpr int ringBytes() const { return stages * (inputBytes() + weightBytes()); }
  /// Alone, a warpgroup passes its sums on 32 rows x 64 columns at a time. Rows are 4 banks more than a multiple of 32
  /// apart, so that storing transposed sums is free of conflicts.
  static constexpr int kSliceStride = kInstructionRows + 4;
  BAMBAC_HOST_DEVICE constexpr int sliceRows() const {
    return tileRows > kInstructionColumns ? 16 : minOf(32, tileRows);
  }
  BAMBAC_HOST_DEVICE constexpr int stagingBytes() const {
    return split == 1 ? consumers() * sliceRows() * kSliceStride * 4 : 0;
  }
  /// In a cluster each block leaves the whole tile where the ring was.
  BAMBAC_HOST_DEVICE constexpr int tileStride() const { return tileColumns + 4; }
  BAMBAC_HOST_DEVICE constexpr int sharedBytes() const {
    return ringBytes() + stagingBytes() + stages * kStageBarrierBytes;
  }

  BAMBAC_HOST_DEVICE constexpr Fault legal(const LinearShape &shape, const Limits &limits) const {
    Check check;
    checkInput(check, shape);
    check.atMost("rows of the input", kMaxRows, shape.rows)
        .atLeast("tile_rows", split > 1 ? 1 : shape.rows, tileRows)
        .multipleOf("tile_rows", 8 * rowParts(), tileRows)
        .atMost("tile_rows", kMaxRows, tileRows)
        .multipleOf("tile_columns", kInstructionRows, tileColumns)
        .divisorOf("tile_columns", kInstructionColumns, tileColumns)
        .multipleOf("tile_depth", kTileDepth, tileDepth)
        .atMost("tile_depth", 4 * kTileDepth, tileDepth)
        .atLeast("stages", 2, stages)
        .atLeast("split", 1, split)
        .atMost("split", kMaxSplit, split);
    if (!check.isLegal())
      return check.result();
    check.atMost("split", maxOf(steps(shape), 1), split)
        .atMost("sums a thread", kMaxSums, sums())
        .atMost(kSharedBytesText, limits.sharedBytes, sharedBytes() + shape.staticBytes);
    if (shape.promotes())
      check.multipleOf("rows summed at a time", 8, promotedRows())
          .multipleOf("rows of a warpgroup", promotedRows(), groupRows())
          .atMost("sums of codes a thread", kMaxSumsOfCodes, sums() + promotedRows() / 2);
    if (split > 1)
      check.atMost("bytes of a tile of sums where the stages were", ringBytes(), tileRows * tileStride() * 4);
    return check.result();
  }
};

/// Many rows: rows of x are wgmma's 64 rows, weights its columns. How wide tiles are, from `leastColumns` to
/// `tileColumns`, is chosen when it is known how many rows there are.
struct LinearLarge {
  int tileRows;     ///< 128 or 256
  int tileColumns;  ///< of the widest tile: a multiple of 32, up to 256
  int stages;       ///< of the ring
  int leastColumns; ///< of the narrowest tile; widths between them are multiples of 32

  using Shape = LinearShape;
  static constexpr const char *kCollective = "wgmma/linear_large";
  static constexpr Field<LinearLarge> kFields[] = {{"tile_rows", &LinearLarge::tileRows},
                                                   {"tile_columns", &LinearLarge::tileColumns},
                                                   {"stages", &LinearLarge::stages},
                                                   {"least_columns", &LinearLarge::leastColumns}};
  static constexpr int kConsumers = 2, kThreads = 128 * (1 + kConsumers);
  /// Sums pass through shared memory 16 rows x 32 columns of a warp at a time, two such slices a warp.
  static constexpr int kSliceColumns = 32, kSliceFloats = 16 * kSliceColumns;
  static constexpr int kSlicesBytes = 4 * kConsumers * 2 * kSliceFloats * 4;
  /// For each stage the number of the tile whose first one it is.
  static constexpr int kMaxStages = 16, kNumbersBytes = kMaxStages * 4;
  /// Shared memory apart from the stages.
  static constexpr int kOtherBytes = kSlicesBytes + kNumbersBytes;

  BAMBAC_HOST_DEVICE constexpr int steps(const LinearShape &shape) const { return ceilDiv(shape.words(), kTileDepth); }
  BAMBAC_HOST_DEVICE constexpr int rowBlocks() const { return tileRows / (kInstructionRows * kConsumers); }
  BAMBAC_HOST_DEVICE constexpr int sums() const { return rowBlocks() * tileColumns / 2; }
  /// How many of a tile's `columns` are multiplied at a time where sums of codes are taken over: all or half of them,
  /// as registers are left.
  BAMBAC_HOST_DEVICE constexpr int promotedColumns(int columns) const {
    return sums() + columns / 2 <= kThreadSumsOfCodes ? columns : columns / 2;
  }
  BAMBAC_HOST_DEVICE constexpr int rowTiles(const LinearShape &shape) const { return ceilDiv(shape.rows, tileRows); }
  BAMBAC_HOST_DEVICE constexpr int tiles(const LinearShape &shape, int columns) const {
    return rowTiles(shape) * ceilDiv(shape.columns, columns);
  }
  /// Tiles of rows that have some for both warpgroups; where tiles are taken, the last one may be half a tile.
  BAMBAC_HOST_DEVICE constexpr int wholeRowTiles(const LinearShape &shape) const {
    return takesTiles(shape) ? ceilDiv(shape.rows - tileRows / kConsumers, tileRows) : rowTiles(shape);
  }

  BAMBAC_HOST_DEVICE constexpr bool hasWidths() const { return leastColumns < tileColumns; }
  /// Rows of x that a tensor copy brings: of 16-bit operands those of one warpgroup, so that rows which are not there
  /// need not be brought.
  BAMBAC_HOST_DEVICE constexpr int boxRows(const LinearShape &shape) const {
    return shape.promotes() ? tileRows : kInstructionRows;
  }
  /// Whether blocks take tiles as they get ready for them, or one after each `blocks` tiles.
  BAMBAC_HOST_DEVICE constexpr bool takesTiles(const LinearShape &shape) const { return !shape.promotes(); }
  /// What a tile takes apart from its columns (its rows of x, its start and end), as columns of 64 rows a warpgroup:
  /// measured. One of 128 rows a warpgroup has twice those rows.
  static constexpr int kColumnsOfTile = 100, kColumnsOfHighTile = 180;
  BAMBAC_HOST_DEVICE constexpr int timeOfTile(int columns) const {
    return rowBlocks() * columns + (rowBlocks() > 1 ? kColumnsOfHighTile : kColumnsOfTile);
  }
  /// The time of the block that is at work longest on whole tiles of `columns` columns, in columns of those rows.
  /// Half a tile takes two thirds of the time (measured), and blocks without a tile in the last round of whole ones
  /// take halves in it.
  BAMBAC_HOST_DEVICE constexpr int wholeCost(const LinearShape &shape, int blocks, int columns) const {
    int time = timeOfTile(columns);
    int columnTiles = ceilDiv(shape.columns, columns), whole = wholeRowTiles(shape) * columnTiles;
    int rounds = ceilDiv(whole, maxOf(blocks, 1));
    int halves = (rowTiles(shape) - wholeRowTiles(shape)) * columnTiles;
    int after = maxOf(halves - (rounds * blocks - whole), 0);
    return rounds * time + ceilDiv(after, maxOf(blocks, 1)) * time * 2 / 3;
  }
  /// What splitting takes in addition, as measured: of each block to store and load sums, in columns of 64 steps; and
  /// of all of the time, in percent, since blocks that share rows or columns no longer read them at the same time.
  static constexpr int kColumnsOfSplit = 20, kSplitPercent = 3;
  static constexpr int kLeastSplitSteps = 2, kUsualSteps = 64;
  /// The time where the last tiles are split, one for each of the blocks, which all take the same time. In 32 bits,
  /// since kernels compute it: whole rounds, and the part of a round that is left.
  BAMBAC_HOST_DEVICE constexpr int splitCost(const LinearShape &shape, int blocks, int columns, int steps) const {
    const int whole = wholeRowTiles(shape), thirdsOfRound = 3 * maxOf(blocks, 1);
    const int thirds = (3 * whole + 2 * (rowTiles(shape) - whole)) * ceilDiv(shape.columns, columns);
    const int time = timeOfTile(columns) * (100 + kSplitPercent);
    return (thirds / thirdsOfRound * time + thirds % thirdsOfRound * time / thirdsOfRound) / 100 +
           kColumnsOfSplit * kUsualSteps / maxOf(steps, 1);
  }
  /// Whether the last tiles are split: where blocks take tiles, have more than one, and need less time for it.
  BAMBAC_HOST_DEVICE constexpr bool splits(const LinearShape &shape, int blocks, int columns, int steps) const {
    return takesTiles(shape) && steps >= kLeastSplitSteps && blocks <= kMostSplitTiles &&
           tiles(shape, columns) > blocks &&
           splitCost(shape, blocks, columns, steps) < wholeCost(shape, blocks, columns);
  }
  /// The time of all tiles of `columns` columns, whichever way.
  BAMBAC_HOST_DEVICE constexpr int cost(const LinearShape &shape, int blocks, int columns) const {
    return splits(shape, blocks, columns, kUsualSteps) ? splitCost(shape, blocks, columns, kUsualSteps)
                                                       : wholeCost(shape, blocks, columns);
  }
  /// The width of tiles that takes the least time where `blocks` work at once.
  BAMBAC_HOST_DEVICE constexpr int columnsOf(const LinearShape &shape, int blocks) const {
    int best = tileColumns;
    for (int columns = tileColumns - kSliceColumns; columns >= leastColumns; columns -= kSliceColumns)
      if (cost(shape, blocks, columns) < cost(shape, blocks, best))
        best = columns;
    return best;
  }
  /// Whether tiles of `columns` columns are best for some number of rows.
  BAMBAC_HOST_DEVICE constexpr bool takes(const LinearShape &shape, int blocks, int columns) const {
    LinearShape some = shape;
    for (some.rows = 1; some.rows <= shape.rows; some.rows += tileRows / kConsumers)
      if (columnsOf(some, blocks) == columns)
        return true;
    return false;
  }

  BAMBAC_HOST_DEVICE constexpr int blocks(const LinearShape &shape, const Limits &limits) const {
    return minOf(tiles(shape, leastColumns), limits.multiprocessors);
  }
  BAMBAC_HOST_DEVICE constexpr int inputBytes() const { return tileRows * kTileDepth * 2; }
  BAMBAC_HOST_DEVICE constexpr int weightBytes() const { return tileColumns * kTileDepth * 2; }
  BAMBAC_HOST_DEVICE constexpr int stageBytes() const {
    return stages * (inputBytes() + weightBytes() + kStageBarrierBytes);
  }
  BAMBAC_HOST_DEVICE constexpr int sharedBytes() const { return stageBytes() + kOtherBytes; }
  /// Slices whose values an epilogue loads before they are needed. Sums of codes leave registers for one, and so do
  /// more than 128 sums.
  BAMBAC_HOST_DEVICE constexpr int slicesAhead(const LinearShape &shape) const {
    return shape.promotes() || sums() > kInstructionColumns / 2 ? 1 : 2;
  }

  BAMBAC_HOST_DEVICE constexpr Fault legal(const LinearShape &shape, const Limits &limits) const {
    Check check;
    checkInput(check, shape);
    check.multipleOf("tile_rows", kInstructionRows * kConsumers, tileRows)
        .atMost("tile_rows", kInstructionColumns, tileRows)
        .multipleOf("tile_columns", kSliceColumns, tileColumns)
        .atMost("tile_columns", kInstructionColumns, tileColumns)
        .multipleOf("least_columns", kSliceColumns, leastColumns)
        .atMost("least_columns", tileColumns, leastColumns)
        .atLeast("stages", 2, stages)
        .atMost("stages", kMaxStages, stages)
        .atMost("sums a thread", kThreadSums, sums())
        .atMost(kSharedBytesText, limits.sharedBytes, sharedBytes() + shape.staticBytes);
    if (hasWidths())
      check.exactly("tile_rows of tiles of several widths", kInstructionRows * kConsumers, tileRows);
    if (shape.promotes())
      check.atMost("sums of codes a thread", kThreadSumsOfCodes, sums() + promotedColumns(tileColumns) / 2);
    return check.result();
  }
};

} // namespace bambac::geometry::wgmma
