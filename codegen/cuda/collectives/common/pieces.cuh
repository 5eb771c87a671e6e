// Where the rows of a step's pieces lie: piece p has rows starts[p] to starts[p + 1].
#pragma once
#include "common/types.cuh"
#include "geometry/geometry.h"

namespace bambac {

/// Whether a piece has one row and comes first, after others of one row only: its row then has its number.
__device__ __forceinline__ bool isSingle(const int *starts, int piece) {
  return starts[piece] == piece && starts[piece + 1] == piece + 1;
}

/// Up to `Rows` neighbouring rows of one piece. Tiles of a piece begin with its first row; those of all pieces are
/// numbered so that the piece of a number is found in `starts` alone: the first of piece p has the number
/// starts[p] / Rows + p, and a number that is left over has no rows. No kernel writes `starts`, so that this may come
/// before waitForPredecessors().
template <int Rows> struct PieceTile {
  int piece, start, first, end; ///< the piece and its first row; the tile's rows, none where first >= end

  __device__ __forceinline__ PieceTile(const int *starts, int pieces, int number) : piece(0) {
    // The piece is at least `piece` and less than `high`. A prompt alone needs no search.
    for (int high = starts[1] < starts[pieces] ? pieces : 1; high - piece > 1;) {
      int middle = (piece + high) / 2;
      (starts[middle] / Rows + middle <= number ? piece : high) = middle;
    }
    start = starts[piece];
    first = start + (number - start / Rows - piece) * Rows;
    end = minOf(first + Rows, starts[piece + 1]);
  }
};

} // namespace bambac
