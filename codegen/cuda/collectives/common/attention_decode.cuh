// Attention of one token of each of many sequences over the paged KV cache.
//
// An item of work is one KV head of one split of one sequence's keys, with query heads that share the KV head as the
// rows of one tensor core tile: all of them, or, where they are many, an even part. Sequences are cut into splits by
// their own length alone, so that a result does not depend on its company; how the items of a launch then fall to
// blocks does not matter. Every warp streams its own keys, 16 at a time, through its own stages of shared memory, so
// that the loop has no barrier. The block that finishes a head's last split adds up the splits, in their order.
#pragma once
#include "common/decode_items.cuh"
#include "common/limits.cuh"
#include "common/pieces.cuh"
#include "common/staged_attention.cuh"

namespace bambac {

/// Shape: Operand and Cached (see below), kPieces (sequences), kRows, kHasRuns (not), kHeads, kKvHeads, kHeadDim,
/// kPageTokens, kMaxPages, kScale, kAligned, kMultiprocessors, kSharedLimit; the fields of geometry::AttentionDecode.
/// Of them kPieces, kRows, kSplits and kMinSplitTokens are sizes of the launch.
template <class Shape, class Query, class Epilogue> struct AttentionDecode {
  static constexpr geometry::AttentionShape kShape = kAttentionShape<Shape>;
  static constexpr geometry::AttentionDecode kGeometry = {geometry::knownSize(Shape::kSplits),
                                                          geometry::knownSize(Shape::kMinSplitTokens),
                                                          Shape::kTileHeads,
                                                          Shape::kWarps,
                                                          Shape::kStages,
                                                          Shape::kMinBlocks};
  static_assert(kGeometry.legal(kShape, kLimits<Shape>).isLegal(), "the schedule is legal");
  static constexpr int kHeadDim = Shape::kHeadDim;
  /// Query heads of a tile, such tiles of a sequence and of a KV head. In what follows a head is such a tile.
  static constexpr int kGroup = Shape::kTileHeads, kHeadTiles = Shape::kHeads / kGroup;
  static constexpr int kTilesOfGroup = kGeometry.tilesOfGroup(kShape);
  static constexpr int kRowTiles = kGeometry.rowTiles(), kRows = kRowTiles * 16;
  static constexpr int kWarps = Shape::kWarps, kThreads = kGeometry.threads(), kMinBlocks = Shape::kMinBlocks;
  static constexpr int kStages = Shape::kStages;
  static constexpr int kTileKeys = kGeometry.kTileKeys, kStepKeys = kTileKeys * kWarps; ///< of a warp, of a block

  using Cached = typename Shape::Cached;   ///< of the cache
  using Operand = typename Shape::Operand; ///< what queries and weights are rounded to: Cached, or f16 for codes
  using Layout = HeadRows<kHeadDim>;       ///< of the queries
  using Tile = AttentionTile<Operand, kRowTiles, kTileKeys, kHeadDim>;
  using Staged = StagedAttention<kShape.keepsCodes(), Operand, kRowTiles, kGroup, kTileKeys, kHeadDim>;

  // --- the work and its order -------------------------------------------------------------------------------------

  static constexpr int kGrid = kGeometry.blocks(kShape, kLimits<Shape>);

  using Items = DecodeItems<kStepKeys, kHeadTiles>;
  using Item = typename Items::Item;

  // --- shared memory and workspace --------------------------------------------------------------------------------

  static constexpr int kTileElements = kTileKeys * Staged::Layout::kStride;
  static constexpr int kWarpElements = kGeometry.warpBytes(kShape) / 2;
  static_assert(kStages * 2 * kTileElements <= kWarpElements, "the geometry counts the stages");

  /// In shared memory, at its start.
  struct Shared {
    Operand queries[kRows * Layout::kStride];
    Operand stages[kWarps * kWarpElements];
    int nextItem, isLast;
  };
  static_assert(sizeof(Shared) == kGeometry.fixedBytes(kShape));

  /// A split's result in the workspace: sums [kGroup, kHeadDim], then the maxima and the weights [kGroup].
  static constexpr int kSums = kGroup * kHeadDim, kPartFloats = alignTo(kSums + 2 * kGroup, 32);
  static constexpr int kWorkspaceBytes = kGeometry.splits > 1 ? kGeometry.items(kShape) * kPartFloats * 4 : 0;

  static constexpr Launch kLaunch = {kGrid, 1, 1, kThreads, 1, kGeometry.sharedBytes(kShape), 1, kWorkspaceBytes};

  // --- the kernel -------------------------------------------------------------------------------------------------

  DecodeSizes sizes;
  Query query;
  const Cached *keys, *values;
  const int *positions, *pages;
  AttentionScales<Shape> scales;
  const Epilogue &epilogue;
  uint32 *counters; ///< [0]: items handed out beyond the first of each block; then splits done of each head
  float *parts;
  Shared &shared;
  // After it in shared memory. Of each part (a warp's or a split's result) the maxima of its heads, in units of exp2,
  // and the weights, partFactors() of each; and the first split of each sequence.
  float *maxima, *weights;
  int *firstSplit;

  static __device__ __forceinline__ void run(const DecodeSizes &sizes, const Query &query, const Cached *keys,
                                             const Cached *values, const int *positions, const int *pages,
                                             const float *scales, const Epilogue &epilogue, void *workspace = nullptr) {
    launchDependents();
    waitForPredecessors();
    work(blockIdx.x, gridDim.x, sizes, query, keys, values, positions, pages, scales, nullptr, epilogue, workspace);
  }

  /// The part of block `block` of `blocks`, after waitForPredecessors(). `starts`: null, or as numberSplits() has it.
  static __device__ __forceinline__ void work(int block, int blocks, const DecodeSizes &sizes, const Query &query,
                                              const Cached *keys, const Cached *values, const int *positions,
                                              const int *pages, const float *scales, const int *starts,
                                              const Epilogue &epilogue, void *workspace) {
    extern __shared__ __align__(1024) uint8 sharedMemory[];
    uint32 *counters = static_cast<uint32 *>(workspace);
    constexpr geometry::AttentionDecode kDecode = kGeometry;
    const int factors = kDecode.partFactors(sizes.splits);
    float *maxima = reinterpret_cast<float *>(sharedMemory + sizeof(Shared)), *weights = maxima + factors;
    AttentionDecode{sizes,
                    query,
                    keys,
                    values,
                    positions,
                    pages,
                    AttentionScales<Shape>(scales),
                    epilogue,
                    counters,
                    reinterpret_cast<float *>(counters + kWorkspaceCounters),
                    *reinterpret_cast<Shared *>(sharedMemory),
                    maxima,
                    weights,
                    reinterpret_cast<int *>(weights + factors)}
        .runItems(block, blocks, starts);
  }

  /// Works through the items: the first by the block's number, further ones as blocks become free.
  __device__ __forceinline__ void runItems(int block, int blocks, const int *starts) {
    if (threadIdx.x < 32)
      Items::numberSplits(sizes, positions, starts, firstSplit, threadIdx.x);
    __syncthreads();
    const int items = firstSplit[sizes.sequences] * kHeadTiles;
    const bool areMore = sizes.sequences * sizes.splits * kHeadTiles > blocks; // than blocks, in some step
    for (int index = block; index < items;) {
      int next = items;
      if (areMore && threadIdx.x == 0) {
        uint32 handedOut = atomicAdd(&counters[0], 1);
        next = blocks + handedOut;
        if (handedOut == items - 1) // as many requests as items: this was the last
          counters[0] = 0;
      }
      runItem(Item(sizes, index, firstSplit, positions));
      if (!areMore)
        return;
      if (threadIdx.x == 0)
        shared.nextItem = next;
      __syncthreads(); // also: the item's shared memory is free
      index = shared.nextItem;
    }
  }

  __device__ __forceinline__ void runItem(const Item &item) {
    int thread = threadIdx.x, warp = thread / 32, lane = thread % 32;
    Tile tile;
    streamKeys(item, tile, warp, lane);
    tile.finish();
    leaveSums(tile, warp, lane);
    __syncthreads();
    const float *sums = reinterpret_cast<const float *>(shared.stages);
    // One call for whole sequences and for splits: compilers copy it wherever it stands.
    const bool isWhole = item.splits == 1;
    float *headParts =
        parts + static_cast<long long>(item.sequence * kHeadTiles + item.head) * (sizes.splits * kPartFloats);
    addParts(item, kWarps, sums, kWarpElements / 2, isWhole ? nullptr : headParts + item.split * kPartFloats);
    if (isWhole || !arrivesLast(item))
      return;
    for (int i = thread; i < item.splits * kGroup; i += kThreads) {
      const float *part = headParts + i / kGroup * kPartFloats + kSums + i % kGroup;
      maxima[i] = part[0];
      weights[i] = part[kGroup];
    }
    __syncthreads();
    addParts(item, item.splits, headParts, kPartFloats, nullptr);
  }

  /// Whether all other splits of the head are done; their parts can then be read.
  __device__ __forceinline__ bool arrivesLast(const Item &item) {
    __syncthreads();
    if (threadIdx.x == 0) {
      uint32 *counter = &counters[1 + item.sequence * kHeadTiles + item.head];
      __threadfence();
      shared.isLast = atomicAdd(counter, 1) == item.splits - 1;
      if (shared.isLast)
        *counter = 0;
      __threadfence();
    }
    __syncthreads();
    return shared.isLast;
  }

  // --- a warp's keys ----------------------------------------------------------------------------------------------

  /// A warp's tiles of keys, in order: tile i begins at key `begin + i * kStepKeys`.
  struct KeyStream {
    const Cached *keys, *values;
    const int *pages; ///< of the sequence
    int head, begin, end;
    int lane;
    int window, nextWindow; ///< page of tile `lane` of the current 32 tiles, and of the 32 after them

    __device__ __forceinline__ int tiles() const { return ceilDiv(max(end - begin, 0), kStepKeys); }
    __device__ __forceinline__ int lookUp(int tile) const {
      int key = begin + tile * kStepKeys;
      return key < end ? pages[key / Shape::kPageTokens] : 0;
    }
    /// Starts the copies of tile `tile`: keys to `stage`, values after them. Called with one tile after the other.
    __device__ __forceinline__ void copyAsync(Operand *stage, int tile) {
      if (tile % 32 == 0) {
        window = tile == 0 ? lookUp(lane) : nextWindow;
        nextWindow = lookUp(tile + 32 + lane);
      }
      int page = __shfl_sync(0xffffffffu, window, tile % 32);
      int key = begin + tile * kStepKeys, slot = key % Shape::kPageTokens;
      Staged::copyAsync(stage, pagedVector<Shape>(keys, page, head, slot), end - key, lane);
      Staged::copyAsync(stage + kTileElements, pagedVector<Shape>(values, page, head, slot), end - key, lane);
    }
  };

  /// Takes the warp's share of the item's keys into `tile`. Stages the queries too, once the first loads are under way.
  __device__ __forceinline__ void streamKeys(const Item &item, Tile &tile, int warp, int lane) {
    Operand *stages = shared.stages + warp * kWarpElements;
    if constexpr (Layout::kHasPadding) { // the last item's sums lie there
      for (int i = lane; i < kWarpElements; i += 32)
        stages[i] = Operand{0};
      __syncwarp();
    }
    KeyStream stream{keys,
                     values,
                     pages + item.sequence * Shape::kMaxPages,
                     item.head / kTilesOfGroup,
                     item.begin + warp * kTileKeys,
                     item.end,
                     lane};
    int tiles = stream.tiles();
    for (int i = 0; i < kStages - 1; ++i) {
      if (i < tiles)
        stream.copyAsync(stages + i * 2 * kTileElements, i);
      commitCopies();
    }
    int position = positions[item.sequence];
    stageQueries<Shape, Layout, kRows, kThreads>(
        shared.queries, query,
        [&](int row) { return QuerySource{item.sequence, item.head * kGroup + row, row < kGroup ? position : -1}; },
        threadIdx.x);
    __syncthreads();
    Staged staged;
    staged.loadQueries(shared.queries, lane);

    for (int i = 0, stage = 0; i < tiles; ++i, stage = stage + 1 == kStages ? 0 : stage + 1) {
      waitCopies<kStages - 2>();
      __syncwarp(); // the tile has arrived from all lanes, and all are done with the one before
      int ahead = i + kStages - 1, freeStage = stage == 0 ? kStages - 1 : stage - 1;
      if (ahead < tiles)
        stream.copyAsync(stages + freeStage * 2 * kTileElements, ahead);
      commitCopies();
      const Operand *tileKeys = stages + stage * 2 * kTileElements;
      staged.multiplyKeys(tile, tileKeys, lane);
      maskEnd(tile, item.end - 1 - (stream.begin + i * kStepKeys), lane);
      tile.softmax(scales.score);
      Staged::multiplyValues(tile, tileKeys + kTileElements, lane);
    }
  }

  /// Hides the keys after `last`, counted from the first key of the tile.
  static __device__ __forceinline__ void maskEnd(Tile &tile, int last, int lane) {
    if (last >= kTileKeys - 1)
      return;
    int lastOfRow[kRowTiles][2];
#pragma unroll
    for (int i = 0; i < kRowTiles * 2; ++i)
      lastOfRow[i / 2][i % 2] = last;
    tile.mask(lastOfRow, lane);
  }

  // --- partial results --------------------------------------------------------------------------------------------

  /// Leaves the warp's result in shared memory: the sums [kGroup, kHeadDim] where its keys were.
  __device__ __forceinline__ void leaveSums(const Tile &tile, int warp, int lane) {
    float *sums = reinterpret_cast<float *>(shared.stages + warp * kWarpElements);
    __syncwarp();
#pragma unroll
    for (int i = 0; i < kRowTiles * 2; ++i) {
      int row = i * 8 + lane / 4;
      if (row >= kGroup)
        continue;
      if (lane % 4 == 0) {
        maxima[warp * kGroup + row] = tile.maximum[i / 2][i % 2] * scales.score;
        weights[warp * kGroup + row] = tile.weight[i / 2][i % 2];
      }
#pragma unroll
      for (int dim = 0; dim < Tile::kDimTiles; ++dim)
#pragma unroll
        for (int j = 0; j < 2; ++j) {
          int column = Staged::columnOf(dim, lane % 4 * 2 + j);
          if (!Layout::kHasPadding || column < kHeadDim)
            sums[row * kHeadDim + column] = tile.sums[i / 2][dim][i % 2 * 2 + j];
        }
    }
  }

  /// Elements of a result that a thread adds up.
  static __host__ __device__ constexpr int partVector() {
    int vector = minOf(4, Epilogue::kVector);
    while (kHeadDim % vector)
      vector /= 2;
    return vector;
  }

  /// Adds up `count` parts, `stride` floats apart from `sums` on, with the maxima and weights in shared memory, under
  /// their common maximum. The result goes as a part to `part`, or, if that is null, divided by its weight to the
  /// epilogue.
  __device__ __forceinline__ void addParts(const Item &item, int count, const float *sums, int stride, float *part) {
    constexpr int kVector = partVector(), kAhead = 8; // loads in flight
    for (int element = threadIdx.x * kVector; element < kSums; element += kThreads * kVector) {
      int head = element / kHeadDim;
      float maximum = negativeInfinity(), weight = 0.0f, total[kVector] = {};
      for (int i = 0; i < count; ++i)
        maximum = fmaxf(maximum, maxima[i * kGroup + head]);
      float base = maximum == negativeInfinity() ? 0.0f : maximum; // no keys at all
      for (int first = 0; first < count; first += kAhead) {
        float values[kAhead][kVector] = {};
#pragma unroll
        for (int i = 0; i < kAhead; ++i)
          if (first + i < count)
            loadVector(sums + (first + i) * stride + element, values[i]);
#pragma unroll
        for (int i = 0; i < kAhead; ++i) {
          if (first + i >= count)
            continue;
          float factor = exp2Fast(maxima[(first + i) * kGroup + head] - base);
          weight = fmaf(factor, weights[(first + i) * kGroup + head], weight);
#pragma unroll
          for (int v = 0; v < kVector; ++v)
            total[v] = fmaf(factor, values[i][v], total[v]);
        }
      }
      if (part) {
        storeVector(part + element, total);
        if (element % kHeadDim == 0)
          part[kSums + head] = maximum, part[kSums + kGroup + head] = weight;
        continue;
      }
      float inverse = weight > 0.0f ? scales.value / weight : 0.0f; // padding has seen nothing
#pragma unroll
      for (int v = 0; v < kVector; ++v)
        total[v] *= inverse;
      int channel = item.head * kSums + element;
      auto extra = epilogue.template load<kVector>(item.sequence, channel);
      epilogue.template store<kVector>(item.sequence, channel, total, extra);
    }
  }
};

} // namespace bambac
