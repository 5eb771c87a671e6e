// What a block of a scan works on, whatever instructions it multiplies with: which channels of which head, and which
// pieces one after another.
#pragma once
#include "common/launch.cuh"
#include "common/types.cuh"
#include "geometry/ssm.h"

namespace bambac {

/// `Channels` channels of one head, or those that are left of it, in some of the pieces, whose tokens come in chunks of
/// `Chunk`. The chunks of all pieces of a block are numbered in one row, so that their way through shared memory goes
/// on from piece to piece. Shape: as the scans have it.
template <class Shape, int Chunk, int Channels> struct SsmSlice {
  static constexpr int kSlices = ceilDiv(Shape::kHeadDim, Channels); ///< of a head

  /// The blocks of a slice, along y, take its pieces in turns.
  static __host__ __device__ constexpr Launch launch(int threads, int sharedBytes) {
    return {uint32(Shape::kHeads * kSlices),
            uint32(geometry::pieceGroups(Shape::kPieces, Shape::kHeads * kSlices, Shape::kMultiprocessors)),
            1,
            uint32(threads),
            1,
            uint32(sharedBytes),
            1,
            0};
  }

  int pieces;               // in all
  int head, channel, group; // the slice's first channel in the head
  int lane;
  int piece, row, count; // the piece, its first row and its rows, after enter()
  int before = 0;        // chunks of the pieces before it

  __device__ __forceinline__ explicit SsmSlice(int pieces)
      : pieces(pieces), head(blockIdx.x / kSlices), channel(blockIdx.x % kSlices * Channels),
        group(head / (Shape::kHeads / Shape::kGroups)), lane(threadIdx.x % 32), piece(blockIdx.y) {}

  /// Reads where the piece lies; false where there is none any more.
  __device__ __forceinline__ bool enter(const int *starts) {
    if (piece >= pieces)
      return false;
    row = starts[piece];
    count = starts[piece + 1] - row;
    return count > 0;
  }
  /// Goes on to the block's next piece; false where there is none.
  __device__ __forceinline__ bool enterNext(const int *starts) {
    before += chunks();
    piece += gridDim.y;
    return enter(starts);
  }
  __device__ __forceinline__ int chunks() const { return ceilDiv(count, Chunk); }
  /// The number of a chunk of the piece among all of the block.
  __device__ __forceinline__ int number(int chunk) const { return before + chunk; }
  /// Tokens of a chunk that exist.
  __device__ __forceinline__ int present(int chunk) const { return minOf(count - chunk * Chunk, Chunk); }

  /// The head's state in `state`, [slots, heads, P, N].
  template <class State> __device__ __forceinline__ State *stateOf(State *state, const int *slots) const {
    return state +
           (static_cast<long long>(slots[piece]) * Shape::kHeads + head) * (Shape::kHeadDim * Shape::kStateSize);
  }

  /// The scales of a state of codes, [slots, heads, P].
  __device__ __forceinline__ float *scalesOf(float *scales, const int *slots) const {
    return scales + (static_cast<long long>(slots[piece]) * Shape::kHeads + head) * Shape::kHeadDim;
  }

  /// dt + bias of this lane's two tokens of the chunk that begins with row `first`, in a piece that ends before row
  /// `end`. The scans call it ahead of the use, for the loads take long.
  template <class Dt>
  __device__ __forceinline__ void loadSteps(int first, int end, const Dt &dt, float bias, float (&raw)[2]) const {
    int token = first + 2 * lane;
#pragma unroll
    for (int i = 0; i < 2; ++i)
      raw[i] = 2 * lane < Chunk && token + i < end ? toFloat(dt[token + i][head]) + bias : 0.0f;
  }
};

} // namespace bambac
