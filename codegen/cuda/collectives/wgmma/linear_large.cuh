// y[r, n] = sum_k x[r, k] W[n, k] for many rows (prefill): tokens are the 64 rows of wgmma, weights its columns.
// Persistent blocks of one loading and two multiplying warpgroups; the loads of the next tile run under the epilogue.
// Tiles of rows that are not there do not exist; how wide tiles are is chosen by the rows that are. Where sums are not
// promoted, blocks take tiles as they get ready for them, and the last tiles may be split (large_tiles.cuh). A tile in
// which only one warpgroup has rows leaves it the tensor cores and takes less time.
#pragma once
#include "geometry/wgmma_linear.h"
#include "wgmma/large_tiles.cuh"
#include "wgmma/split_sums.cuh"
#include "wgmma/wgmma_pipeline.cuh"

namespace bambac {

/// Shape: Operand, kRows (a size of the launch where tiles have one width), kColumns, kDepth and kInputStride (sizes of
/// the launch); all of these are known where groups of codes have scales; kMultiprocessors, kSharedLimit; the fields of
/// geometry::wgmma::LinearLarge.
template <class Shape, class Input, class Epilogue> class LinearLarge {
  struct Sizes {
    static constexpr geometry::LinearShape kShape = kLinearShape<Shape, Input, Epilogue>;
    static constexpr geometry::wgmma::LinearLarge kGeometry = {Shape::kTileRows, Shape::kTileColumns, Shape::kStages,
                                                               Shape::kLeastColumns};
  };
  static constexpr geometry::LinearShape kShape = Sizes::kShape;
  static constexpr geometry::wgmma::LinearLarge kGeometry = Sizes::kGeometry;
  using Tiles = LargeTiles<Sizes>;
  using Tile = typename Tiles::Tile;
  static_assert(kGeometry.legal(kShape, kLimits<Shape>).isLegal(), "the schedule is legal");
  static constexpr int kConsumers = kGeometry.kConsumers; // warpgroups
  static constexpr int kTileRows = Shape::kTileRows, kTileColumns = Shape::kTileColumns;
  static constexpr int kTileDepth = geometry::kTileDepth;
  static constexpr int kRowBlocks = kGeometry.rowBlocks(); // of 64 rows, of a warpgroup
  static_assert(kHasCoreMatrices<Shape>, "the weight is read in panels of 8 rows, groups of 8 columns, padded to 64");

  static constexpr int kLeastColumns = Shape::kLeastColumns;
  static constexpr int kBlocks = kGeometry.blocks(kShape, kLimits<Shape>); ///< of the launch, or for the most rows
  static constexpr bool kPromotes = kShape.promotes();

  using Ring = StageRing<Shape::kStages, kGeometry.inputBytes(), kGeometry.weightBytes(), 4 * kConsumers>;

  // Sums go through shared memory on their way out, 16 rows x 32 columns of a warp at a time, so that neighbouring
  // threads have neighbouring columns and store whole sectors. Two slices a warp: one is filled while the other is
  // read.
  static constexpr int kSliceColumns = kGeometry.kSliceColumns, kSliceFloats = kGeometry.kSliceFloats;
  static constexpr int kSlicesOfRow = kTileColumns / kSliceColumns, kSlices = kRowBlocks * kSlicesOfRow;
  /// Of W a copy brings the narrowest tile; what is left of a wider one comes in copies of kSliceColumns.
  static constexpr int kBoxColumns = kLeastColumns, kBoxRows = kGeometry.boxRows(kShape);
  static constexpr bool kCopiesNarrow = kGeometry.hasWidths();
  using Slice = Patch<Epilogue, 16, kSliceColumns, kSliceColumns, 32, 4>;
  // What the epilogue loads is on its way this many slices before it is needed.
  static constexpr int kAhead = minOf(kGeometry.slicesAhead(kShape), kSlices);

  using Parts = SplitSums<kConsumers, kRowBlocks * kTileColumns / 2>;
  static constexpr uint32 kWorkspace = kWorkspaceOfCounters + (Tiles::kTakes ? kBlocks * Parts::kTileBytes : 0);

  static constexpr int kSharedBytes = kGeometry.stageBytes() + kGeometry.kOtherBytes;
  static_assert(kGeometry.stageBytes() == Ring::kBytes + Ring::kBarrierBytes);

public:
  static constexpr int kSteps = kGeometry.steps(kShape); ///< along the depth, of every tile
  static_assert(areSteps<Shape>(kSteps, nullptr), "the launch counts them as the geometry does");
  static constexpr int kThreads = kGeometry.kThreads, kMinBlocks = 1;
  static constexpr Launch kLaunch = {kBlocks, 1, 1, kThreads, 1, kGeometry.sharedBytes(), 1, kWorkspace};
  static constexpr TensorMap kInputMap = inputTensorMap(kShape, kBoxRows);
  static constexpr TensorMap kWeightMap = weightTensorMap(Shape::kColumns, kShape.words(), kBoxColumns, kTileDepth);
  /// Of what is left of a tile after whole boxes of kWeightMap.
  static constexpr TensorMap kNarrowMap = weightTensorMap(Shape::kColumns, kShape.words(), kSliceColumns, kTileDepth);

  static __device__ __forceinline__ void run(const TensorMapParam &inputMap, const TensorMapParam &weightMap,
                                             const TensorMapParam &narrowMap, int steps, const Epilogue &epilogue,
                                             void *workspace, const int *rows = nullptr, const Input &input = {}) {
    __builtin_assume(steps > 0);
    const int present = rowCount<Shape::kRows>(rows);
    extern __shared__ __align__(1024) uint8 shared[];
    float *slices = reinterpret_cast<float *>(shared + Ring::kBytes);
    volatile int *numbers = reinterpret_cast<int *>(shared + Ring::kBytes + kGeometry.kSlicesBytes);
    const Tiles tiles(present, steps);
    runRoles<Ring, kSharedBytes, kConsumers, 1, kMinBlocks>(
        shared, input, epilogue,
        [&](const Ring &ring, int) {
          load(ring, tiles, workspace, numbers, {inputMap, weightMap, narrowMap}, input);
          leaveInput(input);
        },
        [] {},
        [&](const Ring &ring, int consumer) {
          waitForPredecessors();
          makeInputForOthers<ConsumerTeam<kConsumers>, Shape::kRows, kBlocks>(input, present);
          multiply(ring, consumer, tiles, numbers, slices + (threadIdx.x / 32 - 4) * 2 * kSliceFloats, workspace,
                   epilogue);
        });
  }

private:
  // Each block begins with work of its own, whose weights are on their way before the kernels before this one have
  // ended. Where tiles are taken, the loading thread takes the others from a counter and leaves the tile's number next
  // to its first stage: with kFromStart where the sums of its first part have not come, and kNoTile at the end.
  static constexpr bool kTakesTiles = Tiles::kTakes;
  static constexpr int kNoTile = 0x3fffffff, kFromStart = 0x40000000, kStepsOfAnswer = 3;

  struct Maps {
    const TensorMapParam &input, &weights, &narrow;
  };

  /// The loading thread.
  static __device__ __forceinline__ void load(const Ring &ring, const Tiles &tiles, void *workspace,
                                              volatile int *numbers, const Maps &maps, const Input &source) {
    prefetchMap(maps.input);
    prefetchMap(maps.weights);
    if constexpr (kCopiesNarrow)
      prefetchMap(maps.narrow);
    const int boxesEnd = tiles.columns / kBoxColumns * kBoxColumns;
    // Unrolled: one thread starts all copies, and a loop around them takes longer than the products of a narrow stage.
    auto loadWeights = [&](const Tile &tile, int step, int slot) {
      auto copy = [&](const TensorMapParam &map, int column) {
        copyTensor(ring.weights(slot) + column * (kTileDepth * 2), map, ring.full(slot), 0, step * (kTileDepth / 8),
                   tile.column / 8 + column / 8);
      };
      arriveExpect(ring.full(slot), (tile.boxes() * kBoxRows + tiles.columns) * (kTileDepth * 2));
#pragma unroll
      for (int column = 0; column < kTileColumns; column += kBoxColumns)
        if (column == 0 || column < boxesEnd)
          copy(maps.weights, column);
      if constexpr (kCopiesNarrow) {
#pragma unroll
        for (int column = kBoxColumns; column < kTileColumns; column += kSliceColumns)
          if (column >= boxesEnd && column < tiles.columns)
            copy(maps.narrow, column);
      }
    };
    auto loadInput = [&](const Tile &tile, int step, int slot) {
#pragma unroll
      for (int row = 0; row < kTileRows; row += kBoxRows)
        if (tile.hasBox(row))
          copyTensor(ring.input(slot) + row * (kTileDepth * 2), maps.input, ring.full(slot), step * kTileDepth,
                     tile.row + row);
    };
    uint32 *const taken = static_cast<uint32 *>(workspace) + kTileCounter;
    // Each of the others is taken, and each block's last take is in vain.
    const bool takes = kTakesTiles && tiles.others() > 0;
    const uint32 lastTake = tiles.others() + gridDim.x - 1;
    TileWork work = tiles.first();
    const int early = work.number < tiles.count() ? minOf(work.end, Shape::kStages) : 0;
    const Tile own = tiles[work.number];
    for (int step = 0; step < early; ++step)
      loadWeights(own, step, step);
    waitForPredecessors();
    awaitInput(source);
    RingPosition<Shape::kStages> at;
    for (int step = 0; step < early; ++step, at.advance())
      loadInput(own, step, step);
    uint32 index = blockIdx.x; // of what comes next
    work.begin = early;
    int mark = -1; // to be left next to the first stage of the next tile
    while (work.number < tiles.count()) {
      const Tile tile = tiles[work.number];
      // Asked for early, a tile would be kept from blocks that are ready for it before.
      const int asks = work.end - kStepsOfAnswer;
      if (takes && work.begin > asks)
        index = atomicAdd(taken, 1u);
      for (int step = work.begin; step < work.end; ++step, at.advance()) {
        wait(ring.empty(at.slot), at.parity ^ 1); // at once in the first pass
        if (kTakesTiles && mark >= 0) {
          numbers[at.slot] = mark;
          mark = -1;
        }
        if (takes && step == asks)
          index = atomicAdd(taken, 1u);
        loadWeights(tile, step, at.slot);
        loadInput(tile, step, at.slot);
      }
      if (takes && index == lastTake)
        *taken = 0;
      work = tiles.other(index);
      index += gridDim.x;
      mark = work.number;
      if (kTakesTiles && work.begin > 0 && !Parts(workspace).await(work.number - tiles.firstSplit())) {
        work.begin = 0;
        mark |= kFromStart;
      }
    }
    if constexpr (kTakesTiles) {
      wait(ring.empty(at.slot), at.parity ^ 1);
      numbers[at.slot] = kNoTile;
      arrive(ring.full(at.slot));
    }
  }

  /// What a multiplying warpgroup does next, with `at` as its first stage: in turn 0 what is its block's own. No tile
  /// as in Tiles.
  static __device__ __forceinline__ TileWork nextWork(const Ring &ring, const RingPosition<Shape::kStages> &at,
                                                      const Tiles &tiles, const volatile int *numbers, int turn) {
    TileWork work = turn == 0 ? tiles.first() : tiles.other(blockIdx.x + (turn - 1) * gridDim.x);
    if (kTakesTiles && turn > 0) {
      wait(ring.full(at.slot), at.parity);
      const int mark = numbers[at.slot];
      __syncwarp(); // one lane hands the stage back
      work = tiles.numbered(mark & ~kFromStart);
      if (mark & kFromStart)
        work.begin = 0;
    }
    return work;
  }

  /// A multiplying warpgroup.
  static __device__ __forceinline__ void multiply(const Ring &ring, int consumer, const Tiles &tiles,
                                                  const volatile int *numbers, float *slices, void *workspace,
                                                  const Epilogue &epilogue) {
    float sums[kRowBlocks][kTileColumns / 2];
    RingPosition<Shape::kStages> at;
    TileWork work;
    for (int turn = 0; (work = nextWork(ring, at, tiles, numbers, turn)).number < tiles.count(); ++turn) {
      Tile tile = tiles[work.number];
      tile.row += consumer * kRowBlocks * 64;
      const bool isEnd = !kTakesTiles || work.end == tiles.steps;
      if (tile.row >= tile.rowEnd) {
        consumeCodes(ring, work.end - work.begin, at, [&](int, int slot) { ring.release(slot); });
      } else {
        tile.row += threadIdx.x / 32 % 4 * 16;
        typename Slice::Extra extra[kAhead][Slice::kItems];
        if (!kPromotes && isEnd)
          loadFirstExtras(epilogue, tile, extra);
        if (kTakesTiles && work.begin > 0)
          Parts(workspace).load(work.number - tiles.firstSplit(), consumer, sums);
        else
          clearSums(sums);
        multiplyTile<kLeastColumns>(ring, consumer, tile, tiles, work, epilogue, sums, at);
        if (!isEnd) {
          Parts(workspace).store(work.number - tiles.firstSplit(), consumer, sums);
        } else {
          if constexpr (kPromotes) { // parts of sums had the registers
#pragma unroll
            for (int i = 0; i < kAhead * Slice::kItems; ++i)
              extra[i / Slice::kItems][i % Slice::kItems] = {}; // else those that are not loaded are live in the loop
            loadFirstExtras(epilogue, tile, extra);
          }
          finish(sums, tile, tiles.columns, slices, epilogue, extra);
        }
      }
      if (!isEnd)
        Parts(workspace).announce(work.number - tiles.firstSplit(), consumer);
    }
  }

  using Sums = float[kRowBlocks][kTileColumns / 2];
  template <int Columns> using SumsOf = float[kRowBlocks][Columns / 2];

  /// All stages of a tile of `Columns` columns or more.
  template <int Columns>
  static __device__ __forceinline__ void
  multiplyTile(const Ring &ring, int consumer, const Tile &tile, const Tiles &tiles, const TileWork &work,
               const Epilogue &epilogue, Sums &sums, RingPosition<Shape::kStages> &at) {
    const int steps = work.end - work.begin;
    if constexpr (Columns < kTileColumns)
      if (constexpr bool kIsTaken = kGeometry.takes(kShape, kBlocks, Columns); !kIsTaken || tiles.columns != Columns)
        return multiplyTile<Columns + kSliceColumns>(ring, consumer, tile, tiles, work, epilogue, sums, at);
    auto &narrow = reinterpret_cast<SumsOf<Columns> &>(sums); // the first columns: one row block, or all columns
    if constexpr (kPromotes)
      consumeCodes(ring, steps, at, [&](int step, int slot) {
        multiplyCodes<Columns>(ring, work.begin + step, slot, consumer, tile, epilogue, narrow);
      });
    else
      ring.consume(narrow, steps, at, [&](int slot) { multiplyStage<Columns>(ring, slot, consumer, narrow); });
  }

  template <int Columns>
  static __device__ __forceinline__ void multiplyStage(const Ring &ring, int slot, int consumer,
                                                       SumsOf<Columns> &sums) {
    uint64 input = swizzledDescriptor(ring.input(slot) + consumer * kRowBlocks * 64 * 128);
    uint64 weights = coreMatrixDescriptor(ring.weights(slot), 128, kTileDepth * 16);
#pragma unroll
    for (int k = 0; k < kTileDepth / 16; ++k)
#pragma unroll
      for (int block = 0; block < kRowBlocks; ++block)
        Wgmma<Columns, typename Shape::Operand>::run(sums[block], advance(input, block * 64 * 128 + k * 32),
                                                     advance(weights, k * 256));
  }

  /// The same of codes, but exact: 64 rows and some columns at a time, whose sums of one stage are then added in f32.
  template <int Columns>
  static __device__ __forceinline__ void multiplyCodes(const Ring &ring, int step, int slot, int consumer,
                                                       const Tile &tile, const Epilogue &epilogue,
                                                       SumsOf<Columns> &sums) {
    uint64 input = swizzledDescriptor(ring.input(slot) + consumer * kRowBlocks * 64 * 128);
    uint64 weights = coreMatrixDescriptor(ring.weights(slot), 128, kTileDepth * 16);
    constexpr int kPromoted = kGeometry.promotedColumns(Columns), kParts = Columns / kPromoted;
#pragma unroll
    for (int i = 0; i < kRowBlocks * kParts; ++i) {
      const int block = i / kParts, column = i % kParts * kPromoted;
      float part[kPromoted / 2];
      fenceSums(part);
      warpgroupArrive();
#pragma unroll
      for (int k = 0; k < kTileDepth / 16; ++k)
        Wgmma<kPromoted, e4m3>::run(part, advance(input, block * 64 * 128 + k * 32),
                                    advance(weights, column / 8 * kTileDepth * 16 + k * 256), k > 0);
      warpgroupCommit();
      warpgroupWait<0>();
      fenceSums(part);
      if (i + 1 == kRowBlocks * kParts)
        ring.release(slot);
      addPart(part, step, tile.row + block * 64, tile.column + column, epilogue, &sums[block][column / 2]);
      fenceSums(sums[block]); // before the registers are used anew
    }
  }

  /// Adds the sums of a part of a stage. `row` is the warp's first, `column` the part's first, both in the linear.
  template <int Count>
  static __device__ __forceinline__ void addPart(const float (&part)[Count], int step, int row, int column,
                                                 const Epilogue &epilogue, float *sums) {
#pragma unroll
    for (int i = 0; i < Count; i += 4)
      if constexpr (kShape.hasGroups()) {
        int lane = threadIdx.x % 32;
        addScaled<Shape>(sums + i, part + i, epilogue, row + lane / 4, column + i * 2 + lane % 4 * 2,
                         step * geometry::kPromotedCodes / kShape.group);
      } else {
#pragma unroll
        for (int j = i; j < i + 4; ++j)
          sums[j] += part[j];
      }
  }

  // --- results ------------------------------------------------------------------------------------------------------

  /// Chunks of 4 floats of a slice are exchanged within its rows so that neither the pairs that threads write nor the
  /// chunks that they read meet in a bank.
  static __device__ __forceinline__ int sliceAt(int row, int column) {
    return row * kSliceColumns + (column ^ ((row % 4 * 2 + row % 2) * 4));
  }

  static __device__ __forceinline__ void loadExtra(const Epilogue &epilogue, const Tile &tile, int slice,
                                                   typename Slice::Extra (&extra)[Slice::kItems]) {
    Slice::load(epilogue, threadIdx.x % 32, tile.row + slice / kSlicesOfRow * 64, tile.rowEnd,
                tile.column + slice % kSlicesOfRow * kSliceColumns, extra);
  }

  static __device__ __forceinline__ void loadFirstExtras(const Epilogue &epilogue, const Tile &tile,
                                                         typename Slice::Extra (&extra)[kAhead][Slice::kItems]) {
#pragma unroll
    for (int i = 0; i < kAhead; ++i)
      loadExtra(epilogue, tile, i, extra[i]);
  }

  static __device__ __forceinline__ void fillSlice(const Sums &sums, int slice, float *to) {
    int lane = threadIdx.x % 32;
    const float *from = &sums[slice / kSlicesOfRow][slice % kSlicesOfRow * (kSliceColumns / 2)];
#pragma unroll
    for (int j = 0; j < kSliceColumns / 8; ++j)
#pragma unroll
      for (int half = 0; half < 2; ++half)
        *reinterpret_cast<float2 *>(to + sliceAt(lane / 4 + half * 8, j * 8 + lane % 4 * 2)) =
            make_float2(from[j * 4 + half * 2], from[j * 4 + half * 2 + 1]);
  }

  /// Hands a warp's sums of `columns` columns on to the epilogue; `extra` holds what it loads for the first slices.
  static __device__ __forceinline__ void finish(const Sums &sums, const Tile &tile, int columns, float *slices,
                                                const Epilogue &epilogue,
                                                typename Slice::Extra (&extra)[kAhead][Slice::kItems]) {
    __syncwarp(); // the slices of the tile before have been read
    fillSlice(sums, 0, slices);
#pragma unroll
    for (int i = 0; i < kSlices; ++i) {
      if (kGeometry.hasWidths() && i * kSliceColumns >= kLeastColumns && i * kSliceColumns >= columns)
        break;
      const float *slice = slices + i % 2 * kSliceFloats;
      __syncwarp();
      if (i + 1 < kSlices)
        fillSlice(sums, i + 1, slices + (i + 1) % 2 * kSliceFloats);
      Slice::store(epilogue, threadIdx.x % 32, tile.row + i / kSlicesOfRow * 64, tile.rowEnd,
                   tile.column + i % kSlicesOfRow * kSliceColumns, extra[i % kAhead],
                   [slice](int row, int column, float (&values)[Slice::kSums]) {
                     constexpr int kChunk = minOf(Slice::kSums, 4);
#pragma unroll
                     for (int j = 0; j < Slice::kSums; j += kChunk) {
                       float chunk[kChunk];
                       loadVector(slice + sliceAt(row, column + j), chunk);
#pragma unroll
                       for (int k = 0; k < kChunk; ++k)
                         values[j + k] = chunk[k];
                     }
                   });
      if (i + kAhead < kSlices)
        loadExtra(epilogue, tile, i + kAhead, extra[i % kAhead]);
    }
  }
};

} // namespace bambac
