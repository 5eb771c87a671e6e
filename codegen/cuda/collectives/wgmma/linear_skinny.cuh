// Linears of up to 16 rows of activations: the weights are streamed through shared memory once, at the speed of the
// device memory. One block a multiprocessor, ten warps in three roles:
//
//   producer (one thread)  keeps a ring of 16 KB stages full of weights by bulk copies. Weights depend on no kernel
//                          before this one, so it starts at once, while the predecessor still runs.
//   8 mma warps            wait for the predecessors, stage their slices of the activations, and multiply. A stage is
//                          8 rows of weights by 1024 words of the depth, 128 words a warp. A word is two bytes: one
//                          bf16 or f16, or two codes, which become f16 on their way to the tensor cores.
//   helper (one warp)      adds the eight warps' sums in a fixed order, applies the epilogue.
//
// Barriers in shared memory. Phases of a stage alternate with each pass through the ring (RingPosition); those of a
// pass have the parity of its number.
//
//   name     arrives                                      count  waits                               parity
//   full[s]  the producer, with the bytes of the copy         1  mma warps; the producer (kInFlight)  of the ring
//   empty[s] lane 0 of each mma warp, after its loads         8  the producer                         of the ring, ^ 1
//   summed   all lanes of mma warps, their sums stored      256  the helper                           pass & 1
//   taken    all lanes of the helper, the sums read          32  mma warps, before their next sums    (pass - 1) & 1
//   named 1  mma warps, once, where there is a norm         256  the same                             -
//   named 2  mma warps and the helper, before a tail        288  the same                             -
//
// Where several lanes have written or read what a barrier hands over (summed, taken), every lane arrives. At empty one
// lane arrives for its warp: the warp has only read, and __syncwarp orders these reads before the arrival.
//
// The activations are operand A of mma m16n8k16, the weights operand B. A block takes whole groups of 8 rows of
// weights, up to four at once in a pass over the depth, so that a fragment of activations serves all of them and wide
// inputs can stream by too. Nothing in the loop waits for the whole block; nothing is added atomically.
#pragma once
#include "common/core_matrices.cuh"
#include "common/epilogue.cuh"
#include "geometry/wgmma_linear_skinny.h"
#include "wgmma/skinny_input.cuh"

