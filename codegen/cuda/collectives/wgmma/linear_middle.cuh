// y[r, n] = sum_k x[r, k] W[n, k] for 17 to 320 rows (decode batches, short prompts), bound by the weights' bytes:
// weights are the 64 rows of wgmma, the batch its columns. A deep ring keeps weights in flight on every multiprocessor.
// More rows than an instruction takes are two parts, of which a step with fewer rows multiplies less.
#pragma once
#include "geometry/wgmma_linear.h"
#include "wgmma/cluster_sums.cuh"
#include "wgmma/wgmma_pipeline.cuh"

namespace bambac {

/// Shape: Operand, kRows, kColumns, kDepth and kInputStride (sizes of the launch, but for scales of groups),
/// kMultiprocessors, kSharedLimit; the fields of geometry::wgmma::LinearMiddle. With kSplit = 1 blocks are persistent;
/// otherwise every tile has its own cluster, the tiles should be few.
template <class Shape, class Input, class Epilogue> class LinearMiddle {
  static constexpr geometry::LinearShape kShape = kLinearShape<Shape, Input, Epilogue>;
  static constexpr geometry::wgmma::LinearMiddle kGeometry = {Shape::kTileRows, Shape::kTileColumns, Shape::kTileDepth,
                                                              Shape::kStages, Shape::kSplit};
  static_assert(kGeometry.legal(kShape, kLimits<Shape>).isLegal(), "the schedule is legal");
  static constexpr int kTileRows = Shape::kTileRows, kTileColumns = Shape::kTileColumns;
  static constexpr int kTileDepth = Shape::kTileDepth, kSplit = Shape::kSplit;
  static constexpr int kConsumers = kGeometry.consumers();       // warpgroups
  static constexpr int kColumnBlocks = kGeometry.columnBlocks(); // of 64 columns, of a warpgroup
  static constexpr int kRowParts = kGeometry.rowParts(), kRowsOfPart = kGeometry.partRows();
  static constexpr int kRowGroups = kGeometry.rowGroups(), kParts = kRowParts / kRowGroups; // of a warpgroup
  static constexpr int kThreadsOfConsumers = 128 * kConsumers;
  static_assert(kHasCoreMatrices<Shape>, "the weight is read in panels of 8 rows, groups of 8 columns, padded to 64");

  static constexpr int kTiles = kGeometry.tiles(kShape), kBlocks = kGeometry.blocks(kShape, kLimits<Shape>);
  static constexpr bool kPromotes = kShape.promotes();

  using Ring = StageRing<Shape::kStages, kGeometry.inputBytes(), kGeometry.weightBytes(), 4 * kConsumers>;

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

  using Sums = float[kColumnBlocks * kParts][kRowsOfPart / 2];
  /// Of columns of the depth that share scales.
  static constexpr int kGroupCount = kShape.hasGroups() ? ceilDiv(Shape::kDepth, kShape.group) : 1;

public:
  static constexpr int kSteps = kGeometry.steps(kShape); ///< along the depth
  static_assert(areSteps<Shape>(kSteps, nullptr), "the launch counts them as the geometry does");
  static constexpr int kThreads = kGeometry.threads(), kMinBlocks = 1;
  static constexpr Launch kLaunch = {kBlocks,
                                     1,
                                     1,
                                     kThreads,
                                     kSplit,
                                     kSharedBytes,
                                     1,
                                     kEpilogueWorkspace<Epilogue>,
                                     kEpilogueMultiprocessors<Epilogue>};
  static constexpr TensorMap kInputMap = inputTensorMap(kShape, kRowsOfPart);
  static constexpr TensorMap kWeightMap = weightTensorMap(Shape::kColumns, kShape.words(), kTileColumns, kTileDepth);

  static __device__ __forceinline__ void run(const TensorMapParam &inputMap, const TensorMapParam &weightMap, int steps,
                                             const Epilogue &epilogue, const int *rows = nullptr) {
    extern __shared__ __align__(1024) uint8 shared[];
    __builtin_assume(steps > 0);
    const int count = rowCount<Shape::kRows>(rows); // rows after them are not stored
    runRoles<Ring, kSharedBytes, kConsumers, 2>(
        shared, epilogue,
        [&](const Ring &ring, int loader) {
          if (loader == 0)
            loadWeights(ring, weightMap, steps, count);
          else
            loadInput(ring, inputMap, steps, count);
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
  static __device__ __forceinline__ int firstTile() { return blockIdx.x / kSplit; }

  /// A loading thread's way through the steps of one tile after the other: a division for each would hold it up.
  struct Walk {
    int first, steps, step, tile = firstTile();

    __device__ __forceinline__ explicit Walk(int allSteps)
        : first(firstStep(allSteps, rankOfBlock())), steps(firstStep(allSteps, rankOfBlock() + 1) - first),
          step(first) {}
    __device__ __forceinline__ int stages() const {
      return steps * (kSplit > 1 ? 1 : (kTiles - firstTile() + kBlocks - 1) / kBlocks);
    }
    __device__ __forceinline__ void advance() {
      const bool isLast = ++step == first + steps;
      step = isLast ? first : step;
      tile += isLast ? kBlocks : 0;
    }
  };
  /// Parts of the rows that are there.
  static __device__ __forceinline__ int partsOf(int count) { return minOf(ceilDiv(count, kRowsOfPart), kRowParts); }

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
                                                   int count) {
    prefetchMap(inputMap);
    const int parts = partsOf(count);
    Walk walk(allSteps);
    waitForPredecessors();
    ring.fill(walk.stages(), [&](int slot) {
#pragma unroll
      for (int group = 0; group < kTileDepth / 64; ++group)
        for (int row = 0; row < parts * kRowsOfPart; row += kRowsOfPart)
          copyTensor(ring.input(slot) + (group * kTileRows + row) * 128, inputMap, ring.full(slot),
                     walk.step * kTileDepth + group * 64, row);
      walk.advance();
    });
  }

  // --- what a warpgroup multiplies ----------------------------------------------------------------------------------

  static __device__ __forceinline__ int firstColumn(int consumer) { return consumer / kRowGroups * kColumnBlocks * 64; }
  /// Where `count` rows are there, parts may have fewer than they have room for.
  static constexpr int kLeastRows = minOf(geometry::wgmma::kInstructionColumns / 2, kRowsOfPart);
  static constexpr int kSomeRows = minOf(kLeastRows + 8, kRowsOfPart);
  static __device__ __forceinline__ int partRows(int count) {
    if (kPromotes || count <= kRowsOfPart || count > kRowParts * kSomeRows)
      return kRowsOfPart;
    return count > kRowParts * kLeastRows ? kSomeRows : kLeastRows;
  }
  static __device__ __forceinline__ int firstRow(int consumer, int part, int count) {
    return kRowParts == 1 ? 0 : (consumer % kRowGroups * kParts + part) * partRows(count);
  }

  /// The operands of a stage that it reads: its columns of W and rows of x.
  static __device__ __forceinline__ uint64 weightsOf(const Ring &ring, int slot, int consumer) {
    return coreMatrixDescriptor(ring.weights(slot) + firstColumn(consumer) / 8 * kGroupBytes, 128, kGroupBytes);
  }
  static __device__ __forceinline__ uint64 inputOf(const Ring &ring, int slot, int firstRow) {
    return swizzledDescriptor(ring.input(slot) + firstRow * 128);
  }
  static constexpr int kGroupBytes = kTileDepth * 16; // of 8 weight rows

  /// The first `Rows` rows of a part of the sums.
  template <int Rows>
  static __device__ __forceinline__ auto firstRows(float (&sums)[kRowsOfPart / 2]) -> float (&)[Rows / 2] {
    return reinterpret_cast<float (&)[Rows / 2]>(sums);
  }

  /// Multiplies `Rows` rows of `Parts` parts in `steps` stages.
  template <int Rows, int Parts>
  static __device__ __forceinline__ void consumeRows(const Ring &ring, int steps, int consumer, Sums &sums,
                                                     RingPosition<Shape::kStages> &at) {
    ring.consume(sums, steps, at, [&](int slot) {
      uint64 weights = weightsOf(ring, slot, consumer);
      uint64 input = inputOf(ring, slot, consumer % kRowGroups * kParts * Rows);
#pragma unroll
      for (int i = 0; i < kTileDepth / 16 * kColumnBlocks * Parts; ++i) {
        const int part = i % Parts, block = i / Parts % kColumnBlocks, k = i / (Parts * kColumnBlocks);
        Wgmma<Rows, typename Shape::Operand>::run(firstRows<Rows>(sums[block * kParts + part]),
                                                  advance(weights, block * 8 * kGroupBytes + k * 256),
                                                  advance(input, (k / 4 * kTileRows + part * Rows) * 128 + k % 4 * 32));
      }
    });
  }

  /// The same of codes, but exact: some rows and 64 words of the depth at a time, whose sums are then added in f32.
  /// `column` is the first of the warpgroup.
  static __device__ __forceinline__ void multiplyCodes(const Ring &ring, int step, int slot, int consumer, int column,
                                                       const Epilogue &epilogue, int count, Sums &sums) {
    constexpr int kWords = kTileDepth / 64, kPromoted = kGeometry.promotedRows();
    constexpr int kPromotions = kGeometry.groupRows() / kPromoted, kItems = kWords * kColumnBlocks * kPromotions;
    const int first = firstRow(consumer, 0, count);
    uint64 weights = weightsOf(ring, slot, consumer), input = inputOf(ring, slot, first);
#pragma unroll
    for (int i = 0; i < kItems; ++i) {
      const int row = i % kPromotions * kPromoted, block = i / kPromotions % kColumnBlocks;
      const int word = i / (kPromotions * kColumnBlocks);
      if (kRowParts > 1 && first + row >= count) {
        if (i + 1 == kItems)
          ring.release(slot);
        continue;
      }
      float part[kPromoted / 2];
      fenceSums(part);
      warpgroupArrive();
#pragma unroll
      for (int k = 0; k < 4; ++k)
        Wgmma<kPromoted, e4m3>::run(part, advance(weights, block * 8 * kGroupBytes + (word * 4 + k) * 256),
                                    advance(input, (word * kTileRows + row) * 128 + k * 32), k > 0);
      warpgroupCommit();
      warpgroupWait<0>();
      fenceSums(part);
      if (i + 1 == kItems)
        ring.release(slot);
      const int group = (step * kWords + word) * geometry::kPromotedCodes / maxOf(kShape.group, 1);
      addSums(epilogue, &sums[block * kParts][0] + row / 2, part, first + row, column + block * 64, group);
      fenceSums(sums); // before the registers are used anew
    }
  }

  /// Adds sums of rows from `row` and 64 columns from `column` on. A column of y is a row of wgmma.
  template <int Count>
  static __device__ __forceinline__ void addSums(const Epilogue &epilogue, float *totals, const float (&sums)[Count],
                                                 int row, int column, int group) {
#pragma unroll
    for (int i = 0; i < Count; ++i)
      if constexpr (kShape.hasGroups()) {
        const int lane = threadIdx.x % 32, at = column + threadIdx.x / 32 % 4 * 16 + lane / 4 + i / 2 % 2 * 8;
        totals[i] += sums[i] * (epilogue.inputScale(minOf(row + i / 4 * 8 + lane % 4 * 2 + i % 2, Shape::kRows - 1),
                                                    minOf(group, kGroupCount - 1)) *
                                epilogue.weightScale(minOf(at, Shape::kColumns - 1), minOf(group, kGroupCount - 1)));
      } else {
        totals[i] += sums[i];
      }
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

  /// Multiplies `steps` stages, from step `first` of a tile on, whose first column is `column`.
  static __device__ __forceinline__ void consume(const Ring &ring, int first, int steps, int consumer, int column,
                                                 const Epilogue &epilogue, int count, Sums &sums,
                                                 RingPosition<Shape::kStages> &at) {
    if constexpr (kPromotes)
      consumeCodes(ring, steps, at, [&](int step, int slot) {
        multiplyCodes(ring, first + step, slot, consumer, column + firstColumn(consumer), epilogue, count, sums);
      });
    else if constexpr (kRowParts == 1)
      consumeRows<kRowsOfPart, 1>(ring, steps, consumer, sums, at);
    else if (firstRow(consumer, 0, count) >= count)
      ring.consume(sums, steps, at, [](int) {});
    else if (count <= kRowsOfPart)
      consumeRows<kRowsOfPart, 1>(ring, steps, consumer, sums, at);
    else if (partRows(count) == kLeastRows)
      consumeRows<kLeastRows, kParts>(ring, steps, consumer, sums, at);
    else if (partRows(count) == kSomeRows)
      consumeRows<kSomeRows, kParts>(ring, steps, consumer, sums, at);
    else
      consumeRows<kRowsOfPart, kParts>(ring, steps, consumer, sums, at);
  }

  // --- one block a tile ---------------------------------------------------------------------------------------------

  static __device__ __forceinline__ void multiplyTiles(const Ring &ring, int consumer, int steps, uint8 *shared,
                                                       const Epilogue &epilogue, int count) {
    float *slice = reinterpret_cast<float *>(shared + Ring::kBytes) + consumer * kSliceFloats;
    Sums sums;
    RingPosition<Shape::kStages> at;
    for (int tile = firstTile(); tile < kTiles; tile += kBlocks) {
      const int column = tile * kTileColumns + firstColumn(consumer);
      Extras extras;
#pragma unroll
      for (int i = 0; i < kSlicesAhead; ++i)
        loadSlice(SliceOf(i, consumer, column, count), epilogue, extras[i]);
      clearSums(sums);
      consume(ring, 0, steps, consumer, tile * kTileColumns, epilogue, count, sums, at);
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
      const int first = firstRow(consumer, i / kSlicesOfPart % kParts, count);
      row = first + group * 8;
      rowEnd = kRowParts == 1 ? count : minOf(count, first + partRows(count));
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
        transpose<kSliceStride, kSliceRows / 8>(sums[i / kSlicesOfPart], at.group, partRows(count), slice);
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
    const int rank = rankOfBlock(), first = firstStep(allSteps, rank), column = firstTile() * kTileColumns;
    const int shareRow = rank * kShareRows, shareEnd = minOf(shareRow + kShareRows, count);
    Sums sums;
    RingPosition<Shape::kStages> at;
    clearSums(sums);
    typename Portion::Extra extra[Portion::kItems];
    if constexpr (kLoadsEarly)
      Portion::load(epilogue, threadIdx.x - 128, shareRow, shareEnd, column, extra);
    consume(ring, first, firstStep(allSteps, rank + 1) - first, consumer, column, epilogue, count, sums, at);
    syncNamed(1, kThreadsOfConsumers); // all stages have been read: the tile takes their place
#pragma unroll
    for (int i = 0; i < kColumnBlocks * kParts; ++i)
      if (int row = firstRow(consumer, i % kParts, count); row < count)
        transpose<kTileStride, kRowsOfPart / 8>(sums[i], 0, partRows(count),
                                                reinterpret_cast<float *>(shared) + row * kTileStride +
                                                    firstColumn(consumer) + i / kParts * 64);
    if constexpr (!kLoadsEarly)
      Portion::load(epilogue, threadIdx.x - 128, shareRow, shareEnd, column, extra);
    finishShare(ring.stages, shareRow, shareEnd, column, epilogue, extra);
  }

  /// Hands the rows of this block's share, from `firstRow` to `rowEnd`, on to the epilogue. `extra`: what that loads
  /// for the first portion, on its way before the other blocks' sums are read.
  static __device__ __forceinline__ void finishShare(uint32 tile, int firstRow, int rowEnd, int column,
                                                     const Epilogue &epilogue,
                                                     typename Portion::Extra (&extra)[Portion::kItems]) {
    const int thread = threadIdx.x - 128;
    __syncwarp();
    syncCluster();
    for (int row = firstRow; row < rowEnd; row += kPortionRows) {
      if (row != firstRow)
        Portion::load(epilogue, thread, row, rowEnd, column, extra);
      Portion::store(epilogue, thread, row, rowEnd, column, extra,
                     [=](int partRow, int sum, float (&total)[Portion::kSums]) {
                       addShares<kSplit>(tile + ((row + partRow) * kTileStride + sum) * 4, total);
                     });
    }
    __syncwarp();
    syncCluster(); // the others have read this block's tile
  }
};

} // namespace bambac
