// What a kernel says of its own launch. The compiler reads these constants out of the cubin, so that grid, shared
// memory and tensor maps are stated once, beside the code that relies on them.
#pragma once
#include "common/types.cuh"

namespace bambac {

/// Grid and block of a kernel. Plain 32-bit words in this order.
struct Launch {
  uint32 gridX, gridY, gridZ;
  uint32 threads;     ///< of a block, one-dimensional
  uint32 cluster;     ///< blocks of a cluster along x; 1: none
  uint32 sharedBytes; ///< dynamic shared memory of a block
  uint32 dependent;   ///< 1: may be launched before its predecessor has ended; it waits itself (griddepcontrol.wait)
  uint32 workspace;   ///< bytes of device memory behind the counters that it uses for itself; 0: none, no parameter
};

/// A tensor map over one argument (CUtensorMap, tiled). Dimensions from the innermost; sizes in elements, strides in
/// bytes. A size of 0 in the outermost dimension is the number of items of a state pool.
struct TensorMap {
  uint32 elementBytes; ///< 2: bf16 or f16, 4: f32
  uint32 rank;
  uint32 swizzleBytes; ///< 0, 32, 64 or 128
  uint32 dims[5];
  uint32 box[5];
  uint32 reserved;
  uint64 strides[4]; ///< of dimensions 1 to rank - 1
};

/// A CUtensorMap as a kernel parameter: `const __grid_constant__ bambac::TensorMapParam map`.
struct alignas(64) TensorMapParam {
  uint64 opaque[16];
};

/// Number of zeroed 32-bit counters in front of a kernel's workspace. A kernel that uses them leaves them zero.
inline constexpr int kWorkspaceCounters = 16384;

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

} // namespace bambac
