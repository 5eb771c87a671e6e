// The column of each row's largest element: keys that order elements, and their maxima over a block and over a grid.
#pragma once
#include "common/launch.cuh"
#include "geometry/linear.h"

namespace bambac {

/// The upper half of a key of NaN, which is no number's: infinity's is 0xff800000.
constexpr uint32 kNanKey = 0xffffffffu;

/// A number that is larger for a larger value and, among equal ones, for a smaller column. Any NaN is larger than
/// everything; both zeros are equal.
__device__ __forceinline__ uint64 maximumKey(float value, int column) {
  uint32 bits = __float_as_uint(value + 0.0f);
  uint32 ordered = bits >> 31 ? ~bits : bits | 0x80000000u;
  return uint64(value == value ? ordered : kNanKey) << 32 | (0xffffffffu - uint32(column));
}

/// -1 where there was a NaN.
__device__ __forceinline__ int columnOfKey(uint64 key) {
  return uint32(key >> 32) == kNanKey ? -1 : int(0xffffffffu - uint32(key));
}

/// Argmax in the epilogue of another kernel: threads offer what they store, the block keeps the largest of each row in
/// shared memory, and the last block to finish has those of all. A maximum does not depend on the order of its terms,
/// so that the atomics leave the result deterministic.
template <int Rows> struct RowMaxima {
  static constexpr int kSharedBytes = geometry::maximaBytes(Rows);
  static_assert(2 * (Rows + 1) <= kCodesCounter, "a key for each row and a counter, all of them zero between launches");

  /// By all threads, before a barrier of the block.
  static __device__ __forceinline__ void begin() {
    for (int row = threadIdx.x; row < Rows; row += blockDim.x)
      keys()[row] = 0;
  }

  /// Neighbouring elements of a row from `column` on.
  template <int V> static __device__ __forceinline__ void offer(int row, int column, const float (&values)[V]) {
    uint64 best = 0;
#pragma unroll
    for (int i = 0; i < V; ++i)
      best = max(best, maximumKey(values[i], column + i));
    // Most are no candidates: a plain look first keeps them away from the atomic.
    if (best > *const_cast<volatile uint64 *>(keys() + row))
      atomicMax(keys() + row, best);
  }

  /// By one warp, when the block's last offer can be seen. Writes the columns if all other blocks were here before.
  static __device__ __forceinline__ void finish(int lane, uint32 *counters, int *columns) {
    uint64 *best = reinterpret_cast<uint64 *>(counters) + 1;
    for (int row = lane; row < Rows; row += 32)
      if (uint64 key = keys()[row]) // zero: the block has nothing of this row
        atomicMax(best + row, key);
    __threadfence();
    __syncwarp();
    uint32 arrived = lane == 0 ? atomicAdd(counters, 1u) : 0;
    if (__shfl_sync(0xffffffffu, arrived, 0) != gridDim.x * gridDim.y * gridDim.z - 1)
      return;
    __threadfence();
    for (int row = lane; row < Rows; row += 32)
      columns[row] = columnOfKey(atomicExch(best + row, 0ull));
    if (lane == 0)
      *counters = 0;
  }

private:
  static __device__ __forceinline__ uint64 *keys() {
    __shared__ uint64 keys[Rows];
    return keys;
  }
};

} // namespace bambac
