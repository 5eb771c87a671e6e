// What a block of a scan works on, whatever instructions it multiplies with: which channels of which head and sequence.
#pragma once
#include "common/launch.cuh"
#include "common/types.cuh"

namespace bambac {

/// `Channels` channels of one head, or those that are left of it, in one sequence, whose tokens come in chunks of
/// `Chunk`. Shape: as the scans have it.
template <class Shape, int Chunk, int Channels> struct SsmSlice {
  static constexpr int kSlices = ceilDiv(Shape::kHeadDim, Channels); ///< of a head

  /// One block for each slice.
  static __host__ __device__ constexpr Launch launch(int threads, int sharedBytes) {
    return {
        uint32(Shape::kHeads * kSlices), uint32(Shape::kSequences), 1, uint32(threads), 1, uint32(sharedBytes), 1, 0};
  }

  int head, channel, group, row; // the slice's first channel in the head; the sequence's first row
  int lane;
  int count; // tokens of the sequence, known after readCount()

  __device__ __forceinline__ SsmSlice()
      : head(blockIdx.x / kSlices), channel(blockIdx.x % kSlices * Channels),
        group(head / (Shape::kHeads / Shape::kGroups)), row(blockIdx.y * Shape::kTokens), lane(threadIdx.x % 32) {}

  /// `counts`: one for each sequence; an earlier kernel may have written them.
  __device__ __forceinline__ void readCount(const int *counts) {
    count = maxOf(minOf(counts[blockIdx.y], Shape::kTokens), 0);
  }
  __device__ __forceinline__ int chunks() const { return ceilDiv(count, Chunk); }
  /// Tokens of a chunk that exist.
  __device__ __forceinline__ int present(int chunk) const { return minOf(count - chunk * Chunk, Chunk); }

  /// The head's state in `state`, [slots, heads, P, N].
  template <class State> __device__ __forceinline__ State *stateOf(State *state, const int *slots) const {
    return state +
           (static_cast<long long>(slots[blockIdx.y]) * Shape::kHeads + head) * (Shape::kHeadDim * Shape::kStateSize);
  }

  /// dt + bias of this lane's two tokens of a chunk. The scans call it ahead of the use, for the loads take long.
  template <class Dt>
  __device__ __forceinline__ void loadSteps(int chunk, const Dt &dt, float bias, float (&raw)[2]) const {
    int token = chunk * Chunk + 2 * lane;
#pragma unroll
    for (int i = 0; i < 2; ++i)
      raw[i] = 2 * lane < Chunk && token + i < count ? toFloat(dt[row + token + i][head]) + bias : 0.0f;
  }
};

} // namespace bambac
