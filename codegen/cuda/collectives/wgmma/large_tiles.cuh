// The tiles of linear_large, and what of them a block takes at a time.
//
// Rounds of whole tiles leave multiprocessors idle in the last one. Where that costs more than sums which pass through
// memory, the last tiles are split along the depth, one for each block: blocks begin with the first parts of these
// tiles, of all lengths from almost nothing to almost all of the depth; then come the whole tiles, and at last the
// second parts, the longest first, so that all blocks end at about the same time (R. McNaughton, "Scheduling with
// Deadlines and Loss Functions", 1959). A second part goes on with the sums of the first, which was done long ago: the
// order of all additions, and with it the result, is that of a whole tile.
#pragma once
#include "common/launch.cuh"
#include "geometry/wgmma_linear.h"

namespace bambac {

/// Steps along the depth of a tile that a block takes in one go.
struct TileWork {
  int number;     ///< of the tile
  int begin, end; ///< of the steps
};

/// The tiles that cover the rows that are there. Sizes: kShape and kGeometry of a LinearLarge.
template <class Sizes> struct LargeTiles {
  static constexpr int kTileRows = Sizes::kGeometry.tileRows, kBoxRows = Sizes::kGeometry.boxRows(Sizes::kShape);
  static constexpr bool kTakes = Sizes::kGeometry.takesTiles(Sizes::kShape);

  struct Tile {
    int row, column;
    int rowEnd; ///< of all rows that are there
    /// Whether the copy of x that begins with this row of the tile brings rows that are there.
    __device__ __forceinline__ bool hasBox(int first) const { return first == 0 || row + first < rowEnd; }
    /// Those that do.
    __device__ __forceinline__ int boxes() const {
      int count = 0;
#pragma unroll
      for (int first = 0; first < kTileRows; first += kBoxRows)
        count += hasBox(first);
      return count;
    }
  };

  int rows, rowTiles;
  int columns, columnTiles; ///< of a tile; from left to right
  int steps;                ///< along the depth, of every tile
  int split;                ///< tiles in two parts, the last ones: one for each block, or none

  __device__ __forceinline__ LargeTiles(int rows, int steps)
      : rows(rows), rowTiles(geometry::ceilDiv(rows, kTileRows)), steps(steps) {
    constexpr geometry::wgmma::LinearLarge kLinear = Sizes::kGeometry;
    geometry::LinearShape shape = Sizes::kShape;
    shape.rows = rows;
    columns = kLinear.columnsOf(shape, gridDim.x);
    columnTiles = geometry::ceilDiv(Sizes::kShape.columns, columns);
    split = kLinear.splits(shape, gridDim.x, columns, steps) ? gridDim.x : 0;
  }
  __device__ __forceinline__ int count() const { return rowTiles * columnTiles; }
  /// The index-th tile. Blocks at work at the same time share rows of x and columns of W in L2: column after column
  /// within a group of up to 16 tiles of rows.
  __device__ __forceinline__ Tile operator[](int index) const {
    constexpr int kGroup = geometry::minOf(Sizes::kGeometry.rowTiles(Sizes::kShape), 16);
    int group = index / (kGroup * columnTiles), inGroup = index % (kGroup * columnTiles);
    int height = geometry::maxOf(geometry::minOf(kGroup, rowTiles - group * kGroup), 1); // none: a block without tiles
    int rowTile = group * kGroup + inGroup % height;
    return {rowTile * kTileRows, inGroup / height * columns, rows};
  }

  /// The first tile that is split, and the steps of a split tile's first part.
  __device__ __forceinline__ int firstSplit() const { return count() - split; }
  __device__ __forceinline__ int splitAt(int number) const {
    return maxOf(steps * (number - firstSplit() + 1) / (split + 1), 1);
  }

  /// What a block begins with: no tile where the number is count() or more.
  __device__ __forceinline__ TileWork first() const {
    const int block = blockIdx.x;
    return split ? TileWork{firstSplit() + block, 0, splitAt(firstSplit() + block)} : TileWork{block, 0, steps};
  }
  /// All else, in the order in which it is to be begun: numbers from 0 on. No tile as above.
  __device__ __forceinline__ TileWork other(int index) const { return numbered(split ? index : gridDim.x + index); }
  /// The tile of a number, or its second part.
  __device__ __forceinline__ TileWork numbered(int number) const {
    return {number, split && number >= firstSplit() && number < count() ? splitAt(number) : 0, steps};
  }
  /// How many others there are.
  __device__ __forceinline__ int others() const { return count() - (split ? 0 : gridDim.x); }
};

} // namespace bambac