namespace bambac {

/// geometry::wgmma::LinearSkinny's numbers for one kernel, as constants. Shape: Operand, kRows, kColumns, kDepth,
/// kMultiprocessors, kSharedLimit; the fields of the geometry.
template <class Shape, class Input, class Epilogue> struct SkinnyGeometry {
  using Operand = typename Shape::Operand;
  static constexpr geometry::LinearShape kShape = kLinearShape<Shape, Input, Epilogue>;
  static constexpr geometry::Limits kDevice = kLimits<Shape>;
  static constexpr geometry::wgmma::LinearSkinny kPlan = {Shape::kStages};
  static_assert(kPlan.legal(kShape, kDevice).isLegal(), "the schedule is legal");

  static constexpr int kRows = Shape::kRows, kDepth = Shape::kDepth; // in elements; the others in words
  static constexpr int kMmaWarps = kPlan.kMmaWarps, kSliceDepth = kPlan.kSliceDepth, kChunkDepth = kPlan.kChunkDepth;
  static constexpr int kPaddedDepth = kPlan.paddedDepth(kShape), kChunks = kPlan.chunks(kShape);
  static constexpr int kGroups = kPlan.groups(kShape), kBlocks = kPlan.blocks(kShape, kDevice);
  static constexpr int kGroupsAtOnce = kPlan.groupsAtOnce(kShape, kDevice);

  static constexpr int kGroupBytes = 16 * kPaddedDepth, kStageBytes = kPlan.kStageBytes;
  static constexpr int kLastStageBytes = kGroupBytes - (kChunks - 1) * kStageBytes;
  static constexpr int kSliceRowBytes = kPlan.kSliceRowBytes, kSliceBytes = kPlan.sliceBytes(kShape);

  static constexpr bool kConverts = kPlan.converts(kShape), kResident = kPlan.isResident(kShape, kDevice);
  static constexpr int kSlots = kPlan.slots(kShape, kDevice), kStages = kPlan.ringStages(kShape, kDevice);
  /// Stages under way at once; more only queue up in the memory system.
  static constexpr int kInFlight = minOf(kStages, kRows <= 4 ? 6 : 4);

  // Offsets in shared memory.
  static constexpr int kSlotsOffset = kStages * kStageBytes;
  static constexpr int kPartialsOffset = kSlotsOffset + kSlots * kMmaWarps * kSliceBytes;
  static constexpr int kSquaresOffset = kPartialsOffset + kPlan.partialBytes(kShape, kDevice);
  static constexpr int kBarriersOffset = kSquaresOffset + kPlan.squaresBytes(kShape);
  static constexpr int kSharedBytes = kPlan.sharedBytes(kShape, kDevice);
  static_assert(kSharedBytes == kBarriersOffset + kPlan.kBarrierBytes);
};

template <class Shape, class Input, class Epilogue> class LinearSkinny {
  using Geometry = SkinnyGeometry<Shape, Input, Epilogue>;
  using Operand = typename Geometry::Operand;
  static constexpr int kRows = Geometry::kRows, kChunks = Geometry::kChunks, kStages = Geometry::kStages;
  static constexpr int kMmaWarps = Geometry::kMmaWarps, kGroupsAtOnce = Geometry::kGroupsAtOnce;
  static constexpr int kProducerWarp = kMmaWarps;

public:
  static constexpr int kThreads = Geometry::kPlan.kThreads;
  static constexpr int kMinBlocks = 1;
  static constexpr Launch kLaunch{Geometry::kBlocks,
                                  1,
                                  1,
                                  kThreads,
                                  1,
                                  Geometry::kSharedBytes,
                                  1,
                                  kEpilogueWorkspace<Epilogue>,
                                  kEpilogueMultiprocessors<Epilogue>};

  static __device__ void run(const Input &input, const Operand *weights, const Epilogue &epilogue) {
    extern __shared__ __align__(1024) uint8 shared[];
    launchDependents();
    const Barriers barriers{sharedAddress(shared + Geometry::kBarriersOffset)};
    if (threadIdx.x == 0)
      barriers.init();
    beginEpilogue(epilogue);
    __syncthreads();
    const Work work = Work::ofBlock(blockIdx.x);
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    constexpr int kFinished = 2, kFinishing = (kMmaWarps + 1) * 32;
    if (warp < kMmaWarps) {
      multiply(input, epilogue, shared, barriers, work, warp, lane);
      if constexpr (kHasTail<Epilogue>) {
        syncNamed(kFinished, kFinishing);
        epilogue.template tail<kMmaWarps * 32>(threadIdx.x);
      }
    } else if (warp != kProducerWarp) {
      finish(epilogue, shared, barriers, work, lane);
      if constexpr (kHasTail<Epilogue>)
        syncNamed(kFinished, kFinishing);
    } else if (lane == 0) {
      produce(weights, shared, barriers, work);
    }
  }

private:
  struct Barriers {
    uint32 base;
    __device__ uint32 full(int stage) const { return base + 8 * stage; }              ///< weights are in
    __device__ uint32 empty(int stage) const { return base + 8 * (kStages + stage); } ///< all mma warps have read them
    __device__ uint32 summed() const { return base + 16 * kStages; }    ///< the mma warps' sums of a pass are in
    __device__ uint32 taken() const { return base + 16 * kStages + 8; } ///< the helper has read them

    __device__ void init() const {
      for (int stage = 0; stage < kStages; ++stage) {
        initBarrier(full(stage), 1);
        initBarrier(empty(stage), kMmaWarps);
      }
      initBarrier(summed(), kMmaWarps * 32);
      initBarrier(taken(), 32);
      fenceBarrierInit();
    }
  };

  /// The groups of a block, and which of them a pass takes.
  struct Work {
    int first, end;
    static __device__ Work ofBlock(int block) {
      return {block * Geometry::kGroups / Geometry::kBlocks, (block + 1) * Geometry::kGroups / Geometry::kBlocks};
    }
    __device__ int passes() const { return ceilDiv(end - first, kGroupsAtOnce); }
    __device__ int firstGroup(int pass) const { return first + pass * kGroupsAtOnce; }
    __device__ int groups(int pass) const { return minOf(kGroupsAtOnce, end - firstGroup(pass)); }
  };

  // --- producer ------------------------------------------------------------------------------------------------------

  static __device__ void produce(const Operand *weights, uint8 *shared, Barriers barriers, Work work) {
    const uint64 policy = evictFirstPolicy();
    const uint32 ring = sharedAddress(shared);
    RingPosition<kStages> next, landed;
    int issued = 0;
    for (int pass = 0; pass < work.passes(); ++pass)
      for (int chunk = 0; chunk < kChunks; ++chunk)
        for (int group = 0; group < work.groups(pass); ++group) {
          wait(barriers.empty(next.slot), next.parity ^ 1);
          if (++issued > Geometry::kInFlight) {
            wait(barriers.full(landed.slot), landed.parity);
            landed.advance();
          }
          const uint32 bytes = chunk == kChunks - 1 ? Geometry::kLastStageBytes : Geometry::kStageBytes;
          const uint8 *from = reinterpret_cast<const uint8 *>(weights) + chunk * Geometry::kStageBytes +
                              static_cast<long long>(work.firstGroup(pass) + group) * Geometry::kGroupBytes;
          arriveExpect(barriers.full(next.slot), bytes);
          copyBulk(ring + next.slot * Geometry::kStageBytes, from, bytes, barriers.full(next.slot), policy);
          next.advance();
        }
  }

  // --- mma warps -----------------------------------------------------------------------------------------------------

  using Activations = SkinnyInput<Geometry, Input>;
  using Fragments = typename Activations::Fragments;

  /// Where columns of the depth have scales of their own: those of a lane's sums of a stage, for each half of the 256
  /// columns of a warp's slice.
  struct StageScales {
    float rows[2][2], columns[2][2];

    __device__ void load(const Epilogue &epilogue, int chunk, int warp, int lane, int firstColumn) {
      constexpr int kGroup = Geometry::kShape.group, kHalf = Geometry::kSliceDepth;
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int k = (chunk * Geometry::kChunkDepth + warp * Geometry::kSliceDepth) * 2 + half * kHalf;
        const int group = minOf(k, Geometry::kDepth - 1) / kGroup;
#pragma unroll
        for (int i = 0; i < 2; ++i) {
          rows[half][i] = epilogue.inputScale(minOf(lane / 4 + i * 8, kRows - 1), group);
          columns[half][i] = epilogue.weightScale(minOf(firstColumn + lane % 4 * 2 + i, Shape::kColumns - 1), group);
        }
      }
    }
    __device__ void add(float (&sums)[4], const float (&part)[4], int half) const {
#pragma unroll
      for (int i = 0; i < 4; ++i)
        sums[i] += part[i] * (rows[half][i / 2] * columns[half][i % 2]);
    }
  };

