// Rows that become codes at the end of the kernel that computes them, although each of its blocks has some columns
// only: blocks store what they compute and raise the largest magnitude of each row, and some of them wait for all
// others and read the rows again as codes.
//
// Those that wait are the first to arrive where all blocks are at work at the same time, since they have nothing else
// to do and the others make room for the next kernel; else the last. They are half of the device's multiprocessors at
// most (geometry/row_codes.h), so that there is always room for a block that is yet to start.
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

  /// By one warp, when all that the block stores has been stored, before a barrier and tail(). In blocks that wait
  /// it waits for all others and leaves the rows' scales in shared memory.
  __device__ __forceinline__ void finish(int lane) const {
    uint32 *const arrived = counters(), *const largest = arrived + 2;
    if constexpr (!kHasGroups)
      for (int row = lane; row < rows; row += 32)
        if (const uint32 bits = shared().largest[row])
          atomicMax(largest + row, bits);
    __threadfence();
    __syncwarp();
    const int blocks = allBlocks();
    int place = 0;
    if (lane == 0)
      shared().place = place = placeOf(int(atomicAdd(arrived, 1u)));
    place = __shfl_sync(0xffffffffu, place, 0);
    if (place < 0)
      return;
    if (lane == 0)
      while (loadAcquire(arrived) != uint32(blocks)) {
      }
    __syncwarp();
    if constexpr (!kHasGroups)
      for (int row = lane; row < rows; row += 32) {
        const float scale = scaleOfLargest(__uint_as_float(__ldcg(largest + row)));
        shared().largest[row] = __float_as_uint(scale);
        if (place == 0)
          scales[row] = scale;
      }
  }

  /// By the threads of the block from number 0 to `Threads`.
  template <int Threads> __device__ __forceinline__ void tail(int thread) const {
    static_assert(Threads % 32 == 0, "whole warps");
    if (shared().place < 0)
      return;
    constexpr int kAtOnce = 8, kRowVectors = kColumns / kVector; // loads under way
    const int step = waitingBlocks() * Threads;
    for (int first = shared().place * Threads + thread; first - thread % 32 < rows * kRowVectors;
         first += kAtOnce * step) {
      float vectors[kAtOnce][kVector];
#pragma unroll
      for (int i = 0; i < kAtOnce; ++i)
        if (const int number = first + i * step; number < rows * kRowVectors)
          loadVector(values + number * kVector, vectors[i]);
#pragma unroll
      for (int i = 0; i < kAtOnce; ++i)
        convert(first + i * step, vectors[i]);
    }
    if (thread < 32)
      leave(thread);
  }

private:
  struct Shared {
    uint32 largest[kMostRows]; ///< bits of the magnitudes of the block's columns, then those of the rows' scales
    int place;                 ///< among the blocks that wait; negative: none of them
  };
  static_assert(sizeof(Shared) == kSharedBytes);

  static __device__ __forceinline__ Shared &shared() {
    __shared__ Shared memory;
    return memory;
  }
  /// Blocks that have arrived, those that have left, and the largest of each row.
  __device__ __forceinline__ uint32 *counters() const {
    return static_cast<uint32 *>(workspace) + kSplitCounter - geometry::rowCodesCounters(kMostRows);
  }
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

  /// By one warp. The last of the blocks that wait leaves everything zero.
  __device__ __forceinline__ void leave(int lane) const {
    __syncwarp();
    const uint32 left = lane == 0 ? atomicAdd(counters() + 1, 1u) : 0;
    if (__shfl_sync(0xffffffffu, left, 0) != uint32(waitingBlocks() - 1))
      return;
    for (int i = lane; i < geometry::rowCodesCounters(rows); i += 32)
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
