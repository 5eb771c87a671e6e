// The column of each row's largest element: the greedy token; -1 where a row has a NaN.
#pragma once
#include "common/launch.cuh"
#include "common/row_maxima.cuh"
#include "common/row_views.cuh"

namespace bambac {

/// Shape: kRows, kColumns, kVector, kSplits. A row is split over kSplits blocks; the last of them to arrive merges what
/// they found.
template <class Shape> struct Argmax {
  static constexpr int kThreads = 256, kMinBlocks = 2;
  static constexpr int kVector = dividingVector(minOf(Shape::kVector, 4), Shape::kColumns);
  static constexpr int kRowVectors = Shape::kColumns / kVector;
  static constexpr int kSplitVectors = ceilDiv(kRowVectors, Shape::kSplits);
  static_assert(Shape::kSplits == 1 || Shape::kRows <= kWorkspaceCounters, "a counter for each row");
  static constexpr Launch kLaunch = {
      Shape::kSplits, Shape::kRows, 1, kThreads, 1, 0, 1, Shape::kSplits > 1 ? Shape::kRows *Shape::kSplits * 8u : 0u};

  template <class Logits>
  static __device__ __forceinline__ void run(Logits logits, int *result, void *workspace = nullptr,
                                             const int *rows = nullptr) {
    launchDependents();
    waitForPredecessors();
    const int split = blockIdx.x, row = blockIdx.y;
    if (row >= rowCount<Shape::kRows>(rows))
      return;
    uint64 best = blockMax(scan(logits[row], split * kSplitVectors));
    if constexpr (Shape::kSplits == 1) {
      if (threadIdx.x == 0)
        result[row] = columnOfKey(best);
    } else {
      merge(row, split, best, result, static_cast<uint32 *>(workspace));
    }
  }

private:
  /// The largest key of this thread's columns.
  static __device__ __forceinline__ uint64 scan(const float *row, int firstVector) {
    const int end = minOf(firstVector + kSplitVectors, kRowVectors);
    uint64 best = 0;
#pragma unroll 4
    for (int i = firstVector + int(threadIdx.x); i < end; i += kThreads) {
      float values[kVector];
      loadVector(row + i * kVector, values);
#pragma unroll
      for (int k = 0; k < kVector; ++k)
        best = max(best, maximumKey(values[k], i * kVector + k));
    }
    return best;
  }

  static __device__ __forceinline__ uint64 warpMax(uint64 key) {
#pragma unroll
    for (int mask = 16; mask; mask >>= 1)
      key = max(key, __shfl_xor_sync(0xffffffffu, key, mask));
    return key;
  }

  /// The largest key of the block, in its first warp.
  static __device__ __forceinline__ uint64 blockMax(uint64 key) {
    __shared__ uint64 warps[kThreads / 32];
    key = warpMax(key);
    if (threadIdx.x % 32 == 0)
      warps[threadIdx.x / 32] = key;
    __syncthreads();
    return threadIdx.x < 32 ? warpMax(threadIdx.x < kThreads / 32 ? warps[threadIdx.x] : 0) : key;
  }

  /// Run by the first warp. The counter of the row is zero again afterwards.
  static __device__ __forceinline__ void merge(int row, int split, uint64 best, int *result, uint32 *counters) {
    uint64 *partial = reinterpret_cast<uint64 *>(counters + kWorkspaceCounters) + row * Shape::kSplits;
    if (threadIdx.x >= 32)
      return;
    uint32 arrived = 0;
    if (threadIdx.x == 0) {
      partial[split] = best;
      __threadfence();
      arrived = atomicAdd(&counters[row], 1u);
      __threadfence();
    }
    __syncwarp();
    if (__shfl_sync(0xffffffffu, arrived, 0) != Shape::kSplits - 1)
      return;
    best = 0;
    for (int i = threadIdx.x; i < Shape::kSplits; i += 32)
      best = max(best, __ldcg(&partial[i]));
    best = warpMax(best);
    if (threadIdx.x == 0) {
      result[row] = columnOfKey(best);
      counters[row] = 0;
    }
  }
};

} // namespace bambac
