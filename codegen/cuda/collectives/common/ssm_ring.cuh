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

  Entry *inputs;      ///< [slots, kEntries, kColumns]: x | B
  Delta *deltas;      ///< [slots, kEntries, kHeads]
  const int *pending; ///< entries that wait, one number for each sequence

  /// How many entries of a sequence wait.
  __device__ __forceinline__ int waitingOf(int sequence) const { return minOf(maxOf(pending[sequence], 0), kEntries); }
  /// The row of an entry among those of all slots.
  static __device__ __forceinline__ long long rowOf(int slot, int entry) {
    return static_cast<long long>(slot) * kEntries + entry;
  }
};

/// A block's part of the entries: B of its group and its channels (a block of SsmStateRows), copied to shared memory.
template <class Shape, class Ring, class StateRows> class RingTile {
  using Operand = typename Shape::Operand;
  using Block = typename StateRows::Block;
  static constexpr int kStateSize = Shape::kStateSize, kHeadDim = Shape::kHeadDim;
  static constexpr int kTile = StateRows::kTile, kTileHeads = StateRows::kTileHeads;
  static constexpr int kThreads = StateRows::kThreads, kWarps = kThreads / 32;
  static constexpr int kEntry = StateRows::kGeometry.entryElements(StateRows::kShape); // B | x
  static_assert(!StateRows::kIsMultiplied || kEntry % 8 == 0, "B is read in vectors of 16 bytes");
  /// Entries that there is room for: those that wait and, where it is added to them, the new token.
  static constexpr int kRoom = StateRows::kIsMultiplied ? Ring::kLength : Ring::kEntries;
  static constexpr int kVector =
      dividingVector(dividingVector(8, kStateSize), dividingVector(dividingVector(8, kTile), kHeadDim));
  static constexpr int kHeadRounds = ceilDiv(kTileHeads, kWarps); ///< heads of a warp

public:
  using Element = Operand;
  static constexpr int kMost = Ring::kLength; ///< the new token included

  /// What a block keeps in shared memory.
  struct Shared {
    alignas(16) Operand entries[kRoom * kEntry];
    float weights[kTileHeads * Ring::kLength]; ///< exp(a[j]) d[j]
    float products[Ring::kLength];             ///< B[j] . C, and that of the new token
  };

  /// How many wait is an input of the step, which no kernel writes.
  __device__ __forceinline__ RingTile(const Ring &ring, Shared &shared, const Block &block)
      : shared(shared), waiting(ring.waitingOf(block.sequence)) {}

  /// Starts the copies of what the block's group and channels have in the entries of a slot.
  __device__ __forceinline__ void load(const Ring &ring, const Block &block, int slot) {
    const int lane = threadIdx.x % 32;
#pragma unroll 1
    for (int entry = threadIdx.x / 32; entry < waiting; entry += kWarps) {
      const Operand *row = ring.inputs + ring.rowOf(slot, entry) * Ring::kColumns;
      Operand *to = shared.entries + entry * kEntry;
      for (int n = lane * kVector; n < kStateSize; n += 32 * kVector)
        copyElementsAsync<kVector>(to + n, row + Ring::kX + block.group * kStateSize + n, true);
      for (int channel = lane * kVector; channel < block.channels; channel += 32 * kVector)
        copyElementsAsync<kVector>(to + kStateSize + channel, row + block.firstChannel + channel, true);
    }
    commitCopies();
#pragma unroll
    for (int round = 0; round < kHeadRounds; ++round) {
      const int head = block.firstHead + minOf(int(threadIdx.x) / 32 + round * kWarps, kTileHeads - 1);
      deltas[round] = lane < waiting ? ring.deltas[ring.rowOf(slot, lane) * Shape::kHeads + head] : 0.0f;
    }
  }

  /// True where the step writes the state, and the ring is empty after it.
  __device__ __forceinline__ bool isFull() const { return waiting == Ring::kEntries; }
  __device__ __forceinline__ int count() const { return waiting; }

  /// The entries have their weights for head `head` of the tile, the warp's number `round`, after a barrier. `newDelta`
  /// is that of the new token. All lanes of the warp call it. Returns exp(a).
  __device__ __forceinline__ float weigh(int head, int round, float rate, float newDelta) const {
    const int lane = threadIdx.x % 32;
    float after = deltas[round]; // of this entry and those after it
#pragma unroll
    for (int step = 1; step < 32; step *= 2) {
      const float other = __shfl_down_sync(0xffffffffu, after, step);
      after += lane + step < 32 ? other : 0.0f;
    }
    if (lane < waiting)
      shared.weights[head * Ring::kLength + lane] = expf((after - deltas[round] + newDelta) * rate) * deltas[round];
    return expf((__shfl_sync(0xffffffffu, after, 0) + newDelta) * rate);
  }

  /// B[j] . C of each entry and of the new token, which counts as the last; after a barrier and before another. `b` and
  /// `c` are the new token's, in shared memory.
  __device__ __forceinline__ void multiply(const float *b, const float *c) const {
    constexpr int kLaneColumns = minOf(kVector, 4), kRounds = ceilDiv(kStateSize, 32 * kLaneColumns);
    const int first = threadIdx.x % 32 * kLaneColumns;
    for (int entry = threadIdx.x / 32; entry <= waiting; entry += kWarps) {
      float sum = 0.0f;
#pragma unroll
      for (int round = 0; round < kRounds; ++round) {
        const int n = first + round * 32 * kLaneColumns;
        float left[kLaneColumns], right[kLaneColumns];
        if (n >= kStateSize)
          continue;
        loadVector(c + n, right);
        if (entry == waiting)
          loadVector(b + n, left);
        else
          loadVector(shared.entries + entry * kEntry + n, left);
#pragma unroll
        for (int k = 0; k < kLaneColumns; ++k)
          sum += left[k] * right[k];
      }
      sum = warpSum(sum);
      if (threadIdx.x % 32 == 0)
        shared.products[entry] = sum;
    }
  }

  /// Makes what the block has of the new token one more entry, whose weights are its deltas; after a barrier.
  __device__ __forceinline__ void append(const float *x, const float *b, const float *deltas) const {
    Operand *to = shared.entries + waiting * kEntry;
    forEachOf<kThreads, kStateSize>([&](int n) { to[n] = fromFloat<Operand>(b[n]); });
    forEachOf<kThreads, kTile>([&](int channel) { to[kStateSize + channel] = fromFloat<Operand>(x[channel]); });
    forEachOf<kThreads, kTileHeads>([&](int head) { shared.weights[head * Ring::kLength + waiting] = deltas[head]; });
  }

  /// Writes the new token as the next entry of a slot's ring. x: of the block's channels; deltas: of its heads.
  __device__ __forceinline__ void keep(const Ring &ring, const Block &block, int slot, const float *x, const float *b,
                                       const float *deltas) const {
    const long long row = ring.rowOf(slot, waiting);
    Operand *inputs = ring.inputs + row * Ring::kColumns;
    forEachOf<kThreads, kTile>([&](int channel) {
      if (channel < block.channels)
        inputs[block.firstChannel + channel] = fromFloat<Operand>(x[channel]);
    });
    if (block.isFirstOfGroup)
      forEachOf<kThreads, kStateSize>(
          [&](int n) { inputs[Ring::kX + block.group * kStateSize + n] = fromFloat<Operand>(b[n]); });
    if (block.isFirstOfHead)
      forEachOf<kThreads, kTileHeads>(
          [&](int head) { ring.deltas[row * Shape::kHeads + block.firstHead + head] = deltas[head]; });
  }

  /// Adds to the results of V neighbouring channels of a head what the entries and the new token bring, whose delta and
  /// inputs are `delta` and `x`.
  template <int V>
  __device__ __forceinline__ void addTo(float (&results)[V], int head, int channel, float delta,
                                        const float (&x)[V]) const {
    const float newFactor = shared.products[waiting] * delta;
#pragma unroll
    for (int k = 0; k < V; ++k)
      results[k] += newFactor * x[k];
#pragma unroll 1
    for (int entry = 0; entry < waiting; ++entry) {
      const float factor = shared.products[entry] * weightOf(entry, head);
      float inputs[V];
      loadPieces<minOf(V, kVector)>(shared.entries + entry * kEntry + kStateSize + channel, inputs);
#pragma unroll
      for (int k = 0; k < V; ++k)
        results[k] += factor * inputs[k];
    }
  }

  /// exp(a[j]) d[j] of an entry, its x of a channel, and V neighbouring elements of its B.
  __device__ __forceinline__ float weightOf(int entry, int head) const {
    return shared.weights[head * Ring::kLength + entry];
  }
  __device__ __forceinline__ float inputOf(int entry, int channel) const {
    return toFloat(shared.entries[entry * kEntry + kStateSize + channel]);
  }
  template <int V> __device__ __forceinline__ void loadB(int entry, int n, float (&b)[V]) const {
    loadPieces<minOf(V, kVector)>(columnsOf(entry) + n, b);
  }
  /// B of an entry.
  __device__ __forceinline__ const Operand *columnsOf(int entry) const { return shared.entries + entry * kEntry; }

private:
  Shared &shared;
  int waiting;
  float deltas[kHeadRounds]; ///< of the lane's entry, for the warp's heads
};

/// What stands for the entries where there is no ring.
template <class Shape, class StateRows> class RingTile<Shape, NoRing, StateRows> {
public:
  struct Shared {};
  __device__ __forceinline__ RingTile(const NoRing &, Shared &, const typename StateRows::Block &) {}
  __device__ __forceinline__ void load(const NoRing &, const typename StateRows::Block &, int) {}
  __device__ __forceinline__ float weigh(int, int, float rate, float newDelta) const { return expf(newDelta * rate); }
};

} // namespace bambac
