// Attention of runs of tokens over the paged KV cache on wgmma (sm_90a), as FlashAttention-3 orders it: a warpgroup
// computes the scores of the next tile of keys while it multiplies the weights of this one by its values, and turns
// scores into weights while the tensor cores are at work on those values (Shah et al., "FlashAttention-3: Fast and
// Accurate Attention with Asynchrony and Low-precision", 2024).
//
// One warpgroup brings tiles of keys and values, each to the stage of its number % kStages; the others multiply.
// Barriers in shared memory, for keys and for values, tile i:
//
//   name      arrives                              count             waits                  parity
//   full(i)   threads that bring, with their part  128               those that multiply    (i / kStages) & 1
//   empty(i)  lane 0 of each multiplying warp      4 a warpgroup     threads that bring     (i / kStages + 1) & 1
//   named 1   those that multiply: queries are in  their threads     the same               -
#pragma once
#include "common/async.cuh"
#include "common/attention_runs.cuh"
#include "geometry/wgmma_attention.h"
#include "wgmma/panel_tile.cuh"
#include "wgmma/wgmma_registers_wide.cuh"

namespace bambac {

/// `Rows` vectors of one head in shared memory, as HeadRows, but in panels.
template <int HeadDim, int Rows> struct HeadPanels {
  using Panels = PanelTile<HeadDim, Rows>;
  static constexpr int kPadded = HeadDim, kCopyElements = 8, kCopies = HeadDim / kCopyElements;
  static constexpr int kElements = Rows * HeadDim, kPanelBytes = Panels::kPanelBytes;

  static __device__ __forceinline__ int offset(int row, int column) {
    return Panels::offset(row, column / 8) / 2 + column % 8;
  }
};

/// Shape: that of AttentionRuns; the fields of geometry::wgmma::Prefill.
template <class Shape, class Query, class Epilogue> class AttentionPrefill {
  struct Sizes {
    static constexpr geometry::AttentionShape kShape = kAttentionShape<Shape>;
    static constexpr geometry::wgmma::Prefill kGeometry = {Shape::kTileQueries, Shape::kTileKeys, Shape::kSingleSplits,
                                                           Shape::kSingleTileHeads};
  };
  using Runs = AttentionRuns<Sizes, Shape, Query, Epilogue>;
  using Work = typename Runs::Work;
  using Cached = typename Shape::Cached;
  using Operand = typename Shape::Operand;
  static constexpr int kHeadDim = Shape::kHeadDim, kTileKeys = Shape::kTileKeys;
  using QueryRows = HeadPanels<kHeadDim, Shape::kTileQueries>;
  using KeyRows = HeadPanels<kHeadDim, kTileKeys>;
  using Tile = AttentionTile<Operand, 1, kTileKeys, kHeadDim>;
  static constexpr int kStages = geometry::kPrefillStages;
  static_assert((QueryRows::kElements + 2 * kStages * KeyRows::kElements) * 2 + Shape::kTileQueries * 4 +
                    2 * kStages * geometry::kStageBarrierBytes ==
                Sizes::kGeometry.sharedBytes(Sizes::kShape));

  // The tile's scores and sums as the instructions name them, and the weights as their operand: of steps of 16 keys.
  using Scores = float[kTileKeys / 2];
  using Sums = float[kHeadDim / 2];
  using Weights = uint32[kTileKeys / 16][4];

  static constexpr int kConsumers = Sizes::kGeometry.consumers(), kConsumerThreads = kConsumers * 128;
  static constexpr int kBringers = 128;

public:
  static constexpr int kThreads = Runs::kThreads, kMinBlocks = Runs::kMinBlocks;
  static constexpr Launch kLaunch = Runs::kLaunch;
  static_assert(kThreads == kBringers + kConsumerThreads);

  static __device__ __forceinline__ void run(int pieces, int allRows, const Query &query, const Cached *keys,
                                             const Cached *values, const int *positions, const int *pages,
                                             const float *cacheScales, const int *starts, const Epilogue &epilogue,
                                             void *workspace = nullptr) {
    extern __shared__ __align__(1024) uint8 shared[];
    const Stages stages(shared);
    Runs::run(
        pieces, allRows, query, keys, values, positions, pages, cacheScales, starts, epilogue, workspace,
        stages.positions(), [&] { stages.initializeBarriers(); }, // seen by all after the positions are
        [&](const Work &work) {
          constexpr auto kGeometry = Sizes::kGeometry;
          if (threadIdx.x < kBringers) {
            if constexpr (kGeometry.sharesRegisters())
              releaseRegisters<kGeometry.kBringRegisters>();
            bring(work, stages);
          } else {
            if constexpr (kGeometry.sharesRegisters())
              claimRegisters<kGeometry.registers()>();
            multiply(work, stages, query, epilogue);
          }
        });
  }

private:
  /// A block's shared memory: queries, the stages of keys, those of values, positions, barriers.
  struct Stages {
    enum Kind { Keys, Values };
    Operand *const queries;

    __device__ __forceinline__ explicit Stages(uint8 *shared) : queries(reinterpret_cast<Operand *>(shared)) {}
    __device__ __forceinline__ Operand *tile(Kind kind, int number) const {
      return queries + QueryRows::kElements + (kind * kStages + number % kStages) * KeyRows::kElements;
    }
    __device__ __forceinline__ int *positions() const {
      return reinterpret_cast<int *>(queries + QueryRows::kElements + 2 * kStages * KeyRows::kElements);
    }
    __device__ __forceinline__ uint32 full(Kind kind, int number) const {
      return sharedAddress(positions() + Shape::kTileQueries) + (kind * kStages + number % kStages) * 16;
    }
    __device__ __forceinline__ uint32 empty(Kind kind, int number) const { return full(kind, number) + 8; }

    __device__ __forceinline__ void initializeBarriers() const {
      if (threadIdx.x != 0)
        return;
      for (Kind kind : {Keys, Values})
        for (int stage = 0; stage < kStages; ++stage) {
          initBarrier(full(kind, stage), kBringers);
          initBarrier(empty(kind, stage), 4 * kConsumers);
        }
      fenceBarrierInit();
    }
    /// Waits for a tile, and lets matrix instructions see it.
    __device__ __forceinline__ void waitFor(Kind kind, int number) const {
      wait(full(kind, number), number / kStages % 2);
      fenceAsyncProxy();
    }
    /// This warp has read the tile.
    __device__ __forceinline__ void release(Kind kind, int number) const {
      if (threadIdx.x % 32 == 0)
        arrive(empty(kind, number));
    }
  };

  /// The life of a thread that brings.
  static __device__ __forceinline__ void bring(const Work &work, const Stages &stages) {
    const int tiles = work.stream.tiles();
    typename Runs::Pages pages, next;
    auto copy = [&](typename Stages::Kind kind, const Cached *cache, int tile) {
      wait(stages.empty(kind, tile), (tile / kStages + 1) % 2); // at once in the first pass
      work.stream.template copyAsync<KeyRows, kBringers>(stages.tile(kind, tile), cache, pages, tile, threadIdx.x);
      if constexpr (Runs::kHasCodes) {
        fenceAsyncProxy(); // as after all stores for matrix instructions; of copies the readers do it
        arrive(stages.full(kind, tile));
      } else {
        arriveAfterCopies(stages.full(kind, tile));
      }
    };
    work.stream.lookUp(next, 0);
    for (int tile = 0; tile < tiles; ++tile) {
#pragma unroll
      for (int run = 0; run < Runs::kRuns; ++run)
        pages[run] = next[run];
      work.stream.lookUp(next, tile + 1);
      copy(Stages::Keys, work.stream.keys, tile);
      copy(Stages::Values, work.stream.values, tile);
    }
    waitCopies<0>();
  }

  /// The life of a multiplying thread.
  static __device__ __forceinline__ void multiply(const Work &work, const Stages &stages, const Query &query,
                                                  const Epilogue &epilogue) {
    const int thread = threadIdx.x - kBringers, firstRow = thread / 32 * 16, tiles = work.stream.tiles();
    work.template stage<QueryRows, kConsumerThreads>(stages.queries, query, thread);
    fenceAsyncProxy();
    syncNamed(1, kConsumerThreads);
    const uint32 queries = sharedAddress(stages.queries) + thread / 128 * (Sizes::kGeometry.kWarpgroupRows * 128);
    Tile tile;
    if (tiles > 0)
      attend(work, stages, queries, firstRow, tiles, tile);
    tile.finish();
    work.store(tile, firstRow, epilogue);
  }

  /// `queries`: those of this warpgroup, in shared memory; `firstRow`: this warp's.
  static __device__ __forceinline__ void attend(const Work &work, const Stages &stages, uint32 queries, int firstRow,
                                                int tiles, Tile &tile) {
    Weights weights;
    typename Tile::Factors kept;
    stages.waitFor(Stages::Keys, 0);
    multiplyQueries(tile, queries, stages.tile(Stages::Keys, 0));
    warpgroupWait<0>();
    fenceSums(scoresOf(tile));
    stages.release(Stages::Keys, 0);
    weigh(work, tile, firstRow, 0, kept);
    packWeights(tile, weights);
    // The last step stands apart: the assembler has to see which groups of instructions a wait is for.
    for (int i = 0; i + 1 < tiles; ++i) {
      stages.waitFor(Stages::Keys, i + 1);
      multiplyQueries(tile, queries, stages.tile(Stages::Keys, i + 1));
      stages.waitFor(Stages::Values, i);
      multiplyWeights(weights, stages.tile(Stages::Values, i), tile);
      warpgroupWait<1>();
      fenceSums(scoresOf(tile));
      stages.release(Stages::Keys, i + 1);
      const bool isRaised = weigh(work, tile, firstRow, (i + 1) * kTileKeys, kept);
      warpgroupWait<0>();
      fenceSums(sumsOf(tile));
      stages.release(Stages::Values, i);
      if (isRaised)
        tile.scaleSums(kept);
      fenceSums(scoresOf(tile)); // the weights before have been read
      packWeights(tile, weights);
    }
    stages.waitFor(Stages::Values, tiles - 1);
    multiplyWeights(weights, stages.tile(Stages::Values, tiles - 1), tile);
    warpgroupWait<0>();
    fenceSums(sumsOf(tile));
  }

  static __device__ __forceinline__ Scores &scoresOf(Tile &tile) { return reinterpret_cast<Scores &>(tile.scores); }
  static __device__ __forceinline__ Sums &sumsOf(Tile &tile) { return reinterpret_cast<Sums &>(tile.sums); }

  /// Starts scores = Q K^T: one group of matrix instructions.
  static __device__ __forceinline__ void multiplyQueries(Tile &tile, uint32 queries, const Operand *keys) {
    const uint64 a = swizzledDescriptor(queries), b = swizzledDescriptor(sharedAddress(keys));
    fenceSums(scoresOf(tile));
    warpgroupArrive();
#pragma unroll
    for (int step = 0; step < kHeadDim / 16; ++step)
      Wgmma<kTileKeys, Operand>::run(scoresOf(tile), advance(a, step / 4 * QueryRows::kPanelBytes + step % 4 * 32),
                                     advance(b, step / 4 * KeyRows::kPanelBytes + step % 4 * 32), step > 0);
    warpgroupCommit();
  }

  /// Starts sums += weights V: another group.
  static __device__ __forceinline__ void multiplyWeights(Weights &weights, const Operand *values, Tile &tile) {
    fenceSums(sumsOf(tile));
    fenceOperands(weights);
    warpgroupArrive();
    const uint64 b = transposedDescriptor(sharedAddress(values), KeyRows::kPanelBytes);
#pragma unroll
    for (int step = 0; step < kTileKeys / 16; ++step)
      WgmmaOfRegisters<kHeadDim, Operand>::run(sumsOf(tile), weights[step], advance(b, step * 2048));
    warpgroupCommit();
  }

  /// Turns scores into weights; the sums are to be scaled by `kept` where it returns true.
  static __device__ __forceinline__ bool weigh(const Work &work, Tile &tile, int firstRow, int firstKey,
                                               typename Tile::Factors &kept) {
    work.positions.mask(tile, firstRow, firstKey);
    const bool isRaised = tile.raiseMaxima(work.scales.score, kept);
    tile.weighScores(work.scales.score, kept);
    return isRaised;
  }

  static __device__ __forceinline__ void packWeights(const Tile &tile, Weights &weights) {
#pragma unroll
    for (int step = 0; step < kTileKeys / 16; ++step)
      tile.packWeights(weights[step], 0, step * 16);
    fenceOperands(weights); // here and not where the next scores are under way
  }
};

} // namespace bambac
