// What the attention kernels for runs of tokens share: the rows of a block, the keys that they see, page by page, who
// computes pieces of one row, and the way of the results out.
//
// A block takes kTileQueries query rows of one piece: neighbouring tokens times the heads of one KV head's group, which
// share the keys and values that it streams through shared memory, a tile of kTileKeys at a time.
#pragma once
#include "common/attention_decode.cuh"
#include "common/attention_tile.cuh"
#include "common/limits.cuh"
#include "common/pieces.cuh"

namespace bambac {

/// Shape: Operand and Cached (see below), kPieces, kRows, kHasRuns, kHeads, kKvHeads, kHeadDim, kPageTokens, kMaxPages,
/// kScale, kAligned, kMultiprocessors, kSharedLimit. kPieces and kRows are sizes of the launch. Sizes: kGeometry, a
/// geometry for runs, and kShape.
template <class Sizes, class Shape, class Query, class Epilogue> struct AttentionRuns {
  static constexpr geometry::AttentionShape kShape = Sizes::kShape;
  static constexpr auto kGeometry = Sizes::kGeometry;
  static_assert(kGeometry.legal(kShape, kLimits<Shape>).isLegal(), "the schedule is legal");
  static constexpr int kGroup = kShape.group(), kHeadDim = Shape::kHeadDim;
  static constexpr int kTileQueries = kGeometry.tileQueries, kTileKeys = kGeometry.tileKeys;
  static constexpr int kTileTokens = kGeometry.tileTokens(kShape); ///< the rows left over are empty
  static constexpr int kThreads = kGeometry.warps(kShape) * 32, kMinBlocks = kGeometry.minBlocks;

  using Cached = typename Shape::Cached;   ///< of the cache
  using Operand = typename Shape::Operand; ///< what queries and weights are rounded to: Cached, or f16 for codes
  using RowTile = PieceTile<kTileTokens>;
  static constexpr bool kHasCodes = kIsSame<Cached, e4m3>;

  // Pieces of one row that come first are for blocks of their own, after those of the tiles, as sequences of a decode.
  static constexpr bool kHasSingles = kGeometry.singleSplits > 0;
  struct SinglesShape : Shape {
    static constexpr geometry::AttentionDecode kDecode = geometry::singlesOf(kGeometry, kShape);
    static constexpr int kRows = Shape::kPieces, kSplits = kDecode.splits, kTileHeads = kDecode.tileHeads;
    static constexpr int kMinSplitTokens = kDecode.minSplitTokens, kWarps = kDecode.warps, kStages = kDecode.stages;
    static constexpr int kMinBlocks = kDecode.minBlocks;
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
                                     geometry::mostPieceTiles(kShape.pieces, kShape.rows, kTileTokens) +
                                         Singles<kHasSingles>::kRowsOfBlocks,
                                     1,
                                     kThreads,
                                     1,
                                     maxOf(kGeometry.sharedBytes(kShape), Singles<kHasSingles>::kSharedBytes),
                                     1,
                                     Singles<kHasSingles>::kWorkspaceBytes};

  /// Keys that lie in one page, and pages of a tile.
  static constexpr int kRun = kTileKeys % Shape::kPageTokens == 0   ? Shape::kPageTokens
                              : Shape::kPageTokens % kTileKeys == 0 ? kTileKeys
                                                                    : 16;
  static constexpr int kRuns = kTileKeys / kRun;
  using Pages = int[kRuns];

  /// The cache of this block's piece and KV head, read a tile of keys at a time.
  struct KeyStream {
    const Cached *keys, *values;
    const int *pages; ///< of the piece
    int head;
    int length; ///< keys in all

    __device__ __forceinline__ int tiles() const { return ceilDiv(length, kTileKeys); }
    /// The pages of a tile, which may be past the last one: a load from memory's latency, to be asked for early.
    __device__ __forceinline__ void lookUp(Pages &of, int tile) const {
#pragma unroll
      for (int run = 0; run < kRuns; ++run) {
        int key = tile * kTileKeys + run * kRun;
        of[run] = key < length ? pages[key / Shape::kPageTokens] : 0;
      }
    }
    /// Starts the copies of the keys or values of tile `tile`, whose pages are `at`, to rows at `to`. All of `Threads`
    /// threads call it.
    template <class Layout, int Threads>
    __device__ __forceinline__ void copyAsync(Operand *to, const Cached *cache, const Pages &at, int tile,
                                              int thread) const {
#pragma unroll
      for (int run = 0; run < kRuns; ++run) {
        int key = tile * kTileKeys + run * kRun;
        copyRowsAsync<Layout, kRun, Threads>(to + Layout::offset(run * kRun, 0),
                                             pagedVector<Shape>(cache, at[run], head, key % Shape::kPageTokens),
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
    /// Hides from each of a warp's rows, `firstRow` and on, the keys after its position, and everything from padding.
    /// `firstKey` is the first of the scores.
    template <class Tile> __device__ __forceinline__ void mask(Tile &tile, int firstRow, int firstKey) const {
      if (firstKey + Tile::kKeys - 1 <= first)
        return;
      int lane = threadIdx.x % 32, last[Tile::kRowTiles][2];
#pragma unroll
      for (int i = 0; i < Tile::kRowTiles * 2; ++i)
        last[i / 2][i % 2] = ofRow[firstRow + i * 8 + lane / 4] - firstKey;
      tile.mask(last, lane);
    }
  };

  /// What a block works on.
  struct Work {
    RowTile rows;
    Positions positions;
    KeyStream stream;
    AttentionScales<Shape> scales;

    /// Writes the tile's queries to `to`. All of `Threads` threads call it.
    template <class Layout, int Threads>
    __device__ __forceinline__ void stage(Operand *to, const Query &query, int thread) const {
      stageQueries<Shape, Layout, kTileQueries, Threads>(
          to, query,
          [&](int row) {
            return QuerySource{rows.first + row / kGroup, stream.head * kGroup + row % kGroup, positions.ofRow[row]};
          },
          thread);
    }

    /// Divides a warp's sums, of rows `firstRow` and on, by the weights and hands them to the epilogue, the two
    /// neighbours that a lane holds at once.
    template <class Tile>
    __device__ __forceinline__ void store(const Tile &tile, int firstRow, const Epilogue &epilogue) const {
      constexpr int kVector = kHeadDim % 2 == 0 && Epilogue::kVector >= 2 ? 2 : 1;
      const int lane = threadIdx.x % 32;
#pragma unroll
      for (int i = 0; i < Tile::kRowTiles * 2; ++i) {
        int row = firstRow + i * 8 + lane / 4, token = rows.first + row / kGroup;
        if (row >= kTileTokens * kGroup || token >= rows.end)
          continue;
        float weight = tile.weight[i / 2][i % 2];
        float inverse = weight > 0.0f ? scales.value / weight : 0.0f; // a padding row has seen nothing
#pragma unroll
        for (int dim = 0; dim < Tile::kDimTiles; ++dim)
#pragma unroll
          for (int j = 0; j < 2; j += kVector) {
            int column = dim * 8 + lane % 4 * 2 + j;
            int channel = (stream.head * kGroup + row % kGroup) * kHeadDim + column;
            if (Tile::Layout::kHasPadding && column >= kHeadDim)
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

  /// The life of a block: `prepare()` before what earlier kernels wrote is there, then `attend(work)` where it has
  /// rows. `rowPositions` is room for those of the tile's rows.
  template <class Prepare, class Attend>
  static __device__ __forceinline__ void run(int pieces, int allRows, const Query &query, const Cached *keys,
                                             const Cached *values, const int *positions, const int *pages,
                                             const float *cacheScales, const int *starts, const Epilogue &epilogue,
                                             void *workspace, int *rowPositions, Prepare prepare, Attend attend) {
    launchDependents();
    const int allTiles = geometry::mostPieceTiles(pieces, allRows, kTileTokens);
    if constexpr (kHasSingles) {
      if (blockIdx.y >= allTiles) {
        if (!isSingle(starts, 0))
          return waitForPredecessors();
        waitForPredecessors();
        const DecodeSizes sizes = {pieces, SinglesShape::kSplits, SinglesShape::kMinSplitTokens};
        Singles<kHasSingles>::Decode::work((blockIdx.y - allTiles) * Shape::kKvHeads + blockIdx.x,
                                           (gridDim.y - allTiles) * Shape::kKvHeads, sizes, query, keys, values,
                                           positions, pages, cacheScales, starts, epilogue, workspace);
        return;
      }
    }
    prepare();
    // The last tokens of a piece see the most keys: their blocks start first.
    const RowTile rows(starts, pieces, allTiles - 1 - blockIdx.y);
    const bool isLeft = rows.first >= rows.end || (kHasSingles && isSingle(starts, rows.piece));
    waitForPredecessors();
    if (isLeft)
      return;
    const Positions found(rowPositions, positions, rows);
    attend(Work{rows,
                found,
                {keys, values, pages + rows.piece * Shape::kMaxPages, static_cast<int>(blockIdx.x), found.last + 1},
                AttentionScales<Shape>(cacheScales)});
  }
};

} // namespace bambac