  static __device__ void multiply(const Input &input, const Epilogue &epilogue, uint8 *shared, Barriers barriers,
                                  Work work, int warp, int lane) {
    Activations activations(input, shared + Geometry::kSlotsOffset, warp, lane);
    activations.prefetchWeight();
    waitForPredecessors();
    const int chunks = work.passes() * kChunks;
    activations.begin(chunks, reinterpret_cast<float *>(shared + Geometry::kSquaresOffset));
    const uint32 slice = sharedAddress(shared) + warp * (16 * Geometry::kSliceDepth) + lane * 16;
    RingPosition<kStages> position;
    for (int pass = 0; pass < work.passes(); ++pass) {
      float sums[kGroupsAtOnce][4] = {};
      for (int chunk = 0; chunk < kChunks; ++chunk) {
        const int number = pass * kChunks + chunk;
        Fragments fragments;
        activations.load(fragments, number);
#pragma unroll
        for (int group = 0; group < kGroupsAtOnce; ++group)
          if (group < work.groups(pass)) {
            StageScales scales;
            if constexpr (Geometry::kShape.hasGroups())
              scales.load(epilogue, chunk, warp, lane, (work.firstGroup(pass) + group) * 8);
            wait(barriers.full(position.slot), position.parity);
            multiplyStage(sums[group], fragments, scales, slice + position.slot * Geometry::kStageBytes,
                          barriers.empty(position.slot), pairsInside(chunk, warp), lane);
            position.advance();
          }
        activations.release(number, chunks);
      }
      if (pass > 0)
        wait(barriers.taken(), (pass & 1) ^ 1);
      storePartials(partials(shared) + warp * (kGroupsAtOnce * kRows * 8), sums, lane);
      arrive(barriers.summed());
    }
  }

