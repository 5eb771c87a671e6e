// y = x W^T for few rows (decode): the time is that of streaming W once, so the tensor cores merely keep up.
//
// One block a multiprocessor takes an even share of W's groups of 8 rows (8 columns of y) and walks it in passes of
// kTileColumns. The warps of the block split K: slice i (32 words deep) belongs to warp i mod kWarps, and the partial
// sums meet in shared memory in a fixed order. Rows of x lie in shared memory, all of K or as much as fits.
//
// A warp's step multiplies one slice: in each group 8 columns x 32 words deep, four core matrices, 512 contiguous
// bytes. (A word is two bytes: one bf16 or f16, or two codes, of which there are twice as many k.) A lane copies 16 of
// them: row lane / 4 of core matrix lane % 4, that is eight neighbouring k of one column. These are its B operands of
// two mma if both operands agree to number k differently: in mma j, a lane's k are 8 (lane % 4) + 4 j
// + 0 .. 3. Its A operands are then 16 neighbouring bytes of x as well. And as a lane reads back only what it copied
// itself, the ring of weights needs no barrier: every lane waits for its own copies, and the ring runs ahead across
// slices and passes.
#pragma once
#include "mma/linear_common.cuh"

namespace bambac::mma_sync {

template <class Shape, class Input, class Epilogue> class LinearSkinny {
  static constexpr geometry::LinearShape kShape = kLinearShape<Shape, Input, Epilogue>;
  static constexpr geometry::mma::Linear kGeometry = {Shape::kTileRows, Shape::kTileColumns, Shape::kStages};
  static_assert(kGeometry.legal(kShape, kLimits<Shape>).isLegal(), "the schedule is legal");
  static constexpr int kWarps = kGeometry.kSkinnyWarps;

public:
  static constexpr int kThreads = kGeometry.kSkinnyThreads;
  static constexpr int kMinBlocks = 1;

private:
  using Element = typename Input::Element;
  using Operand = typename Shape::Operand;
  static constexpr int kInputs = Epilogue::kInputs;
  static constexpr int kStages = Shape::kStages;
  // Rows of a block: those of one tile.
  static constexpr int kBlockRows = kGeometry.blockRows(kShape);
  static constexpr int kFragments = ceilDiv(kBlockRows, geometry::kMmaRows);
  // Columns: groups of 8, of which a pass takes kGroups.
  static constexpr int kGroups = Shape::kTileColumns / kGroupColumns;
  static constexpr int kAllGroups = kGeometry.groups(kShape);
  static constexpr int kBlocks = kGeometry.skinnyBlocks(kShape, kLimits<Shape>);
  // Depth: a step is one slice for each warp.
  static constexpr int kSlice = geometry::mma::kSliceDepth;
  static constexpr int kSlices = kGeometry.slices(kShape), kSteps = kGeometry.skinnySteps(kShape);
  static constexpr int kStepDepth = kGeometry.kStepDepth;

  // Shared memory: ring of weights, partial sums of the warps, sums of squares, x.
  static constexpr int kSliceBytes = geometry::mma::kSliceBytes;
  static constexpr int kStageBytes = kGeometry.skinnyStageBytes(); // of one warp
  static constexpr int kSumsStride = kGeometry.sumsStride();
  static constexpr int kWarpsPerRow = kGeometry.warpsPerRow(kShape); // that stage x
  static constexpr int kChunks = kGeometry.inputChunks(kShape, kLimits<Shape>);
  static constexpr int kChunkSteps = kGeometry.chunkSteps(kShape, kLimits<Shape>);
  static constexpr int kChunkWords = kChunkSteps * kStepDepth;
  static constexpr int kRowBytes = kChunkWords * 2 + kGeometry.kRowPadding;
  static constexpr int kPieceDepth = kPiece<Operand>; // elements of 16 bytes
  static constexpr int kChunkDepth = kChunkWords * 2 / int(sizeof(Operand));
  static constexpr long long kGroupBytes = groupBytes(kShape.words());
  static constexpr int kSumsOffset = kGeometry.ringBytes();
  static constexpr int kSquaresOffset = kSumsOffset + kGeometry.sumsBytes(kShape);
  static constexpr int kInputOffset = kSquaresOffset + kGeometry.squaresBytes(kShape);
  static constexpr int kLargestOffset = (kSquaresOffset + kInputOffset) / 2; // where x is quantized
  static constexpr int kSharedBytes = kGeometry.skinnySharedBytes(kShape, kLimits<Shape>);
  static_assert(kSharedBytes == kInputOffset + kBlockRows * kRowBytes);

  // Results: a thread stores kVector neighbouring columns of y at a time.
  static constexpr int kVector = storeVector<Epilogue>(kGroupColumns / kInputs);
  static constexpr int kRowItems = Shape::kTileColumns / (kVector * kInputs);
  static constexpr int kItems = ceilDiv(kBlockRows * kRowItems, kThreads); // of a thread
  using Extra = typename Epilogue::template Extra<kVector>;

  static_assert(kHasCoreMatrices<Shape>, "the weight is read in panels of 8 rows, groups of 8 columns, padded to 64");
  static_assert(kGroupColumns % kInputs == 0, "a result comes from one group");

public:
  static constexpr Launch kLaunch = {kBlocks,
                                     uint32(ceilDiv(Shape::kRows, Shape::kTileRows)),
                                     1,
                                     kThreads,
                                     1,
                                     kSharedBytes,
                                     /*dependent=*/1,
                                     kLinearWorkspace<Input, Epilogue>};

  static __device__ __forceinline__ void run(const Input &input, const Operand *weights, const Epilogue &epilogue) {
    extern __shared__ __align__(1024) uint8 shared[];
    launchDependents();
    beginEpilogue(epilogue); // there are barriers before the first result
    const int group = blockIdx.x * kAllGroups / kBlocks, groupEnd = (blockIdx.x + 1) * kAllGroups / kBlocks;
    LinearSkinny(shared, input, weights, epilogue, group, groupEnd).multiply();
    finishBlock(input, epilogue);
  }

private:
  uint8 *const shared;
  const Input &input;
  const Epilogue &epilogue;
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int firstRow = blockIdx.y * Shape::kTileRows;
  const int groupEnd;
  int group; // first of the pass

  // The next slices to fetch.
  const uint8 *const laneWeights;
  const uint32 laneRing;
  const uint64 policy = evictFirstPolicy();
  int fetchGroup, fetchStep = 0, fetchStage = 0;

  __device__ __forceinline__ LinearSkinny(uint8 *shared, const Input &input, const Operand *weights,
                                          const Epilogue &epilogue, int group, int groupEnd)
      : shared(shared), input(input), epilogue(epilogue), groupEnd(groupEnd), group(group),
        laneWeights(reinterpret_cast<const uint8 *>(weights) + lane % 4 * 128 + lane / 4 * 16),
        laneRing(sharedAddress(shared) + warp * (kStages * kStageBytes) + lane * 16), fetchGroup(group) {}

  __device__ __forceinline__ void multiply() {
#pragma unroll
    for (int stage = 0; stage < kStages - 1; ++stage)
      fetch();
    waitForPredecessors();
    makeInput<BlockTeam<kThreads>, Shape::kRows, kBlocks>(input, Shape::kRows);
    if constexpr (Input::kNormalizes)
      sumSquares();
    if constexpr (kQuantizes<Input>)
      findLargest();
    int stage = 0;
    for (bool first = true; group < groupEnd; group += kGroups, first = false) {
      Extra extras[kItems];
      loadExtras(extras);
      float sums[kFragments][kGroups][4] = {};
      for (int chunk = 0; chunk < kChunks; ++chunk) {
        if (first || kChunks > 1) {
          __syncthreads(); // the chunk before has been used, the sums of squares are in
          stageInput(chunk);
          __syncthreads();
        }
        const int steps = kSteps % kChunkSteps == 0 ? kChunkSteps : minOf(kChunkSteps, kSteps - chunk * kChunkSteps);
        for (int step = 0; step < steps; ++step) {
          waitCopies<kStages - 2>();
          multiplySlice(chunk * kChunkSteps + step, step, stage, sums);
          fetch(); // into the stage used in the step before
          stage = stage + 1 == kStages ? 0 : stage + 1;
        }
      }
      storePass(sums, extras);
    }
    waitCopies<0>();
  }

  /// Starts the copies of this warp's next slice, one stage; past the end they fill zeros.
  __device__ __forceinline__ void fetch() {
    const int slice = fetchStep * kWarps + warp;
    const uint8 *from = laneWeights + fetchGroup * kGroupBytes + slice * kSliceBytes;
    const uint32 to = laneRing + fetchStage * kStageBytes;
#pragma unroll
    for (int i = 0; i < kGroups; ++i)
      copyAsync16(to + i * kSliceBytes, from + i * kGroupBytes, fetchGroup + i < groupEnd && slice < kSlices, policy);
    commitCopies();
    fetchStage = fetchStage + 1 == kStages ? 0 : fetchStage + 1;
    if (++fetchStep == kSteps) {
      fetchStep = 0;
      fetchGroup += kGroups;
    }
  }

  // Who stages x: kWarpsPerRow warps to a row, kRowsAtOnce rows at a time.
  static constexpr int kRowsAtOnce = kWarps / kWarpsPerRow, kRowThreads = kWarpsPerRow * 32;

  /// Calls `function(row, part, rowThread, from)` for the rows of the block that this warp stages a `part` of.
  template <class Function> __device__ __forceinline__ void forEachRow(Function function) const {
    const int part = warp % kWarpsPerRow;
    if (warp >= kRowsAtOnce * kWarpsPerRow)
      return;
    for (int row = warp / kWarpsPerRow; row < kBlockRows; row += kRowsAtOnce)
      function(row, part, part * 32 + lane,
               input.data + static_cast<long long>(minOf(firstRow + row, Shape::kRows - 1)) * Input::kStride);
  }

  /// The sums of squares of the block's rows, a part from each warp that stages the row.
  __device__ __forceinline__ void sumSquares() const {
    forEachRow([&](int row, int part, int rowThread, const Element *from) {
      float sum = 0.0f;
#pragma unroll 8
      for (int k = rowThread * 8; k < Shape::kDepth; k += kRowThreads * 8) {
        float values[8];
        loadEight<Shape::kDepth, kWideRows<Input>>(from, k, values);
        float squares = 0.0f;
#pragma unroll
        for (int i = 0; i < 8; ++i)
          squares += values[i] * values[i];
        sum += squares;
      }
      sum = warpSum(sum);
      if (lane == 0)
        reinterpret_cast<float *>(shared + kSquaresOffset)[row * kWarpsPerRow + part] = sum;
    });
  }

  /// What a norm multiplies a row by, from the finished sums of squares.
  __device__ __forceinline__ float scaleOf(int row) const {
    const float *squares = reinterpret_cast<const float *>(shared + kSquaresOffset) + row * kWarpsPerRow;
    float sum = 0.0f;
#pragma unroll
    for (int part = 0; part < kWarpsPerRow; ++part)
      sum += squares[part];
    return rsqrtf(sum * (1.0f / Shape::kDepth) + Input::kEpsilon);
  }

  /// The largest magnitudes of the block's rows under the norm, a part from each warp that stages the row.
  __device__ __forceinline__ void findLargest() const {
    if constexpr (Input::kFixedScales == 0) {
      if constexpr (Input::kNormalizes)
        __syncthreads(); // the sums of squares are in
      forEachRow([&](int row, int part, int rowThread, const Element *from) {
        const float scale = normOf(row);
        uint32 largest = 0;
        for (int k = rowThread * kPieceDepth; k < Shape::kDepth; k += kRowThreads * kPieceDepth) {
          float values[kPieceDepth];
          loadPiece(from, k, values, scale);
          largest = max(largest, largestBits(values));
        }
        largest = __reduce_max_sync(0xffffffffu, largest);
        if (lane == 0)
          reinterpret_cast<uint32 *>(shared + kLargestOffset)[row * kWarpsPerRow + part] = largest;
      });
    }
  }

  /// The scale of a row of codes, from the finished magnitudes.
  __device__ __forceinline__ float codeScaleOf(int row) const {
    if constexpr (Input::kFixedScales > 0) {
      return largestScale<Input::kFixedScales>(input.fixedScales);
    } else {
      const uint32 *parts = reinterpret_cast<const uint32 *>(shared + kLargestOffset) + row * kWarpsPerRow;
      uint32 largest = 0;
#pragma unroll
      for (int part = 0; part < kWarpsPerRow; ++part)
        largest = max(largest, parts[part]);
      return scaleOfLargest(__uint_as_float(largest));
    }
  }

  /// Brings one chunk of the block's rows into shared memory as operands, zero beyond the depth. A norm's operands are
  /// rounded exactly as RmsNorm (common/rms_norm.cuh) rounds its results, so that a linear gives the same with either.
  __device__ __forceinline__ void stageInput(int chunk) const {
    forEachRow([&](int row, int, int rowThread, const Element *from) {
      uint8 *to = shared + kInputOffset + row * kRowBytes;
      const float scale = normOf(row);
      [[maybe_unused]] float codeScale = 1.0f;
      if constexpr (kQuantizes<Input>)
        codeScale = codeScaleOf(row);
#pragma unroll(Input::kNormalizes || kQuantizes<Input> ? 4 : 8)
      for (int k = rowThread * kPieceDepth; k < kChunkDepth; k += kRowThreads * kPieceDepth) {
        uint4 &piece = *reinterpret_cast<uint4 *>(to + k * sizeof(Operand));
        if constexpr (kIsSame<Element, e4m3>) {
          piece = loadCodes<Shape::kDepth, kWideRows<Input>>(from, chunk * kChunkDepth + k);
        } else {
          float values[kPieceDepth];
          loadPiece(from, chunk * kChunkDepth + k, values, scale);
          if constexpr (kQuantizes<Input>)
            CodeDivider(codeScale).divide(values);
          piece = packPiece<Operand>(values);
        }
      }
    });
  }

  /// What the norm, if there is one, multiplies a row by.
  __device__ __forceinline__ float normOf(int row) const {
    if constexpr (Input::kNormalizes)
      return scaleOf(row);
    else
      return 1.0f;
  }

  /// A piece of a row from column k on, under the norm if there is one.
  __device__ __forceinline__ void loadPiece(const Element *from, int k, float (&values)[kPieceDepth],
                                            float scale) const {
#pragma unroll
    for (int i = 0; i < kPieceDepth; i += 8) {
      float (&eight)[8] = *reinterpret_cast<float (*)[8]>(values + i);
      loadEight<Shape::kDepth, kWideRows<Input>>(from, k + i, eight);
      if constexpr (Input::kNormalizes)
        normalize(k + i, eight, scale);
    }
  }

  __device__ __forceinline__ void normalize(int k, float (&values)[8], float scale) const {
    float norm[8];
    loadEight<Shape::kDepth, true>(input.weight, k, norm);
#pragma unroll
    for (int i = 0; i < 8; ++i)
      values[i] = values[i] * scale * norm[i];
  }

  using Sums = float[kFragments][kGroups][4];

  /// sums += x W^T over this warp's slice of a step, which is step `chunkStep` of the chunk.
  __device__ __forceinline__ void multiplySlice(int step, int chunkStep, int stage, Sums &sums) const {
    if constexpr (kShape.hasGroups()) {
      Sums parts = {};
      multiplyWords(chunkStep, stage, parts);
      const int slice = minOf(step * kWarps + warp, kSlices - 1); // zeros after the last
#pragma unroll
      for (int fragment = 0; fragment < kFragments; ++fragment)
#pragma unroll
        for (int i = 0; i < kGroups; ++i)
          addScaled<Shape>(sums[fragment][i], parts[fragment][i], epilogue, firstRow + fragment * 16 + lane / 4,
                           (group + i) * kGroupColumns + lane % 4 * 2, slice * (2 * kSlice) / kShape.group);
    } else {
      multiplyWords(chunkStep, stage, sums);
    }
  }

  /// The products themselves. Rows beyond the block's last repeat it; their sums are dropped.
  __device__ __forceinline__ void multiplyWords(int chunkStep, int stage, Sums &sums) const {
    const uint8 *ring = shared + warp * (kStages * kStageBytes) + stage * kStageBytes + lane * 16;
    const uint8 *x = shared + kInputOffset + (chunkStep * kWarps + warp) * (kSlice * 2) + lane % 4 * 16;
    uint4 b[kGroups];
#pragma unroll
    for (int i = 0; i < kGroups; ++i)
      b[i] = *reinterpret_cast<const uint4 *>(ring + i * kSliceBytes);
#pragma unroll
    for (int fragment = 0; fragment < kFragments; ++fragment) {
      const int row = fragment * 16 + lane / 4;
      const uint4 upper = *reinterpret_cast<const uint4 *>(x + minOf(row, kBlockRows - 1) * kRowBytes);
      uint4 lower = make_uint4(0, 0, 0, 0);
      if (fragment * 16 + 8 < kBlockRows)
        lower = *reinterpret_cast<const uint4 *>(x + minOf(row + 8, kBlockRows - 1) * kRowBytes);
      const StepOperands<Operand> first({upper.x, lower.x, upper.y, lower.y});
      const StepOperands<Operand> second({upper.z, lower.z, upper.w, lower.w});
#pragma unroll
      for (int i = 0; i < kGroups; ++i)
        first.multiply(sums[fragment][i], {b[i].x, b[i].y});
#pragma unroll
      for (int i = 0; i < kGroups; ++i)
        second.multiply(sums[fragment][i], {b[i].z, b[i].w});
    }
  }

  /// Row of the block and column of y of this thread's item i in the present pass; false if there is none.
  __device__ __forceinline__ bool locate(int i, int &row, int &column) const {
    const int item = i * kThreads + threadIdx.x;
    row = item / kRowItems;
    column = group * (kGroupColumns / kInputs) + item % kRowItems * kVector;
    return row < kBlockRows && firstRow + row < Shape::kRows && column < Epilogue::kColumns &&
           column < groupEnd * (kGroupColumns / kInputs);
  }

  __device__ __forceinline__ void loadExtras(Extra (&extras)[kItems]) const {
#pragma unroll
    for (int i = 0; i < kItems; ++i) {
      int row, column;
      if (locate(i, row, column))
        extras[i] = epilogue.template load<kVector>(firstRow + row, column);
    }
  }

  /// Adds up the warps' sums of this pass, in order of the warps, and hands them to the epilogue.
  __device__ __forceinline__ void storePass(const float (&sums)[kFragments][kGroups][4],
                                            const Extra (&extras)[kItems]) {
    float *partial = reinterpret_cast<float *>(shared + kSumsOffset);
#pragma unroll
    for (int half = 0; half < kFragments * 2; ++half) {
      const int row = half * 8 + lane / 4;
      float *to = partial + (warp * kBlockRows + row) * kSumsStride + lane % 4 * 2;
      if (row < kBlockRows)
#pragma unroll
        for (int i = 0; i < kGroups; ++i)
          *reinterpret_cast<float2 *>(to + i * kGroupColumns) =
              make_float2(sums[half / 2][i][half % 2 * 2], sums[half / 2][i][half % 2 * 2 + 1]);
    }
    __syncthreads();
#pragma unroll
    for (int i = 0; i < kItems; ++i) {
      int row, column;
      if (!locate(i, row, column))
        continue;
      const float *from = partial + row * kSumsStride + (column * kInputs - group * kGroupColumns);
      float total[kVector * kInputs] = {};
#pragma unroll
      for (int w = 0; w < kWarps; ++w) {
        float part[kVector * kInputs];
        loadVector(from + w * kBlockRows * kSumsStride, part);
#pragma unroll
        for (int j = 0; j < kVector * kInputs; ++j)
          total[j] += part[j];
      }
      if constexpr (kQuantizes<Input>) {
        const float scale = codeScaleOf(row);
#pragma unroll
        for (int j = 0; j < kVector * kInputs; ++j)
          total[j] *= scale;
      }
      epilogue.template store<kVector>(firstRow + row, column, total, extras[i]);
    }
    __syncthreads(); // the partial sums may be overwritten
  }
};

} // namespace bambac::mma_sync
