// What a kernel says of its own launch. The compiler reads these constants out of the cubin, so that grid, shared
// memory and tensor maps are stated once, next to the code that relies on them.
#pragma once
#include "common/types.cuh"
#include "runtime/contract/launch.h"

namespace bambac {

using Launch = bamba_rt_cuda_launch;
using TensorMap = bamba_rt_tensor_map;

/// A CUtensorMap as a kernel parameter: `const __grid_constant__ bambac::TensorMapParam map`.
struct alignas(64) TensorMapParam {
  uint64 opaque[16];
};

/// Number of zeroed 32-bit counters at the start of a kernel's workspace. A kernel that uses them leaves them zero.
inline constexpr int kWorkspaceCounters = BAMBA_RT_WORKSPACE_COUNTERS;
/// Those of wgmma/linear_large (geometry::kTileCounters): the last one, and the first one of a tile that is split.
inline constexpr int kTileCounter = kWorkspaceCounters - 1;
inline constexpr int kSplitCounter = kWorkspaceCounters - geometry::kTileCounters;
/// The first of those of common/shared_codes.cuh.
inline constexpr int kCodesCounter = kSplitCounter - geometry::kCodesCounters;
/// The workspace that a launch asks for which uses counters and nothing after them.
inline constexpr uint32 kWorkspaceOfCounters = 256;

/// The next kernel of the stream may start: what it reads from this one it waits for itself.
__device__ __forceinline__ void launchDependents() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

/// Waits until the kernels before this one have ended and their writes can be seen. Every kernel calls it on every path
/// before it touches anything but weights.
__device__ __forceinline__ void waitForPredecessors() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

/// How many of a kernel's `Most` rows are there: as many as the step says in memory, or all where it says nothing. May
/// be asked before waitForPredecessors(): no kernel writes it.
template <int Most> __device__ __forceinline__ int rowCount(const int *rows) {
  return rows ? minOf(*rows, Most) : Most;
}

/// True for a kernel without any row to compute: all its blocks leave at once.
__device__ __forceinline__ bool isEmpty(const int *rows) {
  if (*rows > 0)
    return false;
  waitForPredecessors();
  return true;
}

/// All threads of a block, as threads that work together.
template <int Threads> struct BlockTeam {
  static constexpr int kThreads = Threads;
  static __device__ __forceinline__ int thread() { return threadIdx.x; }
  static __device__ __forceinline__ void sync() { __syncthreads(); }
};

/// Sets bits of a number that other blocks read: they see what this thread has seen before.
__device__ __forceinline__ void orRelease(uint32 *to, uint32 bits) {
  asm volatile("red.release.gpu.global.or.b32 [%0], %1;" ::"l"(to), "r"(bits) : "memory");
}

/// A number that other blocks change: what they wrote before can be seen afterwards.
__device__ __forceinline__ uint32 loadAcquire(const uint32 *from) {
  uint32 number;
  asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(number) : "l"(from) : "memory");
  return number;
}

/// Calls `function` for the numbers below `Count` that are this thread's: as few as there must be, which a loop from
/// the thread's own number on does not tell the compiler.
template <int Threads, int Count, class Function> __device__ __forceinline__ void forEachOf(const Function &function) {
#pragma unroll
  for (int round = 0; round < geometry::ceilDiv(Count, Threads); ++round)
    if (const int number = threadIdx.x + round * Threads; number < Count)
      function(number);
}

} // namespace bambac
