// The rows of a state [channels, state size] that a block of a decode step owns: one run of memory, all of which is
// under way to shared memory at once. The lanes of a warp lie along a row; a thread takes some rows at each of a few
// passes (codes on tensor cores: common/coded_rows.cuh).
#pragma once
#include "common/async.cuh"
#include "common/coded_state.cuh"
#include "common/launch.cuh"
#include "common/limits.cuh"
#include "common/mma.cuh"
#include "common/row_sums.cuh"
#include "geometry/ssm.h"

namespace bambac {

/// Shape: kBatch, kHeads, kHeadDim, kStateSize, kGroups, kSharedLimit, kMultiprocessors; the fields of
/// geometry::SsmStep. `Entries`: of the ring.
template <class Shape, class State, int Entries> struct SsmStateRows {
  static constexpr geometry::SsmShape kShape = {
      Shape::kBatch, 1, Shape::kHeads, Shape::kHeadDim, Shape::kStateSize, Shape::kGroups, int(sizeof(State)), Entries};
  static constexpr geometry::SsmStep kGeometry = {Shape::kThreads, Shape::kChannelTile};
  static constexpr geometry::Limits kDevice = kLimits<Shape>;
  static_assert(kGeometry.legal(kShape, kDevice).isLegal(), "the schedule is legal");
  static constexpr int kThreads = Shape::kThreads, kTile = kGeometry.tile(kShape);
  static constexpr int kHeadDim = Shape::kHeadDim, kStateSize = Shape::kStateSize;
  static constexpr int kTileHeads = kGeometry.tileHeads(kShape);
  static constexpr int kHeadTiles = ceilDiv(kHeadDim, kTile); ///< tiles of a head; 1 where a tile has some heads
  static constexpr int kBlocks = kGeometry.blocks(kShape);    ///< of a sequence

  static constexpr int kVector = kGeometry.vector(kShape), kRowVectors = kGeometry.rowVectors(kShape);
  static constexpr int kLanes = kGeometry.lanes(kShape), kLaneVectors = kGeometry.laneVectors(kShape);
  static constexpr int kRowGroups = kGeometry.rowGroups(kShape), kThreadRows = kGeometry.threadRows(kShape);
  static constexpr int kPasses = kGeometry.passes(kShape), kStateAlignment = kGeometry.kStateAlignment;
  using Vector = RawVector<State, kVector>;
  /// Whether tensor cores multiply the rows (common/coded_rows.cuh).
  static constexpr bool kIsMultiplied = kGeometry.isMultiplied(kShape);
  static constexpr int kRowBytes = kStateSize * int(sizeof(State));
  static constexpr bool kIsBulk = kHasBulkCopies && kRowBytes % 16 == 0;
  static constexpr bool kHasAllRows =
      (kTileHeads > 1 || kHeadDim % kTile == 0) && kPasses * kThreadRows * kRowGroups == kTile;

  /// A launch of kBlocks blocks for each of so many sequences. The blocks of a sequence lie along x or, where
  /// neighbours are to have different sequences, along y.
  static __host__ __device__ constexpr Launch launchOf(int sequences, int dynamicBytes) {
    const bool isMixed = kGeometry.mixesSequences(kShape, kDevice, sequences);
    const uint32 x = isMixed ? sequences : kBlocks, y = isMixed ? kBlocks : sequences;
    return {x, y, 1, kThreads, 1, uint32(dynamicBytes), 1, 0};
  }
  /// Launches of several numbers of sequences share this code: the grid itself tells, unless it is as wide as high.
  static __device__ __forceinline__ bool liesAlongX() {
    if (gridDim.y == kBlocks && kGeometry.mixesSequences(kShape, kDevice, kBlocks))
      return false;
    return gridDim.x == kBlocks;
  }

  /// The part of the problem that this thread's block owns, or that of another place in the grid.
  struct Block {
    static constexpr int kGroupHeads = Shape::kHeads / Shape::kGroups;
    int sequence, firstHead, inHead;
    int firstChannel = firstHead * kHeadDim + inHead; ///< among those of all heads
    int channels = kTileHeads > 1 ? kTile : minOf(kTile, kHeadDim - inHead);
    int group = firstHead / kGroupHeads;
    /// The first of the blocks that share B and C, or of those that share a head.
    bool isFirstOfGroup = firstHead % kGroupHeads == 0 && inHead == 0, isFirstOfHead = inHead == 0;
    int lane = threadIdx.x % kLanes, rowGroup = threadIdx.x / kLanes;

    struct PlaceInGrid {
      int sequence, tile;
    };
    __device__ __forceinline__ explicit Block(PlaceInGrid place)
        : sequence(place.sequence), firstHead(place.tile / kHeadTiles * kTileHeads),
          inHead(place.tile % kHeadTiles * kTile) {}

    __device__ __forceinline__ explicit Block(int x = blockIdx.x, int y = blockIdx.y)
        : Block(liesAlongX() ? PlaceInGrid{y, x} : PlaceInGrid{x, y}) {}
    /// The head of a channel of the tile, from the first on.
    static __device__ __forceinline__ int headOf(int channel) { return kTileHeads > 1 ? channel / kHeadDim : 0; }
    /// The thread's row `i` of a pass.
    __device__ __forceinline__ int rowOf(int pass, int i) const {
      return rowGroup + (pass * kThreadRows + i) * kRowGroups;
    }
    __device__ __forceinline__ bool hasRow(int pass, int i) const { return kHasAllRows || rowOf(pass, i) < channels; }
    __device__ __forceinline__ bool hasVector(int v) const {
      return kRowVectors % kLanes == 0 || lane + v * kLanes < kRowVectors;
    }
    __device__ __forceinline__ int columnOf(int v) const { return (lane + v * kLanes) * kVector; }
    __device__ __forceinline__ int offsetOf(int pass, int i, int v) const {
      return rowOf(pass, i) * kStateSize + columnOf(v);
    }
    /// The block's first channel among those of all slots.
    __device__ __forceinline__ long long channelOfSlots(int slot) const {
      return static_cast<long long>(slot) * (Shape::kHeads * kHeadDim) + firstChannel;
    }
  };

  State *tile;
  float *scales; ///< of a state of codes

  /// state: [slots, kHeads, kHeadDim, kStateSize]; scales: [slots, kHeads, kHeadDim].
  __device__ __forceinline__ SsmStateRows(const Block &block, State *state, float *scales, int slot)
      : tile(state + block.channelOfSlots(slot) * kStateSize), scales(nullptr) {
    if constexpr (kIsCoded<State>)
      this->scales = scales + block.channelOfSlots(slot);
  }

  static constexpr int kScales = kIsCoded<State> ? kTile : 0; ///< that land

  /// Where a state lands: the memory, stateBytes() of the geometry, that of its scales, and what tells that it is
  /// there.
  struct Landing {
    Vector *vectors;
    float *scales; ///< kScales
    uint64 *barrier;
    uint32 parity = 0;

    /// One thread's barrier is known to the others after a barrier of the block.
    __device__ __forceinline__ Landing(uint8 *memory, float *scales, uint64 *barrier)
        : vectors(reinterpret_cast<Vector *>(memory)), scales(scales), barrier(barrier) {
      if constexpr (kIsBulk) {
        if (threadIdx.x == 0) {
          initBarrier(sharedAddress(barrier), 1);
          fenceBarrierInit();
        }
        __syncwarp(); // nothing waits for it, but racecheck takes it for an order
      }
    }
    /// Waits for what was loaded last. The scales are there after waitCopies and a barrier.
    __device__ __forceinline__ void wait() {
      if constexpr (kIsBulk)
        bambac::wait(sharedAddress(barrier), parity);
      else
        waitCopies<0>();
      parity ^= 1;
    }
    /// The scale of a channel of the tile, 1 where the state has none.
    __device__ __forceinline__ float scaleOf(int channel) const {
      if constexpr (kIsCoded<State>)
        return scales[channel];
      else
        return 1.0f;
    }
    __device__ __forceinline__ const Vector &at(const Block &block, int pass, int i, int v) const {
      return vectors[block.offsetOf(pass, i, v) / kVector];
    }
  };

  /// Starts to copy the block's rows, in one copy where the device can, or each thread those that it takes; and their
  /// scales.
  __device__ __forceinline__ void load(const Block &block, const Landing &to) const {
    forEachOf<kThreads, kScales>([&](int channel) {
      if (channel < block.channels)
        copyStreaming(to.scales + channel, scales + channel);
    });
    if constexpr (kIsBulk) {
      if (threadIdx.x == 0) {
        const uint32 bytes = block.channels * kRowBytes, barrier = sharedAddress(to.barrier);
        arriveExpect(barrier, bytes);
        copyBulk(sharedAddress(to.vectors), tile, bytes, barrier, evictFirstPolicy());
      }
    } else {
#pragma unroll 1
      for (int pass = 0; pass < kPasses; ++pass)
        forEachVector(block, pass, [&](int i, int v) {
          const int offset = block.offsetOf(pass, i, v);
          copyStreaming(to.vectors + offset / kVector, tile + offset);
        });
    }
    commitCopies();
  }

  /// Asks for the rows of the block that takes this one's place, where that is of the last round of two: while blocks
  /// of the first wait for their inputs, memory has time for them.
  static __device__ __forceinline__ void prefetchNext(State *state, const int *slots) {
    constexpr int kRound = kGeometry.roundBlocks(kShape, kDevice);
    const int x = gridDim.x, all = x * gridDim.y;
    const int next = blockIdx.y * x + blockIdx.x + kRound;
    if (threadIdx.x != 0 || next >= all || all > 2 * kRound)
      return;
    const Block block(next % x, next / x);
    prefetchBulk(state + block.channelOfSlots(slots[block.sequence]) * kStateSize, block.channels * kRowBytes);
  }

  /// Calls `function(i, v)` for the thread's vectors of a pass, those of a row of lanes one after another.
  template <class Function>
  static __device__ __forceinline__ void forEachVector(const Block &block, int pass, const Function &function) {
#pragma unroll
    for (int v = 0; v < kLaneVectors; ++v)
#pragma unroll
      for (int i = 0; i < kThreadRows; ++i)
        if (block.hasRow(pass, i) && block.hasVector(v))
          function(i, v);
  }

  /// A pass' rows as f32.
  using Values = float[kThreadRows][kLaneVectors][kVector];

  /// Writes the thread's rows of a pass.
  __device__ __forceinline__ void write(const Block &block, int pass, const Values &values) const {
    if constexpr (!kIsCoded<State>) {
      forEachVector(block, pass,
                    [&](int i, int v) { storeStreaming<kVector>(tile + block.offsetOf(pass, i, v), values[i][v]); });
    } else {
#pragma unroll
      for (int i = 0; i < kThreadRows; ++i) // all lanes take part in each
        writeCodes(block, pass, i, values[i]);
    }
  }

  /// Adds the sums of a pass' rows over the lanes, and leaves them in `sums`.
  static __device__ __forceinline__ void finishSums(const Block &block, int pass, float (&rowSums)[kThreadRows],
                                                    float *sums) {
    using Sums = RowSums<kThreadRows, kLanes>;
    constexpr int kCopies = kLanes / (kThreadRows / Sums::kSums); // lanes that end with the same rows
    const int first = Sums::run(rowSums, block.lane);
#pragma unroll
    for (int k = 0; k < Sums::kSums; ++k)
      if (block.lane % kCopies == 0 && block.hasRow(pass, first + k))
        sums[block.rowOf(pass, first + k)] = rowSums[k];
  }

private:
  __device__ __forceinline__ void writeCodes(const Block &block, int pass, int i,
                                             const float (&values)[kLaneVectors][kVector]) const {
    float most = 0.0f;
#pragma unroll
    for (int v = 0; v < kLaneVectors; ++v)
      if (block.hasRow(pass, i) && block.hasVector(v))
#pragma unroll
        for (int k = 0; k < kVector; ++k)
          most = largerMagnitude(most, values[v][k]);
    const CodeScale scale(laneMagnitude<1, kLanes>(most));
    if (!block.hasRow(pass, i))
      return;
    if (block.lane == 0)
      scales[block.rowOf(pass, i)] = scale.scale;
#pragma unroll
    for (int v = 0; v < kLaneVectors; ++v)
      if (block.hasVector(v))
        storeCodes(tile + block.offsetOf(pass, i, v), values[v], scale.inverse);
  }
};

} // namespace bambac
