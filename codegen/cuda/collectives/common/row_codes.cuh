// Rows that become codes at the end of the kernel that computes them, although each of its blocks has some columns
// only: blocks store what they compute and raise the largest magnitude of each row, and some of them wait for all
// others and read the rows again as codes.
//
// Those that wait are the first to arrive where all blocks are at work at the same time, since they have nothing else
// to do and the others make room for the next kernel; else the last. There need not be room for a block that is yet to
// start: another session's blocks may be at work beside, and wait as well. So who has waited for long gives up, and the
// last block to arrive, which waits for none, makes its codes as well. The blocks agree on it by one number, which
// counts those that have arrived and those that have given up.
#pragma once
#include "common/e4m3.cuh"
#include "common/launch.cuh"
#include "geometry/row_codes.h"

namespace bambac {

/// Of kMostRows rows at most, which memory is there for. `kGroup` columns share a scale; 0: all of a row. The kernel's
/// epilogue (common/epilogue.cuh) has begin(), offer(), finish() and tail() of this.
template <class Element, int kMostRows, int kColumns, int kGroup> struct RowCodes {
  static constexpr bool kHasGroups = kGroup > 0 && kGroup < kColumns;
  static constexpr int kVector = dividingVector(8, kColumns); ///< columns that a thread takes at a time
  static constexpr int kSharedBytes = geometry::rowCodesBytes(kMostRows);
  static_assert(geometry::rowCodesCounters(kMostRows) <= kSplitCounter, "the counters are there");
  static_assert(!kHasGroups || (kGroup == geometry::kTailGroup && kColumns % kGroup == 0),
                "neighbouring lanes have a group");

  const Element *values; ///< what the kernel stores, [rows, kColumns]
  e4m3 *codes;           ///< [rows, kColumns]
  float *scales;         ///< [rows, groups]
  void *workspace;       ///< the kernel's, whose counters before kSplitCounter are taken
  int multiprocessors;   ///< of the device
  int rows;              ///< kMostRows at most

  /// By all threads, before a barrier of the block.
  __device__ __forceinline__ void begin() const {
    for (int row = threadIdx.x; row < rows; row += blockDim.x)
      shared().largest[row] = 0;
  }

  /// Neighbouring columns of a row, as they are stored.
  template <int V> __device__ __forceinline__ void offer(int row, const float (&stored)[V]) const {
    if constexpr (!kHasGroups) {
      // The largest of rounded numbers is the rounded largest.
      const float rounded = toFloat(fromFloat<Element>(__uint_as_float(largestBits(stored))));
      const uint32 bits = __float_as_uint(rounded) & 0x7fffffffu;
      if (bits > *const_cast<volatile uint32 *>(shared().largest + row))
        atomicMax(shared().largest + row, bits);
    }
  }

  /// By one warp, when all that the block stores has been stored, before a barrier and tail(). In blocks that make
  /// codes it waits for all others and leaves the rows' scales in shared memory.
  __device__ __forceinline__ void finish(int lane) const {
    uint32 *const largest = counters() + kLargest;
    if constexpr (!kHasGroups)
      for (int row = lane; row < rows; row += 32)
        if (const uint32 bits = shared().largest[row])
          atomicMax(largest + row, bits);
    __threadfence();
    __syncwarp();
    int place = -1, inherited = 0;
    if (lane == 0) {
      const uint32 before = atomicAdd(counters() + kArrived, 1u);
      const int arrived = arrivals(before);
      place = placeOf(arrived);
      if (arrived == allBlocks() - 1) {
        loadAcquire(counters() + kArrived); // what the others wrote before they arrived
        inherited = static_cast<int>(before / kOneGivenUp);
      } else if (place >= 0 && !awaitAll(place)) {
        place = -1;
      }
      shared().place = place;
      shared().inherited = inherited;
    }
    place = __shfl_sync(0xffffffffu, place, 0);
    inherited = __shfl_sync(0xffffffffu, inherited, 0);
    __syncwarp(); // what lane 0 has seen, all may read
    if (place < 0 && inherited == 0)
      return;
    if (inherited > 0)
      for (int i = lane; i < kGaveUpWords; i += 32)
        shared().gaveUp[i] = __ldcg(counters() + kGaveUp + i);
    if constexpr (!kHasGroups)
      for (int row = lane; row < rows; row += 32)
        shared().largest[row] = __float_as_uint(scaleOfLargest(__uint_as_float(__ldcg(largest + row))));
  }

  /// By the threads of the block from number 0 to `Threads`.
  template <int Threads> __device__ __forceinline__ void tail(int thread) const {
    static_assert(Threads % 32 == 0, "whole warps");
    const int place = shared().place, inherited = shared().inherited;
    if (place < 0 && inherited == 0)
      return;
    const int first = inherited > 0 ? 0 : place, end = inherited > 0 ? waitingBlocks() : place + 1;
    for (int part = first; part < end; ++part)
      if (part == place || shared().gaveUp[part / 32] >> part % 32 & 1)
        convertPart<Threads>(part, thread);
    if (thread < 32)
      leave(thread, (place >= 0) + inherited);
  }

private:
  static constexpr int kGaveUpWords = geometry::kMostTailBlocks / 32;
  struct Shared {
    uint32 largest[kMostRows];   ///< bits of the magnitudes of the block's columns, then those of the rows' scales
    int place;                   ///< among the blocks that wait; negative: none of them
    int inherited;               ///< how many others' parts this block has as well
    uint32 gaveUp[kGaveUpWords]; ///< whose; only where there are some
  };
  static_assert(sizeof(Shared) == kSharedBytes);

  static __device__ __forceinline__ Shared &shared() {
    __shared__ Shared memory;
    return memory;
  }

  /// Numbers of the workspace: the blocks that have arrived, and in units of kOneGivenUp those that have given up;
  /// those that have left; a bit for each that wanted to give up; the largest of each row.
  static constexpr int kArrived = 0, kLeft = 1, kGaveUp = 2;
  static constexpr int kLargest = kGaveUp + kGaveUpWords;
  static_assert(geometry::rowCodesCounters(kMostRows) == kLargest + kMostRows);
  static constexpr uint32 kOneGivenUp = 1u << 23;
  static_assert(geometry::kMostTailBlocks <= 0xffffffffu / kOneGivenUp);
  __device__ __forceinline__ uint32 *counters() const {
    return static_cast<uint32 *>(workspace) + kSplitCounter - geometry::rowCodesCounters(kMostRows);
  }
  static __device__ __forceinline__ int arrivals(uint32 number) { return static_cast<int>(number % kOneGivenUp); }
  static __device__ __forceinline__ int allBlocks() { return gridDim.x * gridDim.y * gridDim.z; }
  /// The place among the blocks that wait of one that arrives after `before` others; negative: it does not wait.
  __device__ __forceinline__ int placeOf(int before) const {
    const int waiting = waitingBlocks();
    if (allBlocks() > multiprocessors)
      return before - (allBlocks() - waiting);
    return before < waiting ? before : -1;
  }
  __device__ __forceinline__ int waitingBlocks() const {
    return minOf(allBlocks(), geometry::tailBlocks(multiprocessors, rows * kColumns));
  }

  /// By one thread: waits for all blocks. False if it gives up, and leaves its part to the last one to arrive.
  __device__ __forceinline__ bool awaitAll(int place) const {
    constexpr int kMostLooks = 2048; // a millisecond or two
    for (int looks = 0; looks < kMostLooks; ++looks)
      if (arrivals(loadAcquire(counters() + kArrived)) == allBlocks())
        return true;
    atomicOr(counters() + kGaveUp + place / 32, 1u << place % 32);
    __threadfence();
    // Whoever arrives last after this has seen it.
    return arrivals(atomicAdd(counters() + kArrived, kOneGivenUp)) == allBlocks();
  }

  /// The part of the block in `place`.
  template <int Threads> __device__ __forceinline__ void convertPart(int place, int thread) const {
    constexpr int kAtOnce = 8, kRowVectors = kColumns / kVector; // loads under way
    if constexpr (!kHasGroups)
      if (place == 0)
        for (int row = thread; row < rows; row += Threads)
          scales[row] = __uint_as_float(shared().largest[row]);
    const int step = waitingBlocks() * Threads;
    for (int first = place * Threads + thread; first - thread % 32 < rows * kRowVectors; first += kAtOnce * step) {
      float vectors[kAtOnce][kVector];
#pragma unroll
      for (int i = 0; i < kAtOnce; ++i)
        if (const int number = first + i * step; number < rows * kRowVectors)
          loadVector(values + number * kVector, vectors[i]);
#pragma unroll
      for (int i = 0; i < kAtOnce; ++i)
        convert(first + i * step, vectors[i]);
    }
  }

  /// By one warp, for `parts` of the codes. The last of the blocks that make them leaves everything zero.
  __device__ __forceinline__ void leave(int lane, int parts) const {
    __syncwarp();
    const uint32 left = lane == 0 ? atomicAdd(counters() + kLeft, static_cast<uint32>(parts)) : 0;
    if (__shfl_sync(0xffffffffu, left, 0) + parts != static_cast<uint32>(waitingBlocks()))
      return;
    for (int i = lane; i < kLargest + rows; i += 32)
      counters()[i] = 0;
  }

  /// Vector `number` of all rows. By whole warps where there are groups.
  __device__ __forceinline__ void convert(int number, float (&vector)[kVector]) const {
    const bool inside = number < rows * (kColumns / kVector);
    float scale;
    if constexpr (kHasGroups) {
      constexpr int kLanes = kGroup / kVector;
      uint32 most = inside ? largestBits(vector) : 0;
#pragma unroll
      for (int mask = kLanes / 2; mask; mask >>= 1)
        most = max(most, __shfl_xor_sync(0xffffffffu, most, mask));
      scale = scaleOfLargest(__uint_as_float(most));
      if (inside && number % kLanes == 0)
        scales[number / kLanes] = scale;
    } else if (inside) {
      scale = __uint_as_float(shared().largest[number / (kColumns / kVector)]);
    }
    if (!inside)
      return;
    CodeDivider(scale).divide(vector);
    storeVector(codes + number * kVector, vector);
  }
};

} // namespace bambac
