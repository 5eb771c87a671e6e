// y[r, n] = sum_k x[r, k] W[n, k] for 9 to 320 rows (decode batches, short prompts), bound by the weights' bytes:
// weights are the 64 rows of wgmma, the batch its columns. A deep ring keeps weights in flight on every multiprocessor.
// More rows than an instruction takes are two parts, of which a step with fewer rows multiplies less.
#pragma once
#include "wgmma/cluster_sums.cuh"
#include "wgmma/middle_products.cuh"

namespace bambac {

/// Shape: Operand, kRows, kColumns, kDepth and kInputStride (sizes of the launch, but for scales of groups),
/// kMultiprocessors, kSharedLimit; the fields of geometry::wgmma::LinearMiddle. With kSplit = 1 blocks are persistent;
/// otherwise every tile has its own cluster, the tiles should be few; then a tile may have some of the rows only.
template <class Shape, class Input, class Epilogue> class LinearMiddle {
  using Products = MiddleProducts<Shape, Input, Epilogue>;
  using Ring = typename Products::Ring;
  using Sums = typename Products::Sums;
  static constexpr auto kShape = Products::kShape;
  static constexpr auto kGeometry = Products::kGeometry;
  static constexpr int kTileRows = Shape::kTileRows, kTileColumns = Shape::kTileColumns;
  static constexpr int kTileDepth = Shape::kTileDepth, kSplit = Shape::kSplit;
  static constexpr int kConsumers = kGeometry.consumers();                                 // warpgroups
  static constexpr int kColumnBlocks = Products::kColumnBlocks, kParts = Products::kParts; // of a warpgroup
  static constexpr int kRowParts = Products::kRowParts, kRowsOfPart = Products::kRowsOfPart;
  static constexpr int kThreadsOfConsumers = 128 * kConsumers;
  static_assert(kHasCoreMatrices<Shape>, "the weight is read in panels of 8 rows, groups of 8 columns, padded to 64");

  static constexpr int kRowTiles = kGeometry.rowTiles(kShape);
  static constexpr int kTiles = kGeometry.tiles(kShape), kBlocks = kGeometry.blocks(kShape, kLimits<Shape>);

  // Sums lie transposed in the threads (a column of y is a row of wgmma), so they go through shared memory.
  // Alone, a warpgroup hands out 32 rows x 64 columns at a time; the ring is filled meanwhile.
  static constexpr int kSliceRows = kGeometry.sliceRows(), kSliceStride = kGeometry.kSliceStride;
  static constexpr int kSliceFloats = kSliceRows * kSliceStride;
  using Slice = Patch<Epilogue, kSliceRows, 64, kSliceStride, 128>;
  // In a cluster, each block leaves the whole tile where the ring was and finishes some of its rows.
  static constexpr int kTileStride = kGeometry.tileStride(), kShareRows = ceilDiv(kTileRows, kSplit);
  static constexpr int kPortionRows =
      maxOf(1, minOf(kShareRows, 2 * kThreadsOfConsumers * Slice::kSums / kTileColumns));
  using Portion = Patch<Epilogue, kPortionRows, kTileColumns, kTileStride, kThreadsOfConsumers>; // two items a thread

  static constexpr int kSharedBytes = kGeometry.sharedBytes();
  static_assert(kSharedBytes == Ring::kBytes + kGeometry.stagingBytes() + Ring::kBarrierBytes);

  /// Whether the epilogue begins to load before the tile is multiplied: more sums leave no registers for it.
  static constexpr bool kLoadsEarly = kGeometry.sums() <= 64;

public:
  static constexpr int kSteps = kGeometry.steps(kShape); ///< along the depth
  static_assert(areSteps<Shape>(kSteps, nullptr), "the launch counts them as the geometry does");
  static constexpr int kThreads = kGeometry.threads();
  /// Two where the sums need few registers: a norm's blocks lie beside this kernel's then, wait for it, or run while
  /// its ring is filled.
  static constexpr int kMinBlocks = kConsumers == 1 && Products::kHasFewSums ? 2 : 1;
  static constexpr Launch kLaunch = {
      kBlocks, 1, 1, kThreads, kSplit, kSharedBytes, 1, kLinearWorkspace<Input, Epilogue>};
  static constexpr TensorMap kInputMap = inputTensorMap(kShape, kRowsOfPart);
  static constexpr TensorMap kWeightMap = weightTensorMap(Shape::kColumns, kShape.words(), kTileColumns, kTileDepth);

  static __device__ __forceinline__ void run(const TensorMapParam &inputMap, const TensorMapParam &weightMap, int steps,
                                             const Epilogue &epilogue, const int *rows = nullptr,
                                             const Input &input = {}) {
    extern __shared__ __align__(1024) uint8 shared[];
    __builtin_assume(steps > 0);
    // Rows that are there, of the block's tile; those after them are not stored.
    const int allRows = rowCount<Shape::kRows>(rows), count = minOf(allRows - rowOfTile(), kTileRows);
    runRoles<Ring, kSharedBytes, kConsumers, 2, kMinBlocks>(
        shared, input, epilogue,
        [&](const Ring &ring, int loader) {
          if (loader == 0)
            loadWeights(ring, weightMap, steps, count);
          else
            loadInput(ring, inputMap, steps, count, input);
        },
        [] {
          if constexpr (kSplit > 1) {
            __syncwarp();
            syncCluster();
            syncCluster();
          }
        },
        [&](const Ring &ring, int consumer) {
          waitForPredecessors();
          makeInputForOthers<ConsumerTeam<kConsumers>, Shape::kRows, kBlocks>(input, allRows);
          if constexpr (kSplit > 1)
            multiplyShare(ring, consumer, steps, shared, epilogue, count);
          else
            multiplyTiles(ring, consumer, steps, shared, epilogue, count);
        });
  }

private:
  /// The steps along the depth, of `all`, that a block of a cluster takes: from firstStep(rank) to firstStep(rank + 1).
  static __device__ __forceinline__ int firstStep(int all, int rank) { return all * rank / kSplit; }
  static __device__ __forceinline__ int rankOfBlock() { return blockIdx.x % kSplit; }
  // Tiles of the same columns, which need the same weights, are neighbours.
  static __device__ __forceinline__ int firstColumnTile() { return blockIdx.x / kSplit / kRowTiles; }
  static __device__ __forceinline__ int rowOfTile() { return blockIdx.x / kSplit % kRowTiles * kTileRows; }

  /// A loading thread's way through the steps of one tile after the other: a division for each would hold it up.
  struct Walk {
    int first, steps, step, tile = firstColumnTile();

    __device__ __forceinline__ explicit Walk(int allSteps)
        : first(firstStep(allSteps, rankOfBlock())), steps(firstStep(allSteps, rankOfBlock() + 1) - first),
          step(first) {}
    __device__ __forceinline__ int stages() const {
      return steps * (kSplit > 1 ? 1 : (kTiles - firstColumnTile() + kBlocks - 1) / kBlocks);
    }
    __device__ __forceinline__ void advance() {
      const bool isLast = ++step == first + steps;
      step = isLast ? first : step;
      tile += isLast ? kBlocks : 0;
    }
  };
  /// Parts of the rows that are there; a cluster may have none.
  static __device__ __forceinline__ int partsOf(int count) {
    return minOf(ceilDiv(maxOf(count, 0), kRowsOfPart), kRowParts);
  }

  // A thread for each: one that starts both copies of a stage holds up steps of 32 to 128 rows of codes. Weights do not
  // depend on the kernels before this one, so as many as the ring holds are on their way before those have ended.
  static __device__ __forceinline__ void loadWeights(const Ring &ring, const TensorMapParam &weightMap, int allSteps,
                                                     int count) {
    prefetchMap(weightMap);
    const uint64 once = evictFirstPolicy();
    const int bytes = Ring::kStageBytes - (kRowParts - partsOf(count)) * (kRowsOfPart * kTileDepth * 2);
    Walk walk(allSteps);
    ring.fill(walk.stages(), [&](int slot) {
      arriveExpect(ring.full(slot), bytes);
      copyTensor(ring.weights(slot), weightMap, ring.full(slot), 0, walk.step * (kTileDepth / 8),
                 walk.tile * (kTileColumns / 8), once);
      walk.advance();
    });
  }
  static __device__ __forceinline__ void loadInput(const Ring &ring, const TensorMapParam &inputMap, int allSteps,
                                                   int count, const Input &input) {
    prefetchMap(inputMap);
    const int parts = partsOf(count);
    Walk walk(allSteps);
    waitForPredecessors();
    awaitInput(input);
    ring.fill(walk.stages(), [&](int slot) {
#pragma unroll
      for (int group = 0; group < kTileDepth / 64; ++group)
        for (int row = 0; row < parts * kRowsOfPart; row += kRowsOfPart)
          copyTensor(ring.input(slot) + (group * kTileRows + row) * 128, inputMap, ring.full(slot),
                     walk.step * kTileDepth + group * 64, rowOfTile() + row);
      walk.advance();
    });
    leaveInput(input);
  }

  /// Stores this thread's sums of `Groups` groups of 8 rows, from the `group`-th, into rows `Stride` floats apart;
  /// those from `rowEnd` of the part on are another part's.
  template <int Stride, int Groups>
  static __device__ __forceinline__ void transpose(const float (&sums)[kRowsOfPart / 2], int group, int rowEnd,
                                                   float *to) {
    int warp = threadIdx.x / 32 % 4, lane = threadIdx.x % 32;
    to += lane % 4 * 2 * Stride + warp * 16 + lane / 4;
#pragma unroll
    for (int j = 0; j < Groups; ++j)
#pragma unroll
      for (int i = 0; i < 4; ++i)
        if (group + j < kRowsOfPart / 8 && (kRowParts == 1 || (group + j) * 8 < rowEnd))
          to[(j * 8 + i % 2) * Stride + i / 2 * 8] = sums[(group + j) * 4 + i];
  }

  // --- one block a tile ---------------------------------------------------------------------------------------------

  static __device__ __forceinline__ void multiplyTiles(const Ring &ring, int consumer, int steps, uint8 *shared,
                                                       const Epilogue &epilogue, int count) {
    float *slice = reinterpret_cast<float *>(shared + Ring::kBytes) + consumer * kSliceFloats;
    Sums sums;
    RingPosition<Shape::kStages> at;
    for (int tile = firstColumnTile(); tile < kTiles; tile += kBlocks) {
      const int column = tile * kTileColumns + Products::firstColumn(consumer);
      Extras extras;
#pragma unroll
      for (int i = 0; i < kSlicesAhead; ++i)
        loadSlice(SliceOf(i, consumer, column, count), epilogue, extras[i]);
      clearSums(sums);
      Products::consume(ring, 0, steps, consumer, 0, tile * kTileColumns, epilogue, count, sums, at);
      finish(sums, consumer, column, slice, epilogue, count, extras);
    }
  }

  static constexpr int kSlicesOfPart = ceilDiv(kRowsOfPart, kSliceRows);
  static constexpr int kSlices = kColumnBlocks * kParts * kSlicesOfPart; ///< of a warpgroup
  /// For how many the epilogue loads ahead.
  static constexpr int kSlicesAhead = kLoadsEarly ? minOf(2, kSlices) : 0;
  using Extras = typename Slice::Extra[maxOf(kSlicesAhead, 1)][Slice::kItems];

  /// A warpgroup's slice number `i`.
  struct SliceOf {
    int group, row, rowEnd, column; ///< its first group of 8 rows of the part; where it lies in the linear
    __device__ __forceinline__ SliceOf(int i, int consumer, int column, int count)
        : group(i % kSlicesOfPart * (kSliceRows / 8)), column(column + i / (kSlicesOfPart * kParts) * 64) {
      const int first = Products::firstRow(consumer, i / kSlicesOfPart % kParts, count);
      row = first + group * 8;
      rowEnd = kRowParts == 1 ? count : minOf(count, first + Products::partRows(count));
    }
    __device__ __forceinline__ bool exists() const { return row < rowEnd; }
  };
  static __device__ __forceinline__ void loadSlice(const SliceOf &at, const Epilogue &epilogue,
                                                   typename Slice::Extra (&extra)[Slice::kItems]) {
    if (at.exists())
      Slice::load(epilogue, threadIdx.x % 128, at.row, at.rowEnd, at.column, extra);
  }

  /// Hands the sums of a warpgroup's columns from `column` on, of `count` rows, to the epilogue.
  static __device__ __forceinline__ void finish(const Sums &sums, int consumer, int column, float *slice,
                                                const Epilogue &epilogue, int count, Extras &extras) {
#pragma unroll
    for (int i = 0; i < kSlices; ++i) {
      const SliceOf at(i, consumer, column, count);
      auto &extra = extras[i % maxOf(kSlicesAhead, 1)];
      if (kSlicesAhead == 0)
        loadSlice(at, epilogue, extra);
      if (at.exists()) {
        syncNamed(1 + consumer, 128); // the slice before has been read
        transpose<kSliceStride, kSliceRows / 8>(sums[i / kSlicesOfPart], at.group, Products::partRows(count), slice);
        syncNamed(1 + consumer, 128);
        Slice::storePatch(epilogue, threadIdx.x % 128, at.row, at.rowEnd, at.column, extra, slice);
      }
      if (kSlicesAhead > 0 && i + kSlicesAhead < kSlices)
        loadSlice(SliceOf(i + kSlicesAhead, consumer, column, count), epilogue, extra);
    }
  }

  // --- a cluster a tile ---------------------------------------------------------------------------------------------

  static __device__ __forceinline__ void multiplyShare(const Ring &ring, int consumer, int allSteps, uint8 *shared,
                                                       const Epilogue &epilogue, int count) {
    const int rank = rankOfBlock(), first = firstStep(allSteps, rank), column = firstColumnTile() * kTileColumns;
    const Share share{rank * kShareRows, minOf((rank + 1) * kShareRows, count), rowOfTile(), column};
    Sums sums;
    RingPosition<Shape::kStages> at;
    clearSums(sums);
    typename Portion::Extra extra[Portion::kItems];
    if constexpr (kLoadsEarly)
      share.load(epilogue, share.first, extra);
    Products::consume(ring, first, firstStep(allSteps, rank + 1) - first, consumer, rowOfTile(), column, epilogue,
                      count, sums, at);
    syncNamed(1, kThreadsOfConsumers); // all stages have been read: the tile takes their place
#pragma unroll
    for (int i = 0; i < kColumnBlocks * kParts; ++i)
      if (int row = Products::firstRow(consumer, i % kParts, count); row < count)
        transpose<kTileStride, kRowsOfPart / 8>(sums[i], 0, Products::partRows(count),
                                                reinterpret_cast<float *>(shared) + row * kTileStride +
                                                    Products::firstColumn(consumer) + i / kParts * 64);
    if constexpr (!kLoadsEarly)
      share.load(epilogue, share.first, extra);
    finishShare(ring.stages, share, epilogue, extra);
  }

  /// The rows of the tile that this block finishes, from `first` to `end`; the tile begins with `row` and `column` of
  /// the linear.
  struct Share {
    int first, end, row, column;

    __device__ __forceinline__ void load(const Epilogue &epilogue, int from,
                                         typename Portion::Extra (&extra)[Portion::kItems]) const {
      Portion::load(epilogue, threadIdx.x - 128, row + from, row + end, column, extra);
    }
  };

  /// Hands the rows of this block's share on to the epilogue. `extra`: what that loads for the first portion, on its
  /// way before the other blocks' sums are read.
  static __device__ __forceinline__ void finishShare(uint32 tile, const Share &share, const Epilogue &epilogue,
                                                     typename Portion::Extra (&extra)[Portion::kItems]) {
    __syncwarp();
    syncCluster();
    for (int row = share.first; row < share.end; row += kPortionRows) {
      if (row != share.first)
        share.load(epilogue, row, extra);
      Portion::store(epilogue, threadIdx.x - 128, share.row + row, share.row + share.end, share.column, extra,
                     [=](int partRow, int sum, float (&total)[Portion::kSums]) {
                       addShares<kSplit>(tile + ((row + partRow) * kTileStride + sum) * 4, total);
                     });
    }
    __syncwarp();
    syncCluster(); // the others have read this block's tile
  }
};

} // namespace bambac
