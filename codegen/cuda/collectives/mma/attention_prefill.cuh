// Attention of runs of tokens over the paged KV cache: FlashAttention-2 on mma.sync.
//
// A block takes kTileQueries query rows of one piece: neighbouring tokens times the heads of one KV head's group, which
// share the keys and values that it streams through shared memory, a tile of kTileKeys at a time and the next tile in
// flight. A warp keeps 32 of the rows (16 for wide heads), so that a fragment of K or V read from shared memory serves
// two tiles.
#pragma once
#include "common/attention_decode.cuh"
#include "common/attention_tile.cuh"
#include "common/limits.cuh"
#include "common/pieces.cuh"

namespace bambac {

/// Shape: Operand and Cached (see below), kPieces, kRows, kHasRuns, kHeads, kKvHeads, kHeadDim, kPageTokens, kMaxPages,
/// kScale, kAligned, kMultiprocessors, kSharedLimit; the fields of geometry::AttentionPrefill. kPieces and kRows
/// are sizes of the launch.
template <class Shape, class Query, class Epilogue> struct AttentionPrefill {
  static constexpr geometry::AttentionShape kShape = kAttentionShape<Shape>;
  static constexpr geometry::AttentionPrefill kGeometry = {Shape::kTileQueries,  Shape::kTileKeys,
                                                           Shape::kStepKeys,     Shape::kMinBlocks,
                                                           Shape::kSingleSplits, Shape::kSingleTileHeads};
  static_assert(kGeometry.legal(kShape, kLimits<Shape>).isLegal(), "the schedule is legal");
  static constexpr int kGroup = kShape.group();
  static constexpr int kTileQueries = Shape::kTileQueries, kHeadDim = Shape::kHeadDim;
  static constexpr int kTileKeys = Shape::kTileKeys, kStepKeys = Shape::kStepKeys; ///< loaded, and multiplied at once
  static constexpr int kTileTokens = kGeometry.tileTokens(kShape);                 ///< the rows left over are empty
  static constexpr int kRowTiles = kGeometry.rowTiles(kShape);
  static constexpr int kThreads = kGeometry.threads(kShape), kMinBlocks = Shape::kMinBlocks;

  using Cached = typename Shape::Cached;   ///< of the cache
  using Operand = typename Shape::Operand; ///< what queries and weights are rounded to: Cached, or f16 for codes
  using Layout = HeadRows<kHeadDim>;
  using Tile = AttentionTile<Operand, kRowTiles, kStepKeys, kHeadDim>;
  using RowTile = PieceTile<kTileTokens>;

  /// Keys that lie in one page, and page lookups for a tile.
  static constexpr int kRun = kTileKeys % Shape::kPageTokens == 0   ? Shape::kPageTokens
                              : Shape::kPageTokens % kTileKeys == 0 ? kTileKeys
                                                                    : 16;
  static constexpr int kRuns = kTileKeys / kRun;

  static constexpr int kStages = kGeometry.kStages, kTileElements = kTileKeys * Layout::kStride;
  static constexpr int kQueryBytes = kGeometry.queryBytes(kShape);
  static constexpr int kSharedBytes = kGeometry.sharedBytes(kShape);

  // Pieces of one row that come first are for blocks of their own, after those of the tiles, as sequences of a decode.
  static constexpr bool kHasSingles = Shape::kSingleSplits > 0;
  struct SinglesShape : Shape {
    static constexpr int kRows = Shape::kPieces, kSplits = Shape::kSingleSplits, kTileHeads = Shape::kSingleTileHeads;
    static constexpr int kMinSplitTokens = kGeometry.kMinSplitTokens, kWarps = kGeometry.warps(kShape);
    static constexpr int kStages = kGeometry.kStages;
    static constexpr bool kHasRuns = false;
  };
  template <bool Exists, class Unused = void> struct Singles {
    using Decode = AttentionDecode<SinglesShape, Query, Epilogue>;
    static_assert(Decode::kThreads == kThreads, "they share a kernel");
    static constexpr int kSharedBytes = Decode::kLaunch.shared_bytes, kWorkspaceBytes = Decode::kLaunch.workspace;
    static constexpr int kRowsOfBlocks = ceilDiv(Decode::kGrid, Shape::kKvHeads); ///< of the grid
  };
  template <class Unused> struct Singles<false, Unused> {
    static constexpr int kSharedBytes = 0, kWorkspaceBytes = 0, kRowsOfBlocks = 0;
  };
  static constexpr Launch kLaunch = {Shape::kKvHeads,
                                     kGeometry.tiles(kShape) + Singles<kHasSingles>::kRowsOfBlocks,
                                     1,
                                     kThreads,
                                     1,
                                     maxOf(kSharedBytes, Singles<kHasSingles>::kSharedBytes),
                                     1,
                                     Singles<kHasSingles>::kWorkspaceBytes};

  /// The cache of this block's piece and KV head, read a tile of keys at a time, in order.
  struct KeyStream {
    const Cached *keys, *values;
    const int *pages; ///< of the piece
    int head;
    int length;      ///< keys in all
    int page[kRuns]; ///< of the tile that comes next: looked up one tile ahead, a load from memory's latency early

    __device__ __forceinline__ void lookUp(int tile) {
#pragma unroll
      for (int run = 0; run < kRuns; ++run) {
        int key = tile * kTileKeys + run * kRun;
        page[run] = key < length ? pages[key / Shape::kPageTokens] : 0;
      }
    }
    /// Starts the copies of tile `tile` (that lookUp was last called for) to `to`: keys, then values.
    __device__ __forceinline__ void copyAsync(Operand *to, int tile, int thread) const {
#pragma unroll
      for (int run = 0; run < kRuns; ++run) {
        int key = tile * kTileKeys + run * kRun, slot = key % Shape::kPageTokens;
        Operand *rows = to + run * kRun * Layout::kStride;
        copyRowsAsync<Layout, kRun, kThreads>(rows, pagedVector<Shape>(keys, page[run], head, slot), length - key,
                                              thread);
        copyRowsAsync<Layout, kRun, kThreads>(rows + kTileElements, pagedVector<Shape>(values, page[run], head, slot),
                                              length - key, thread);
      }
    }
  };

  /// The positions of the tile's rows, and what bounds them.
  struct Positions {
    int *ofRow; ///< in shared memory; -1 for padding
    int first, last;

    __device__ __forceinline__ Positions(int *shared, const int *positions, const RowTile &rows) : ofRow(shared) {
      for (int row = threadIdx.x; row < kTileQueries; row += kThreads) {
        int token = rows.first + row / kGroup;
        ofRow[row] = row < kTileTokens * kGroup && token < rows.end ? positions[token] : -1;
      }
      __syncthreads();
      first = 0x7fffffff, last = -1;
      for (int row = threadIdx.x % 32; row < kTileQueries; row += 32)
        first = min(first, ofRow[row]), last = max(last, ofRow[row]);
      first = __reduce_min_sync(0xffffffffu, first);
      last = __reduce_max_sync(0xffffffffu, last);
    }
    /// Hides from each of the warp's rows the keys after its position, and everything from padding.
    __device__ __forceinline__ void mask(Tile &tile, int warp, int lane, int firstKey) const {
      int last[kRowTiles][2];
#pragma unroll
      for (int i = 0; i < kRowTiles * 2; ++i)
        last[i / 2][i % 2] = ofRow[warp * 16 * kRowTiles + i * 8 + lane / 4] - firstKey;
      tile.mask(last, lane);
    }
  };

  static __device__ __forceinline__ void run(int pieces, int allRows, const Query &query, const Cached *keys,
                                             const Cached *values, const int *positions, const int *pages,
                                             const float *cacheScales, const int *starts, const Epilogue &epilogue,
                                             [[maybe_unused]] void *workspace = nullptr) {
    launchDependents();
    const int allTiles = geometry::mostPieceTiles(pieces, allRows, kTileTokens);
    if constexpr (kHasSingles) {
      if (blockIdx.y >= allTiles) {
        if (!isSingle(starts, 0))
          return waitForPredecessors();
        waitForPredecessors();
        const DecodeSizes sizes = {pieces, Shape::kSingleSplits, kGeometry.kMinSplitTokens};
        Singles<kHasSingles>::Decode::work((blockIdx.y - allTiles) * Shape::kKvHeads + blockIdx.x,
                                           (gridDim.y - allTiles) * Shape::kKvHeads, sizes, query, keys, values,
                                           positions, pages, cacheScales, starts, epilogue, workspace);
        return;
      }
    }
    extern __shared__ __align__(1024) uint8 shared[];
    Operand *queryTile = reinterpret_cast<Operand *>(shared);
    Operand *stages = reinterpret_cast<Operand *>(shared + kQueryBytes);
    int *rowPositions = reinterpret_cast<int *>(stages + kStages * 2 * kTileElements);
    int thread = threadIdx.x, warp = thread / 32, lane = thread % 32;
    int kvHead = blockIdx.x;
    if constexpr (Layout::kHasPadding)
      for (int i = thread; i < kStages * 2 * kTileElements; i += kThreads)
        stages[i] = Operand{0};

    // The last tokens of a piece see the most keys: their blocks start first.
    const RowTile tileRows(starts, pieces, allTiles - 1 - blockIdx.y);
    const bool isLeft = tileRows.first >= tileRows.end || (kHasSingles && isSingle(starts, tileRows.piece));
    waitForPredecessors();
    if (isLeft)
      return;
    const AttentionScales<Shape> scales(cacheScales);
    Positions rows(rowPositions, positions, tileRows);
    KeyStream stream{keys, values, pages + tileRows.piece * Shape::kMaxPages, kvHead, rows.last + 1};
    int tiles = ceilDiv(stream.length, kTileKeys);
    stream.lookUp(0);
    if (tiles > 0)
      stream.copyAsync(stages, 0, thread);
    commitCopies();
    stream.lookUp(1);
    stageQueries<Shape, kTileQueries, kThreads>(
        queryTile, query,
        [&](int row) {
          return QuerySource{tileRows.first + row / kGroup, kvHead * kGroup + row % kGroup, rowPositions[row]};
        },
        thread);

    Tile tile;
    const Operand *warpQueries = queryTile + warp * 16 * kRowTiles * Layout::kStride;
    for (int i = 0; i < tiles; ++i) {
      Operand *stage = stages + i % 2 * (2 * kTileElements), *nextStage = stages + (i + 1) % 2 * (2 * kTileElements);
      waitCopies<0>();
      __syncthreads(); // this tile has arrived from all threads, and all warps are done with the other stage
      if (i + 1 < tiles)
        stream.copyAsync(nextStage, i + 1, thread);
      commitCopies();
      stream.lookUp(i + 2);
#pragma unroll 1
      for (int step = 0; step < kTileKeys; step += kStepKeys) {
        int firstKey = i * kTileKeys + step;
        const Operand *stepKeys = stage + step * Layout::kStride;
        tile.multiplyKeys(warpQueries, stepKeys, lane);
        if (firstKey + kStepKeys - 1 > rows.first)
          rows.mask(tile, warp, lane, firstKey);
        tile.softmax(scales.score);
        tile.multiplyValues(stepKeys + kTileElements, lane);
      }
    }
    tile.finish();
    store(tile, scales.value, warp * 16 * kRowTiles, lane, tileRows, kvHead, epilogue);
  }

  /// Divides the sums by the weights and hands them to the epilogue, the two neighbours that a lane holds at once.
  static __device__ __forceinline__ void store(const Tile &tile, float scale, int firstTileRow, int lane,
                                               const RowTile &tileRows, int kvHead, const Epilogue &epilogue) {
    constexpr int kVector = kHeadDim % 2 == 0 && Epilogue::kVector >= 2 ? 2 : 1;
#pragma unroll
    for (int i = 0; i < kRowTiles * 2; ++i) {
      int row = firstTileRow + i * 8 + lane / 4, token = tileRows.first + row / kGroup;
      if (row >= kTileTokens * kGroup || token >= tileRows.end)
        continue;
      float weight = tile.weight[i / 2][i % 2];
      float inverse = weight > 0.0f ? scale / weight : 0.0f; // a padding row has seen nothing
#pragma unroll
      for (int dim = 0; dim < Tile::kDimTiles; ++dim)
#pragma unroll
        for (int j = 0; j < 2; j += kVector) {
          int column = dim * 8 + lane % 4 * 2 + j;
          int channel = (kvHead * kGroup + row % kGroup) * kHeadDim + column;
          if (Layout::kHasPadding && column >= kHeadDim)
            continue;
          float result[kVector];
#pragma unroll
          for (int v = 0; v < kVector; ++v)
            result[v] = tile.sums[i / 2][dim][i % 2 * 2 + j + v] * inverse;
          auto extra = epilogue.template load<kVector>(token, channel);
          epilogue.template store<kVector>(token, channel, result, extra);
        }
    }
  }
};

} // namespace bambac