  /// How many pairs of k16 steps of a warp's slice the chunk really has: the depth is padded to 64 columns only.
  static __device__ int pairsInside(int chunk, int warp) {
    constexpr int kPairs = Geometry::kSliceDepth / 32;
    if constexpr (Geometry::kPaddedDepth % Geometry::kChunkDepth == 0)
      return kPairs;
    const int columns = Geometry::kPaddedDepth - chunk * Geometry::kChunkDepth - warp * Geometry::kSliceDepth;
    return maxOf(0, minOf(kPairs, columns / 32));
  }

  /// sums += activations x this warp's part of a stage. 512 bytes, four core matrices along k, are the B operands of
  /// two steps. Two chains of sums halve the latency.
  ///
  /// The stage is handed back before its values are used. The next bulk copy into it is ordered after the loads by the
  /// arrival alone, and the assembler may move an arrival above the end of a load that it does not depend on. So
  /// `loaded` takes one register of every ldmatrix of the stage, and arriveAfter makes the arrival's address depend on
  /// it. A load that is added here must feed `loaded` too: without it results are wrong under load only.
  static __device__ void multiplyStage(float (&sums)[4], const Fragments &fragments, const StageScales &scales,
                                       uint32 weights, uint32 empty, int pairs, int lane) {
    constexpr int kPairs = Geometry::kSliceDepth / 32;
    uint32 b[kPairs][4] = {};
#pragma unroll
    for (int pair = 0; pair < kPairs; ++pair)
      if (pair < pairs)
        ldmatrixX4(b[pair], weights + pair * 512);
    uint32 loaded = 0;
#pragma unroll
    for (int pair = 0; pair < kPairs; ++pair)
      loaded ^= b[pair][0];
    __syncwarp();
    if (lane == 0)
      arriveAfter(empty, loaded);
    if constexpr (Geometry::kShape.hasGroups()) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        float part[4] = {};
        multiplyPairs(part, fragments, b, half * kPairs / 2, minOf(pairs, (half + 1) * kPairs / 2));
        scales.add(sums, part, half);
      }
    } else {
      multiplyPairs(sums, fragments, b, 0, pairs);
    }
  }

  /// sums += products of the pairs from `first` to `end` of a warp's part of a stage.
  template <int Pairs>
  static __device__ void multiplyPairs(float (&sums)[4], const Fragments &fragments, const uint32 (&b)[Pairs][4],
                                       int first, int end) {
    float odd[4] = {};
#pragma unroll
    for (int pair = 0; pair < Pairs; ++pair)
      if (pair >= first && pair < end) {
        fragments[2 * pair].multiply(sums, b[pair][0], b[pair][1]);
        fragments[2 * pair + 1].multiply(odd, b[pair][2], b[pair][3]);
      }
#pragma unroll
    for (int i = 0; i < 4; ++i)
      sums[i] += odd[i];
  }

  // --- the sums of a pass in shared memory: [warp][group][row][8 columns] --------------------------------------------

  static __device__ float *partials(uint8 *shared) {
    return reinterpret_cast<float *>(shared + Geometry::kPartialsOffset);
  }

  static __device__ void storePartials(float *to, const float (&sums)[kGroupsAtOnce][4], int lane) {
    const int row = lane / 4, column = lane % 4 * 2;
#pragma unroll
    for (int group = 0; group < kGroupsAtOnce; ++group) {
      float *tile = to + group * kRows * 8 + column;
      if (row < kRows)
        *reinterpret_cast<float2 *>(tile + row * 8) = make_float2(sums[group][0], sums[group][1]);
      if (row + 8 < kRows)
        *reinterpret_cast<float2 *>(tile + (row + 8) * 8) = make_float2(sums[group][2], sums[group][3]);
    }
  }

  // --- helper --------------------------------------------------------------------------------------------------------

  // An item is four neighbouring columns of the linear in a row: item i lies at float 4 i of every warp's sums.
  static constexpr int kItemsPerGroup = kRows * 2, kItems = ceilDiv(kGroupsAtOnce * kItemsPerGroup, 32);
  static constexpr int kResults = 4 / Epilogue::kInputs; ///< result columns of an item
  static constexpr int kVector = minOf(Epilogue::kVector, kResults), kVectors = kResults / kVector;
  using Extra = typename Epilogue::template Extra<kVector>;
  static_assert(kHasCoreMatrices<Shape>, "the weight is read in panels of 8 rows, groups of 8 columns, padded to 64");
  static_assert(4 % Epilogue::kInputs == 0, "an item holds whole results");

  struct Item {
    int row, column; ///< of the result
    bool inside;
    __device__ Item(const Work &work, int pass, int index)
        : row(index % kItemsPerGroup / 2),
          column(((work.firstGroup(pass) + index / kItemsPerGroup) * 8 + index % 2 * 4) / Epilogue::kInputs),
          inside(index < work.groups(pass) * kItemsPerGroup) {}
    __device__ bool has(int vector) const { return inside && column + vector * kVector < Epilogue::kColumns; }
  };

  static __device__ void finish(const Epilogue &epilogue, uint8 *shared, Barriers barriers, Work work, int lane) {
    waitForPredecessors();
    for (int pass = 0; pass < work.passes(); ++pass) {
      Extra extras[kItems][kVectors];
#pragma unroll
      for (int i = 0; i < kItems; ++i) {
        const Item item(work, pass, i * 32 + lane);
#pragma unroll
        for (int vector = 0; vector < kVectors; ++vector)
          if (item.has(vector))
            extras[i][vector] = epilogue.template load<kVector>(item.row, item.column + vector * kVector);
      }
      wait(barriers.summed(), pass & 1);
      float sums[kItems][4];
      addPartials(sums, partials(shared), lane);
      if constexpr (kQuantizes<Input>)
        scaleSums(sums,
                  reinterpret_cast<const float *>(shared + Geometry::kSquaresOffset) +
                      SkinnyCodes<Geometry, Input>::kScales,
                  lane);
#pragma unroll
      for (int i = 0; i < kItems; ++i)
        storeItem(epilogue, Item(work, pass, i * 32 + lane), sums[i], extras[i]);
      arrive(barriers.taken());
    }
    finishEpilogue(epilogue);
  }

  /// The eight warps' sums, in the order of the warps.
  static __device__ void addPartials(float (&sums)[kItems][4], const float *from, int lane) {
#pragma unroll
    for (int i = 0; i < kItems; ++i) {
      const int index = minOf(i * 32 + lane, kGroupsAtOnce * kItemsPerGroup - 1);
      loadVector(from + index * 4, sums[i]);
#pragma unroll
      for (int warp = 1; warp < kMmaWarps; ++warp) {
        float more[4];
        loadVector(from + warp * (kGroupsAtOnce * kRows * 8) + index * 4, more);
#pragma unroll
        for (int column = 0; column < 4; ++column)
          sums[i][column] += more[column];
      }
    }
  }

  /// The scales of the rows, which the mma warps have found.
  static __device__ void scaleSums(float (&sums)[kItems][4], const float *scales, int lane) {
#pragma unroll
    for (int i = 0; i < kItems; ++i)
#pragma unroll
      for (int column = 0; column < 4; ++column)
        sums[i][column] *= scales[(i * 32 + lane) % kItemsPerGroup / 2];
  }

  static __device__ void storeItem(const Epilogue &epilogue, const Item &item, const float (&sums)[4],
                                   const Extra (&extras)[kVectors]) {
#pragma unroll
    for (int vector = 0; vector < kVectors; ++vector)
      if (item.has(vector)) {
        constexpr int kInputs = kVector * Epilogue::kInputs;
        float inputs[kInputs];
#pragma unroll
        for (int i = 0; i < kInputs; ++i)
          inputs[i] = sums[vector * kInputs + i];
        epilogue.template store<kVector>(item.row, item.column + vector * kVector, inputs, extras[vector]);
      }
  }
};

} // namespace bambac
