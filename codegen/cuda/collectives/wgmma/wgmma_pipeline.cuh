// What the wgmma linears share: tensor maps of their operands, the ring of stages between the loading threads and the
// multiplying warpgroups, and the loops of both sides.
#pragma once
#include "common/async.cuh"
#include "common/core_matrices.cuh"
#include "common/epilogue.cuh"
#include "wgmma/wgmma.cuh"

namespace bambac {

// --- tensor maps ----------------------------------------------------------------------------------------------------

/// x [rows, depth] in boxes of `boxRows` rows x 64 words: rows of 128 bytes, swizzled for wgmma. Two codes are a word.
__host__ __device__ constexpr TensorMap inputTensorMap(const geometry::LinearShape &shape, int boxRows) {
  TensorMap map = {};
  map.element_bytes = 2, map.rank = 2, map.swizzle_bytes = 128;
  map.dims[0] = shape.words(), map.dims[1] = shape.rows;
  map.box[0] = 64, map.box[1] = boxRows;
  map.strides[0] = shape.stride * shape.operandBytes;
  return map;
}

/// W [columns, words] in core matrices of 64 words: the core matrix is the innermost dimension, then those along the
/// reduction, then those across it.
__host__ __device__ constexpr TensorMap weightTensorMap(int columns, int words, int boxColumns, int boxDepth) {
  int cores = alignTo(words, 64) / 8;
  TensorMap map = {};
  map.element_bytes = 2, map.rank = 3, map.swizzle_bytes = 0;
  map.dims[0] = 64, map.dims[1] = cores, map.dims[2] = ceilDiv(columns, 8);
  map.box[0] = 64, map.box[1] = boxDepth / 8, map.box[2] = boxColumns / 8;
  map.strides[0] = 128, map.strides[1] = uint64(cores) * 128;
  return map;
}

// --- the ring of stages ---------------------------------------------------------------------------------------------

/// Stages of shared memory, each a tile of x (`InputBytes`) and one of W (`WeightBytes`), and two barriers a stage.
///
///   name        arrives                                          count          waits                parity
///   full[s]     a loading thread, with the bytes of both copies    1              consumer warpgroups  of the ring
///   empty[s]    lane 0 of each consumer warp: stage read           ConsumerWarps  the loading threads  of the ring
///   named 8     consumer warpgroups, at the end (finishConsumers)  their threads  the same             -
///   named 9     consumer warpgroups, while they make codes         their threads  the same             -
///   ready       thread 0 of the consumers: the input's codes are   1              the input's thread   0
///   named 1, 2  linear_middle: slice of a warpgroup free, filled   128            the same             -
///   named 1     linear_middle, clusters: the last stage is read    all consumers  the same             -
///   named 1, 2  linear_large: sums of a first part are stored      128            the same             -
///   cluster     linear_middle, clusters: sums written, sums read   all threads    the same             -
template <int Stages, int InputBytes, int WeightBytes, int ConsumerWarps> struct StageRing {
  static constexpr int kStages = Stages, kStageBytes = InputBytes + WeightBytes;
  static constexpr int kBytes = Stages * kStageBytes, kBarrierBytes = Stages * geometry::kStageBarrierBytes;
  static_assert(InputBytes % 1024 == 0 && WeightBytes % 1024 == 0, "swizzled tiles start at multiples of 1024 bytes");

  uint32 stages;   ///< address of the first stage
  uint32 barriers; ///< address of the barriers: full and empty of each stage

  __device__ __forceinline__ uint32 input(int slot) const { return stages + slot * kStageBytes; }
  __device__ __forceinline__ uint32 weights(int slot) const { return stages + slot * kStageBytes + InputBytes; }
  __device__ __forceinline__ uint32 full(int slot) const { return barriers + slot * 16; }
  __device__ __forceinline__ uint32 empty(int slot) const { return barriers + slot * 16 + 8; }

  /// By all threads of the block, before any use.
  __device__ __forceinline__ void initialize() const {
    if (threadIdx.x == 0) {
      for (int slot = 0; slot < Stages; ++slot) {
        initBarrier(full(slot), 1);
        initBarrier(empty(slot), ConsumerWarps);
      }
      fenceBarrierInit();
    }
    __syncthreads();
  }

  /// By whole consumer warps: this warp has read the stage for the last time.
  __device__ __forceinline__ void release(int slot) const {
    if (threadIdx.x % 32 == 0)
      arrive(empty(slot));
  }

  /// The whole life of a loading thread: `load(slot)` starts its copies to each of `count` stages in turn. One of them
  /// says how many bytes come in all (arriveExpect), before or after others have come.
  template <class Load> __device__ __forceinline__ void fill(int count, Load load) const {
    RingPosition<Stages> at;
    for (int i = 0; i < count; ++i, at.advance()) {
      wait(empty(at.slot), at.parity ^ 1); // at once in the first pass
      load(at.slot);
    }
  }

  /// A consumer warpgroup's loop over the `steps` next stages, one at least: `multiply(slot)` issues the matrix
  /// instructions of a stage. One group of them stays in flight while the next is issued; a stage is released when its
  /// group is done.
  template <class Sums, class Multiply>
  __device__ __forceinline__ void consume(Sums &sums, int steps, RingPosition<Stages> &at, Multiply multiply) const {
    // Else the assembler takes it that warps part where there is no stage, and brings them together for each barrier.
    __builtin_assume(steps > 0);
    fenceSums(sums);
    int previous = -1;
    for (int step = 0; step < steps; ++step, at.advance()) {
      wait(full(at.slot), at.parity);
      warpgroupArrive();
      multiply(at.slot);
      warpgroupCommit();
      warpgroupWait<1>();
      if (previous >= 0)
        release(previous);
      previous = at.slot;
    }
    warpgroupWait<0>();
    fenceSums(sums);
    if (previous >= 0)
      release(previous);
  }
};

/// The same for codes: `multiply(slot)` waits for its own instructions, whose sums it adds to others. Two warpgroups
/// keep the tensor cores at work, since one multiplies while the other adds.
template <class Ring, int Slots, class Multiply>
__device__ __forceinline__ void consumeCodes(const Ring &ring, int steps, RingPosition<Slots> &at, Multiply multiply) {
  __builtin_assume(steps > 0);
  for (int step = 0; step < steps; ++step, at.advance()) {
    wait(ring.full(at.slot), at.parity);
    multiply(step, at.slot);
  }
}

/// The same where a stage is one group of instructions, `Count` sums a thread: they are added while the next stage is
/// multiplied. `issue(slot, part)` begins to multiply a stage, `add(step, part)` takes its sums.
template <int Count, class Ring, int Slots, class Issue, class Add>
__device__ __forceinline__ void consumeCodesBehind(const Ring &ring, int steps, RingPosition<Slots> &at, Issue issue,
                                                   Add add) {
  __builtin_assume(steps > 0);
  float even[Count], odd[Count];
  RingPosition<Slots> behind = at;
  int added = 0;
  const auto begin = [&](float (&part)[Count]) {
    wait(ring.full(at.slot), at.parity);
    issue(at.slot, part);
    at.advance();
  };
  const auto finish = [&](float (&part)[Count]) {
    fenceSums(part);
    ring.release(behind.slot);
    behind.advance();
    add(added++, part);
  };
  begin(even);
  while (added + 2 < steps) {
    begin(odd);
    warpgroupWait<1>();
    finish(even);
    begin(even);
    warpgroupWait<1>();
    finish(odd);
  }
  if (added + 2 == steps) {
    begin(odd);
    warpgroupWait<1>();
    finish(even);
    warpgroupWait<0>();
    finish(odd);
  } else {
    warpgroupWait<0>();
    finish(even);
  }
}

/// The end of the consumer warpgroups, which are numbered from 1: what they have stored is complete.
template <int Warpgroups, class Epilogue> __device__ __forceinline__ void finishConsumers(const Epilogue &epilogue) {
  if constexpr (kReduces<Epilogue>) {
    constexpr int kBarrier = 8; // of no other meaning in the kernels that end here
    syncNamed(kBarrier, Warpgroups * 128);
    if (threadIdx.x / 32 == 4)
      finishEpilogue(epilogue);
  }
}

/// Registers of a thread of the loading warpgroup. A consumer then holds up to 160 sums, or 192 with those of codes
/// that are yet to be added.
inline constexpr int kLoadingRegisters = 40;

/// The whole life of a block whose ring lies at the start of its `SharedBytes` of shared memory: `load(ring, loader)`
/// by one thread of each of the first `Loaders` warps, `leave()` by their whole warpgroup after that, and
/// `multiply(ring, consumer)` by each consumer warpgroup.
template <class Ring, int SharedBytes, int Consumers, int Loaders, int MinBlocks, class Input, class Epilogue,
          class Load, class Leave, class Multiply>
__device__ __forceinline__ void runRoles(uint8 *shared, const Input &input, const Epilogue &epilogue, Load load,
                                         Leave leave, Multiply multiply) {
  launchDependents();
  uint32 base = sharedAddress(shared);
  Ring ring{base, base + SharedBytes - Ring::kBarrierBytes};
  beginInput(input);
  beginEpilogue(epilogue);
  ring.initialize();
  int warpgroup = threadIdx.x / 128;
  if (warpgroup == 0) {
    releaseRegisters<kLoadingRegisters>();
    if (const int warp = threadIdx.x / 32; threadIdx.x % 32 == 0 && warp < Loaders)
      load(ring, warp);
    leave();
  } else {
    claimRegisters<geometry::consumerRegisters(Consumers, MinBlocks, kLoadingRegisters)>();
    multiply(ring, warpgroup - 1);
    finishConsumers<Consumers>(epilogue);
  }
}

/// The consumer warpgroups of a block, which are numbered from 1, while they make the input's codes.
template <int Consumers> using ConsumerTeam = NamedTeam<128, Consumers * 128, /*Barrier=*/9>;

// --- sums and results -----------------------------------------------------------------------------------------------

template <int Blocks, int Count> __device__ __forceinline__ void clearSums(float (&sums)[Blocks][Count]) {
#pragma unroll
  for (int block = 0; block < Blocks; ++block)
#pragma unroll
    for (int i = 0; i < Count; ++i)
      sums[block][i] = 0.0f;
}

/// A patch of Rows x Columns sums that lies in shared memory (rows `Stride` floats apart) and is finished by `Threads`
/// threads. An item is V neighbouring results of a row, at most `Widest`. Rows of the linear from `rowEnd` on are left
/// out.
template <class Epilogue, int Rows, int Columns, int Stride, int Threads, int Widest = 8> struct Patch {
  static constexpr int kV = minOf(Epilogue::kVector, Widest);
  static constexpr int kSums = kV * Epilogue::kInputs;
  static constexpr int kItemsOfRow = Columns / kSums;
  static constexpr int kItems = ceilDiv(Rows * kItemsOfRow, Threads); ///< of a thread
  static_assert(Columns % kSums == 0, "whole items");
  using Extra = typename Epilogue::template Extra<kV>;

  struct Item {
    int row, column;   ///< of the result
    int patchRow, sum; ///< within the patch: row and first column of the sums
    bool valid;
  };

  /// The i-th item of a thread of the patch whose first sum is (row, column) of the linear.
  static __device__ __forceinline__ Item item(int i, int thread, int row, int rowEnd, int column) {
    int index = i * Threads + thread;
    Item item;
    item.patchRow = index / kItemsOfRow;
    item.sum = index % kItemsOfRow * kSums;
    item.row = row + item.patchRow;
    item.column = (column + item.sum) / Epilogue::kInputs;
    item.valid = item.patchRow < Rows && item.row < rowEnd && item.column < Epilogue::kColumns;
    return item;
  }

  static __device__ __forceinline__ void load(const Epilogue &epilogue, int thread, int row, int rowEnd, int column,
                                              Extra (&extra)[kItems]) {
#pragma unroll
    for (int i = 0; i < kItems; ++i)
      if (Item at = item(i, thread, row, rowEnd, column); at.valid)
        extra[i] = epilogue.template load<kV>(at.row, at.column);
  }

  /// `read(patchRow, sum, sums)` brings the sums of an item.
  template <class Read>
  static __device__ __forceinline__ void store(const Epilogue &epilogue, int thread, int row, int rowEnd, int column,
                                               const Extra (&extra)[kItems], Read read) {
#pragma unroll
    for (int i = 0; i < kItems; ++i)
      if (Item at = item(i, thread, row, rowEnd, column); at.valid) {
        float sums[kSums];
        read(at.patchRow, at.sum, sums);
        epilogue.template store<kV>(at.row, at.column, sums, extra[i]);
      }
  }

  static __device__ __forceinline__ void storePatch(const Epilogue &epilogue, int thread, int row, int rowEnd,
                                                    int column, const Extra (&extra)[kItems], const float *patch) {
    store(epilogue, thread, row, rowEnd, column, extra,
          [patch](int patchRow, int sum, float (&sums)[kSums]) { loadVector(patch + patchRow * Stride + sum, sums); });
  }
};

} // namespace bambac
