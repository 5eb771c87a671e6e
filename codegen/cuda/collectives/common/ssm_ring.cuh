// The state ring of a decode step: a state as it was some tokens ago, and with it what those tokens brought (published
// as ReplaySSM). The state is read at each token and written when the ring is full; then the ring begins anew.
//
// With S the state before the ring's entries, whose deltas are d[j] and inputs x[j] and B[j], and a[j] = sum of d[i] *
// A over the entries after j and the new token, the new token's result is
//
//   y = exp(a) S C + sum_j exp(a[j]) d[j] (B[j] . C) x[j] + d (B . C) x + D x
//
// and the state after it exp(a) S + sum_j exp(a[j]) d[j] x[j] B[j] + d x B. Both are what the recurrence gives.
#pragma once
#include "common/launch.cuh"
#include "common/mma.cuh"
#include "common/row_views.cuh"

namespace bambac {

/// A step that writes the state at each token.
struct NoRing {
  static constexpr int kLength = 0, kEntries = 0;
};

/// A ring with which every Length-th token writes the state: up to Length - 1 entries wait when a step begins, the
/// oldest first. Shape: as the step has it; x and B are of type Operand, and exact. A fold reads the ring only: Entry
/// and Delta are const there.
template <class Shape, int Length, class Entry = typename Shape::Operand, class Delta = float> struct SsmRing {
  static_assert(Length >= 2 && Length <= 32, "a lane of a warp has one entry");
  static constexpr int kLength = Length, kEntries = Length - 1;
  static constexpr int kX = Shape::kHeads * Shape::kHeadDim, kColumns = kX + Shape::kGroups * Shape::kStateSize;

  Entry *inputs; ///< [slots, kEntries, kColumns]: x | B
  Delta *deltas; ///< [slots, kEntries, kHeads]
  const int *slots;
  const int *pending; ///< entries that wait, one number for each sequence

  /// How many entries of a sequence wait.
  __device__ __forceinline__ int waitingOf(int sequence) const { return minOf(maxOf(pending[sequence], 0), kEntries); }
  /// The row of an entry among those of all slots.
  __device__ __forceinline__ long long rowOf(int sequence, int entry) const {
    return static_cast<long long>(slots[sequence]) * kEntries + entry;
  }
};

/// A block's part of the entries: B of its group and a tile of its head's channels, copied to shared memory.
template <class Shape, class Ring, int Tile, int Threads> class RingTile {
  using Operand = typename Shape::Operand;
  static constexpr int kStateSize = Shape::kStateSize, kEntry = kStateSize + Tile; // B | x
  static constexpr int kVector =
      dividingVector(dividingVector(8, kStateSize), dividingVector(dividingVector(8, Tile), Shape::kHeadDim));
  static constexpr int kEntryVectors = kEntry / kVector;
  static constexpr int kRounds = ceilDiv(Ring::kEntries * kEntryVectors, Threads);

public:
  /// What a block keeps in shared memory.
  struct Shared {
    alignas(16) Operand entries[Ring::kEntries * kEntry];
    float weights[Ring::kLength]; ///< exp(a[j]) d[j]
    float factors[Ring::kLength]; ///< the same times B[j] . C, and that of the new token
    float decay;                  ///< exp(a)
  };

  /// Starts the copies of what `group` and `channels` channels of `head` from `channel` on have in the entries.
  __device__ __forceinline__ RingTile(const Ring &ring, Shared &shared, int sequence, int group, int head, int channel,
                                      int channels)
      : waiting(ring.waitingOf(sequence)) {
#pragma unroll
    for (int round = 0; round < kRounds; ++round) {
      const int index = threadIdx.x + round * Threads, entry = index / kEntryVectors;
      if (entry >= waiting)
        break;
      const int column = index % kEntryVectors * kVector, inTile = column - kStateSize;
      const Operand *row = ring.inputs + ring.rowOf(sequence, entry) * Ring::kColumns;
      const Operand *from =
          inTile < 0 ? row + Ring::kX + group * kStateSize + column : row + head * Shape::kHeadDim + channel + inTile;
      if (inTile < channels)
        copyElementsAsync<kVector>(shared.entries + entry * kEntry + column, from, true);
    }
    commitCopies();
    const int lane = threadIdx.x % 32;
    delta = lane < waiting ? ring.deltas[ring.rowOf(sequence, lane) * Shape::kHeads + head] : 0.0f;
  }

  /// True where the step writes the state, and the ring is empty after it.
  __device__ __forceinline__ bool isFull() const { return waiting == Ring::kEntries; }
  __device__ __forceinline__ int count() const { return waiting; }

  /// The entries are in and have their weights, after a barrier. `newDelta` is that of the new token.
  __device__ __forceinline__ void stage(Shared &shared, float rate, float newDelta) const {
    waitCopies<0>();
    if (threadIdx.x >= 32)
      return;
    const int lane = threadIdx.x;
    float after = delta; // of this entry and those after it
#pragma unroll
    for (int step = 1; step < 32; step *= 2) {
      const float other = __shfl_down_sync(0xffffffffu, after, step);
      after += lane + step < 32 ? other : 0.0f;
    }
    if (lane < waiting)
      shared.weights[lane] = expf((after - delta + newDelta) * rate) * delta;
    if (lane == 0)
      shared.decay = expf((after + newDelta) * rate);
  }

  /// B[j] . C of each entry and of the new token, which counts as the last, times its weight; after a barrier and
  /// before another. `b` and `c` are the new token's, in shared memory.
  __device__ __forceinline__ void multiply(Shared &shared, const float *b, const float *c, float newDelta) const {
    for (int entry = threadIdx.x / 32; entry <= waiting; entry += Threads / 32) {
      const bool isNew = entry == waiting;
      float sum = 0.0f;
      for (int n = threadIdx.x % 32; n < kStateSize; n += 32)
        sum += (isNew ? b[n] : toFloat(shared.entries[entry * kEntry + n])) * c[n];
      sum = warpSum(sum);
      if (threadIdx.x % 32 == 0)
        shared.factors[entry] = sum * (isNew ? newDelta : shared.weights[entry]);
    }
  }

  /// What the entries and the new token, whose input is `x`, add to the result of a channel of the tile.
  __device__ __forceinline__ float resultOf(const Shared &shared, int channel, float x) const {
    float sum = shared.factors[waiting] * x;
    for (int entry = 0; entry < waiting; ++entry)
      sum += shared.factors[entry] * toFloat(shared.entries[entry * kEntry + kStateSize + channel]);
    return sum;
  }

  /// x of a channel and V neighbouring elements of B of an entry.
  static __device__ __forceinline__ float inputOf(const Shared &shared, int entry, int channel) {
    return toFloat(shared.entries[entry * kEntry + kStateSize + channel]);
  }
  template <int V> static __device__ __forceinline__ void loadB(const Shared &shared, int entry, int n, float (&b)[V]) {
    loadPieces<minOf(V, kVector)>(shared.entries + entry * kEntry + n, b);
  }

private:
  int waiting;
  float delta; ///< of the lane's entry
};

} // namespace bambac
