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
//   ready    one mma lane, when the input's codes are made    1  the helper                           0
//   named 1  mma warps, where there is a norm or codes      256  the same                             -
//
// Where several lanes have written or read what a barrier hands over (summed, taken), every lane arrives. At empty one
// lane arrives for its warp: the warp has only read, and __syncwarp orders these reads before the arrival.
//
// A block takes whole groups of 8 rows of weights, up to four at once in a pass over the depth, so that a fragment of
// activations serves all of them and wide inputs can stream by too. Nothing in the loop waits for the whole block;
// nothing is added atomically.
#pragma once
#include "common/core_matrices.cuh"
#include "common/epilogue.cuh"
#include "geometry/wgmma_linear_skinny.h"
#include "wgmma/skinny_input.cuh"
#include "wgmma/skinny_products.cuh"

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
  static constexpr int kGroupsAtOnce = kPlan.groupsAtOnce(kShape, kDevice), kPairsAtOnce = ceilDiv(kGroupsAtOnce, 2);
  static constexpr int kRowTiles = ceilDiv(kRows, 8);

  static constexpr int kGroupBytes = 16 * kPaddedDepth, kStageBytes = kPlan.kStageBytes;
  static constexpr int kLastStageBytes = kGroupBytes - (kChunks - 1) * kStageBytes;
  static constexpr int kSliceRowBytes = kPlan.kSliceRowBytes, kSliceBytes = kPlan.sliceBytes(kShape);

  static constexpr bool kConverts = kPlan.converts(kShape), kResident = kPlan.isResident(kShape, kDevice);
  static constexpr int kSlots = kPlan.slots(kShape, kDevice), kStages = kPlan.ringStages(kShape, kDevice);
  /// Stages under way at once: what hides the latency of memory. More only queue up in it, and all take longer.
  static constexpr int kInFlight = minOf(kStages, kShape.isOfCodes() ? 3 : 4);

  /// Which chunk of the depth comes `number`-th in a pass. Blocks begin with different ones, so that they do not all
  /// ask for the same activations, and for weights in the same place of their groups, at the same time.
  static __device__ __forceinline__ int chunkOf(int number) {
    const int chunk = number + static_cast<int>(blockIdx.x) * kChunks / kBlocks;
    return chunk < kChunks ? chunk : chunk - kChunks;
  }

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
  static constexpr Launch kLaunch{
      Geometry::kBlocks, 1, 1, kThreads, 1, Geometry::kSharedBytes, 1, kLinearWorkspace<Input, Epilogue>};

  static __device__ void run(const Input &input, const Operand *weights, const Epilogue &epilogue) {
    extern __shared__ __align__(1024) uint8 shared[];
    launchDependents();
    const Barriers barriers{sharedAddress(shared + Geometry::kBarriersOffset)};
    if (threadIdx.x == 0)
      barriers.init();
    beginInput(input);
    beginEpilogue(epilogue);
    __syncthreads();
    const Work work = Work::ofBlock(blockIdx.x);
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    if (warp < kMmaWarps)
      multiply(input, epilogue, shared, barriers, work, warp, lane);
    else if (warp != kProducerWarp)
      finish(input, epilogue, shared, barriers, work, lane);
    else if (lane == 0)
      produce(weights, shared, barriers, work);
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

  /// The groups of a block, and which of them a pass takes. The last blocks have the fewest: they start last, where
  /// blocks of the kernel before are still at work.
  struct Work {
    int first, end;
    static __device__ Work ofBlock(int block) {
      constexpr int kFew = Geometry::kGroups / Geometry::kBlocks, kLarger = Geometry::kGroups % Geometry::kBlocks;
      const int first = block * kFew + minOf(block, kLarger);
      return {first, first + kFew + (block < kLarger)};
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
      for (int i = 0; i < kChunks; ++i)
        for (int group = 0; group < work.groups(pass); ++group) {
          const int chunk = Geometry::chunkOf(i);
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
  using Products = SkinnyProducts<Geometry, Epilogue>;

  static __device__ void multiply(const Input &input, const Epilogue &epilogue, uint8 *shared, Barriers barriers,
                                  Work work, int warp, int lane) {
    Activations activations(input, shared + Geometry::kSlotsOffset, warp, lane);
    activations.prefetchWeight();
    waitForPredecessors();
    makeInputForOthers<NamedTeam<0, kMmaWarps * 32, /*Barrier=*/1>, kRows, Geometry::kBlocks>(input, kRows);
    const int chunks = work.passes() * kChunks;
    activations.begin(chunks, reinterpret_cast<float *>(shared + Geometry::kSquaresOffset));
    Products products(epilogue, sharedAddress(shared), warp, lane);
    RingPosition<kStages> position;
    for (int pass = 0; pass < work.passes(); ++pass) {
      const int groups = work.groups(pass);
      typename Products::Sums sums = {};
      for (int i = 0; i < kChunks; ++i) {
        const int chunk = Geometry::chunkOf(i), number = pass * kChunks + i;
        typename Activations::Fragments fragments;
        activations.load(fragments, number);
#pragma unroll
        for (int pair = 0; pair < Geometry::kPairsAtOnce; ++pair)
          if (2 * pair < groups) {
            typename Products::Scales scales;
            scales.load(products, chunk, work.firstGroup(pass) + 2 * pair);
            typename Products::Words words;
            products.load(words, barriers, position, 2 * pair + 1 < groups, chunk);
            products.multiply(sums[pair], fragments, words, scales, chunk);
          }
        activations.release(number, chunks);
      }
      if (pass > 0)
        wait(barriers.taken(), (pass & 1) ^ 1);
      Products::store(partials(shared) + warp * (kGroupsAtOnce * kRows * 8), sums, lane);
      arrive(barriers.summed());
    }
  }

  /// The sums of a pass in shared memory: [warp][group][row][8 columns].
  static __device__ float *partials(uint8 *shared) {
    return reinterpret_cast<float *>(shared + Geometry::kPartialsOffset);
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

  static __device__ void finish(const Input &input, const Epilogue &epilogue, uint8 *shared, Barriers barriers,
                                Work work, int lane) {
    waitForPredecessors();
    awaitInput(input);
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
    if (lane == 0)
      leaveInput(input);
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
