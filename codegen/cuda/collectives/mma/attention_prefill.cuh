// Attention of runs of tokens over the paged KV cache: FlashAttention-2 on mma.sync.
//
// The next tile of keys and values is in flight while one is multiplied. A warp keeps 32 of the rows (16 for wide
// heads), so that a fragment of K or V read from shared memory serves two tiles.
#pragma once
#include "common/attention_runs.cuh"

namespace bambac {

/// Shape: that of AttentionRuns; the fields of geometry::mma::Prefill.
template <class Shape, class Query, class Epilogue> class AttentionPrefill {
  struct Sizes {
    static constexpr geometry::AttentionShape kShape = kAttentionShape<Shape>;
    static constexpr geometry::mma::Prefill kGeometry = {Shape::kTileQueries,  Shape::kTileKeys,
                                                         Shape::kStepKeys,     Shape::kMinBlocks,
                                                         Shape::kSingleSplits, Shape::kSingleTileHeads};
  };
  using Runs = AttentionRuns<Sizes, Shape, Query, Epilogue>;
  using Cached = typename Shape::Cached;
  using Operand = typename Shape::Operand;
  using Layout = HeadRows<Shape::kHeadDim>;
  static constexpr int kRowTiles = Sizes::kGeometry.rowTiles(Sizes::kShape);
  static constexpr int kTileKeys = Shape::kTileKeys, kStepKeys = Shape::kStepKeys; ///< loaded, and multiplied at once
  using Tile = AttentionTile<Operand, kRowTiles, kStepKeys, Shape::kHeadDim>;
  static constexpr int kStages = geometry::kPrefillStages, kTileElements = kTileKeys * Layout::kStride;
  static constexpr int kQueryBytes = Sizes::kGeometry.queryBytes(Sizes::kShape);

public:
  static constexpr int kThreads = Runs::kThreads, kMinBlocks = Runs::kMinBlocks;
  static constexpr Launch kLaunch = Runs::kLaunch;

  static __device__ __forceinline__ void run(int pieces, int allRows, const Query &query, const Cached *keys,
                                             const Cached *values, const int *positions, const int *pages,
                                             const float *cacheScales, const int *starts, const Epilogue &epilogue,
                                             void *workspace = nullptr) {
    extern __shared__ __align__(1024) uint8 shared[];
    Operand *queryTile = reinterpret_cast<Operand *>(shared);
    Operand *stages = reinterpret_cast<Operand *>(shared + kQueryBytes);
    int *rowPositions = reinterpret_cast<int *>(stages + kStages * 2 * kTileElements);
    Runs::run(
        pieces, allRows, query, keys, values, positions, pages, cacheScales, starts, epilogue, workspace, rowPositions,
        [&] {
          if constexpr (Layout::kHasPadding)
            for (int i = threadIdx.x; i < kStages * 2 * kTileElements; i += kThreads)
              stages[i] = Operand{0};
        },
        [&](const typename Runs::Work &work) { attend(work, query, queryTile, stages, epilogue); });
  }

private:
  static __device__ __forceinline__ void attend(const typename Runs::Work &work, const Query &query, Operand *queryTile,
                                                Operand *stages, const Epilogue &epilogue) {
    const int lane = threadIdx.x % 32, firstRow = threadIdx.x / 32 * 16 * kRowTiles, tiles = work.stream.tiles();
    typename Runs::Pages pages; // of the tile that comes next
    auto copy = [&](int tile) {
      Operand *stage = stages + tile % kStages * (2 * kTileElements);
      work.stream.template copyAsync<Layout, kThreads>(stage, work.stream.keys, pages, tile, threadIdx.x);
      work.stream.template copyAsync<Layout, kThreads>(stage + kTileElements, work.stream.values, pages, tile,
                                                       threadIdx.x);
    };
    work.stream.lookUp(pages, 0);
    if (tiles > 0)
      copy(0);
    commitCopies();
    work.stream.lookUp(pages, 1);
    work.template stage<Layout, kThreads>(queryTile, query, threadIdx.x);

    Tile tile;
    for (int i = 0; i < tiles; ++i) {
      const Operand *stage = stages + i % kStages * (2 * kTileElements);
      waitCopies<0>();
      __syncthreads(); // this tile has arrived from all threads, and all warps are done with the other stage
      if (i + 1 < tiles)
        copy(i + 1);
      commitCopies();
      work.stream.lookUp(pages, i + 2);
#pragma unroll 1
      for (int step = 0; step < kTileKeys; step += kStepKeys) {
        const Operand *stepKeys = stage + step * Layout::kStride;
        tile.multiplyKeys(queryTile + firstRow * Layout::kStride, stepKeys, lane);
        work.positions.mask(tile, firstRow, i * kTileKeys + step);
        tile.softmax(work.scales.score);
        tile.multiplyValues(stepKeys + kTileElements, lane);
      }
    }
    tile.finish();
    work.store(tile, firstRow, epilogue);
  }
};

} // namespace bambac
