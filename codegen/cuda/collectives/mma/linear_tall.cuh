// y = x W^T for many rows (prefill): bound by the tensor cores. A block computes one tile of y from tiles of x and W,
// 64 words deep, that cp.async brings into kStages stages of shared memory while the warps multiply earlier ones.
//
// A word is two bytes, one bf16 or f16 or two codes. Within a stage a row of the x tile takes 128 bytes, its 16-byte
// chunks permuted by the row (chunk ^ row % 8), so that ldmatrix reads eight rows without bank conflicts. W comes as
// core matrices, which need nothing of the kind. The fragments of the next step are loaded while the present one
// multiplies, across stages as well.
#pragma once
#include "mma/linear_common.cuh"

namespace bambac::mma_sync {

template <class Shape, class Input, class Epilogue> class LinearTall {
  using Element = typename Input::Element;
  using Operand = typename Shape::Operand;
  static constexpr geometry::LinearShape kShape = kLinearShape<Shape, Input, Epilogue>;
  static constexpr geometry::mma::Linear kGeometry = {Shape::kTileRows, Shape::kTileColumns, Shape::kStages};
  static_assert(kGeometry.legal(kShape, kLimits<Shape>).isLegal(), "the schedule is legal");
  static constexpr int kTileRows = Shape::kTileRows, kTileColumns = Shape::kTileColumns;
  static constexpr int kTileDepth = geometry::kTileDepth, kStages = Shape::kStages;
  static constexpr int kWarps = kGeometry.tallWarps(), kWarpsAcross = kGeometry.warpsAcross();
  static constexpr int kWarpRows = kGeometry.warpRows(), kWarpColumns = kGeometry.warpColumns();
  static constexpr int kFragments = kWarpRows / 16;            // of x
  static constexpr int kGroups = kWarpColumns / kGroupColumns; // of W

public:
  static constexpr int kThreads = kGeometry.tallThreads();
  static constexpr int kMinBlocks = kGeometry.tallMinBlocks();

private:
  static constexpr int kSteps = kTileDepth / 16; // of mma in a stage
  /// Steps whose sums have the same scales, where there are several: those of a tile if groups are as long.
  static constexpr int kPartSteps = kShape.group % geometry::kPromotedCodes == 0 ? kSteps : 1;
  static constexpr int kDepthTiles = ceilDiv(kShape.words(), kTileDepth);
  static constexpr int kPieceDepth = kPiece<Operand>, kTileElements = kTileDepth * 2 / int(sizeof(Operand));
  static constexpr long long kGroupBytes = groupBytes(kShape.words());
  static constexpr int kRowTiles = ceilDiv(Shape::kRows, kTileRows);
  static constexpr int kColumnTiles = ceilDiv(Shape::kColumns, kTileColumns);
  static constexpr int kAllGroups = ceilDiv(Shape::kColumns, kGroupColumns);
  // Blocks that run at one time share rows and columns through L2: they follow bands of this many tiles of rows.
  static constexpr int kBand = minOf(8, kRowTiles);

  // A stage: the tile of x, then that of W.
  static constexpr int kRowBytes = kTileDepth * 2, kRowChunks = kRowBytes / 16;
  static constexpr int kGroupTileBytes = kGroupColumns * kTileDepth * 2, kGroupChunks = kGroupTileBytes / 16;
  static constexpr int kInputBytes = kTileRows * kRowBytes;
  static constexpr int kStageBytes = kGeometry.tallStageBytes();
  static constexpr bool kCopiesInput =
      kIsSame<Element, Operand> && kWideRows<Input> && Shape::kDepth % kPieceDepth == 0;

  // Results pass through shared memory, 16 rows of a warp at a time, to be stored in wide accesses.
  static constexpr int kResultStride = kGeometry.resultStride();
  static constexpr int kVector = storeVector<Epilogue>(minOf(8, kWarpColumns / Epilogue::kInputs));
  static constexpr int kRowItems = kWarpColumns / (kVector * Epilogue::kInputs);
  static constexpr int kItems = ceilDiv(16 * kRowItems, 32); // of a lane
  using Extra = typename Epilogue::template Extra<kVector>;

  static constexpr int kSharedBytes = kGeometry.tallSharedBytes();

  static_assert(kHasCoreMatrices<Shape>, "the weight is read in panels of 8 rows, groups of 8 columns, padded to 64");
  static_assert(kTileRows % (kThreads / kRowChunks) == 0 && kTileColumns % (kThreads / kGroupChunks * 8) == 0,
                "all threads copy equally much");

public:
  static constexpr Launch kLaunch = {kRowTiles * kColumnTiles,
                                     1,
                                     1,
                                     kThreads,
                                     1,
                                     kSharedBytes,
                                     /*dependent=*/1,
                                     kLinearWorkspace<Input, Epilogue>};

  static __device__ __forceinline__ void run(const Input &input, const Operand *weights, const Epilogue &epilogue,
                                             const int *rows = nullptr) {
    extern __shared__ __align__(1024) uint8 shared[];
    launchDependents();
    beginEpilogue(epilogue); // there are barriers before the first result
    const int count = rowCount<Shape::kRows>(rows);
    waitForPredecessors();
    makeInput<BlockTeam<kThreads>, Shape::kRows, minOf(kRowTiles * kColumnTiles, Shape::kMultiprocessors)>(input,
                                                                                                           count);
    LinearTall tile(shared, input, weights, count);
    if (tile.firstRow < count) {
      float sums[kFragments][kGroups][4] = {};
      tile.multiply(sums, epilogue);
      tile.storeTile(sums, epilogue);
    }
    finishBlock(input, epilogue);
  }

private:
  uint8 *const shared;
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int count;          // of rows that are there
  int firstRow, firstGroup; // of the block's tile
  // What this thread copies. Its chunks of a tile lie a constant number of rows or groups apart.
  int copyRow, copyGroup;
  const Element *inputFrom;
  const uint8 *weightsFrom;

  __device__ __forceinline__ LinearTall(uint8 *shared, const Input &input, const Operand *weights, int count)
      : shared(shared), count(count) {
    const int band = blockIdx.x / (kBand * kColumnTiles), place = blockIdx.x % (kBand * kColumnTiles);
    const int height = minOf(kBand, kRowTiles - band * kBand); // the last band may be lower
    firstRow = (band * kBand + place % height) * kTileRows;
    firstGroup = place / height * (kTileColumns / kGroupColumns);
    copyRow = firstRow + threadIdx.x / kRowChunks;
    copyGroup = firstGroup + threadIdx.x / kGroupChunks;
    inputFrom = input.data + static_cast<long long>(copyRow) * Input::kStride + threadIdx.x % kRowChunks * kPieceDepth;
    weightsFrom = reinterpret_cast<const uint8 *>(weights) + copyGroup * kGroupBytes + threadIdx.x % kGroupChunks * 16;
  }

  using Sums = float[kFragments][kGroups][4];

  __device__ __forceinline__ void multiply(Sums &sums, const Epilogue &epilogue) {
    uint32 a[2][kFragments][4], b[2][kGroups][2];
#pragma unroll
    for (int tile = 0; tile < kStages - 1; ++tile)
      fetch(tile, tile);
    waitCopies<kStages - 2>();
    __syncthreads();
    loadFragments(0, 0, a[0], b[0]);
    [[maybe_unused]] float parts[kShape.hasGroups() ? kFragments : 1][kGroups][4] = {};
    int stage = 0, freeStage = kStages - 1;
    for (int tile = 0; tile < kDepthTiles; ++tile) {
#pragma unroll
      for (int step = 0; step < kSteps; ++step) {
        if (step == kSteps - 1) { // the last fragments of this stage are in registers: on to the next
          waitCopies<kStages - 2>();
          __syncthreads();
          freeStage = stage;
          stage = stage + 1 == kStages ? 0 : stage + 1;
        }
        loadFragments(stage, (step + 1) % kSteps, a[(step + 1) % 2], b[(step + 1) % 2]);
        if (step == 0)
          fetch(tile + kStages - 1, freeStage);
        if constexpr (kShape.hasGroups()) {
          multiplyStep(a[step % 2], b[step % 2], parts);
          if ((step + 1) % kPartSteps == 0)
            addParts(sums, parts, epilogue, (tile * kSteps + step) * (kTileElements / kSteps));
        } else {
          multiplyStep(a[step % 2], b[step % 2], sums);
        }
      }
    }
    waitCopies<0>();
    __syncthreads();
  }

  static __device__ __forceinline__ void multiplyStep(const uint32 (&a)[kFragments][4], const uint32 (&b)[kGroups][2],
                                                      Sums &sums) {
#pragma unroll
    for (int i = 0; i < kFragments; ++i) {
      const StepOperands<Operand> operands(a[i]);
#pragma unroll
      for (int j = 0; j < kGroups; ++j)
        operands.multiply(sums[i][j], {b[j][0], b[j][1]});
    }
  }

  /// Adds the sums of the columns of the depth up to `k` with the scales of their group, and clears them.
  __device__ __forceinline__ void addParts(Sums &sums, Sums &parts, const Epilogue &epilogue, int k) const {
    const int group = minOf(k, Shape::kDepth - 1) / kShape.group;
    const int row = firstRow + warp / kWarpsAcross * kWarpRows + lane / 4;
    const int column = firstGroup * kGroupColumns + warp % kWarpsAcross * kWarpColumns + lane % 4 * 2;
#pragma unroll
    for (int i = 0; i < kFragments; ++i)
#pragma unroll
      for (int j = 0; j < kGroups; ++j) {
        addScaled<Shape>(sums[i][j], parts[i][j], epilogue, row + i * 16, column + j * kGroupColumns, group);
#pragma unroll
        for (float &part : parts[i][j])
          part = 0.0f;
      }
  }

  /// The operands of one step, 16 deep, from a stage.
  __device__ __forceinline__ void loadFragments(int stage, int step, uint32 (&a)[kFragments][4],
                                                uint32 (&b)[kGroups][2]) const {
    const uint32 base = sharedAddress(shared) + stage * kStageBytes;
    // Lane l points to row l % 16 of a fragment, eights l / 16 of its k.
    const int row = warp / kWarpsAcross * kWarpRows + lane % 16;
    const uint32 x = base + row * kRowBytes + ((step * 2 + lane / 16) ^ (row % 8)) * 16;
#pragma unroll
    for (int i = 0; i < kFragments; ++i)
      ldmatrixX4(a[i], x + i * 16 * kRowBytes);
    // Two groups at once, two core matrices of each: lanes 0-15 point into the first group, 16-31 into the second.
    const int group = warp % kWarpsAcross * kGroups + lane / 16;
    const uint32 w = base + kInputBytes + group * kGroupTileBytes + step * 256 + lane % 16 * 16;
#pragma unroll
    for (int j = 0; j < kGroups; j += 2) {
      uint32 both[4];
      ldmatrixX4(both, w + j * kGroupTileBytes);
      b[j][0] = both[0], b[j][1] = both[1], b[j + 1][0] = both[2], b[j + 1][1] = both[3];
    }
  }

  /// Starts the copies of depth tile `tile` into a stage; beyond the last it only closes an empty group.
  __device__ __forceinline__ void fetch(int tile, int stage) const {
    if (tile < kDepthTiles) {
      fetchInput(tile, shared + stage * kStageBytes);
      fetchWeights(tile, sharedAddress(shared) + stage * kStageBytes + kInputBytes);
    }
    commitCopies();
  }

  __device__ __forceinline__ void fetchWeights(int tile, uint32 stage) const {
    constexpr int kGroupsAtOnce = kThreads / kGroupChunks, kTileGroups = kTileColumns / kGroupColumns;
    const uint8 *from = weightsFrom + tile * kGroupTileBytes;
    const uint32 to = stage + threadIdx.x * 16;
#pragma unroll
    for (int i = 0; i < kTileGroups / kGroupsAtOnce; ++i) {
      const uint8 *group = from + i * kGroupsAtOnce * kGroupBytes;
      if constexpr (Shape::kColumns % kTileColumns == 0)
        copyAsync16(to + i * kThreads * 16, group);
      else
        copyAsync16(to + i * kThreads * 16, group, copyGroup + i * kGroupsAtOnce < kAllGroups);
    }
  }

  /// The x tile of depth tile `tile`, zero beyond the rows and the depth.
  __device__ __forceinline__ void fetchInput(int tile, uint8 *stage) const {
    constexpr int kRowsAtOnce = kThreads / kRowChunks; // a multiple of 8: all of a thread's rows permute alike
    const int row = threadIdx.x / kRowChunks, chunk = threadIdx.x % kRowChunks;
    const int k = tile * kTileElements + chunk * kPieceDepth;
    uint8 *to = stage + row * kRowBytes + (chunk ^ (row % 8)) * 16;
    // What passes through registers, two pieces of 8 elements or one of 16 codes at a time.
#pragma unroll(kCopiesInput ? kTileRows / kRowsAtOnce : 16 / kPieceDepth)
    for (int i = 0; i < kTileRows / kRowsAtOnce; ++i, to += kRowsAtOnce * kRowBytes) {
      const bool valid = Shape::kRows % kTileRows == 0 || copyRow + i * kRowsAtOnce < Shape::kRows;
      const Element *from = inputFrom + static_cast<long long>(i * kRowsAtOnce) * Input::kStride + tile * kTileElements;
      if constexpr (kCopiesInput && Shape::kRows % kTileRows == 0 && Shape::kDepth % kTileElements == 0) {
        copyAsync16(sharedAddress(to), from);
      } else if constexpr (kCopiesInput) {
        copyAsync16(sharedAddress(to), from, valid && k < Shape::kDepth);
      } else if constexpr (kIsSame<Element, e4m3>) {
        uint4 codes = make_uint4(0, 0, 0, 0);
        if (valid)
          codes = loadCodes<Shape::kDepth, kWideRows<Input>>(from - k, k);
        *reinterpret_cast<uint4 *>(to) = codes;
      } else {
        float values[8] = {};
        if (valid)
          loadEight<Shape::kDepth, kWideRows<Input>>(from - k, k, values);
        *reinterpret_cast<uint4 *>(to) = packPiece<Operand>(values);
      }
    }
  }

  /// Hands the tile's sums to the epilogue, 16 rows of a warp at a time. All copies have landed and all stages are
  /// free.
  __device__ __forceinline__ void storeTile(const float (&sums)[kFragments][kGroups][4],
                                            const Epilogue &epilogue) const {
    float *staged = reinterpret_cast<float *>(shared) + warp * (16 * kResultStride);
#pragma unroll
    for (int fragment = 0; fragment < kFragments; ++fragment) {
      Extra extras[kItems];
#pragma unroll
      for (int i = 0; i < kItems; ++i) {
        int row, column;
        if (locate(fragment, i, row, column))
          extras[i] = epilogue.template load<kVector>(row, column);
      }
#pragma unroll
      for (int j = 0; j < kGroups; ++j) {
        float *to = staged + lane / 4 * kResultStride + j * kGroupColumns + lane % 4 * 2;
        *reinterpret_cast<float2 *>(to) = make_float2(sums[fragment][j][0], sums[fragment][j][1]);
        *reinterpret_cast<float2 *>(to + 8 * kResultStride) = make_float2(sums[fragment][j][2], sums[fragment][j][3]);
      }
      __syncwarp();
#pragma unroll
      for (int i = 0; i < kItems; ++i) {
        int row, column;
        if (!locate(fragment, i, row, column))
          continue;
        const int item = i * 32 + lane;
        float values[kVector * Epilogue::kInputs];
        loadVector(staged + item / kRowItems * kResultStride + item % kRowItems * (kVector * Epilogue::kInputs),
                   values);
        epilogue.template store<kVector>(row, column, values, extras[i]);
      }
      __syncwarp();
    }
  }

  /// Row and column of y of this lane's item i of a fragment; false if there is none.
  __device__ __forceinline__ bool locate(int fragment, int i, int &row, int &column) const {
    const int item = i * 32 + lane;
    row = firstRow + warp / kWarpsAcross * kWarpRows + fragment * 16 + item / kRowItems;
    column = (firstGroup * kGroupColumns + warp % kWarpsAcross * kWarpColumns) / Epilogue::kInputs +
             item % kRowItems * kVector;
    return item < 16 * kRowItems && row < count && column < Epilogue::kColumns;
  }
};

} // namespace bambac::mma_sync
