// Hopper's asynchronous machinery: mbarriers, bulk and tensor copies into shared memory, proxy fences, named barriers.
// Shared memory is addressed by 32-bit addresses of the shared window (sharedAddress), as the instructions want it.
#pragma once
#include "common/launch.cuh"
#include "common/mma.cuh"

namespace bambac {

// --- mbarriers ----------------------------------------------------------------------------------------------------
// A barrier is 8 bytes of shared memory. It completes a phase when `count` arrivals and all announced bytes are in.
// wait(barrier, parity) returns once the phase of that parity (0 for the first) has completed; waiting for parity 1 on
// a fresh barrier returns at once, which is how a producer finds the slots of a new ring empty.

__device__ __forceinline__ void initBarrier(uint32 barrier, uint32 count) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(barrier), "r"(count) : "memory");
}

/// Makes initialized barriers known to the asynchronous proxy and the cluster. By the initializing thread, before the
/// block's (or cluster's) barrier that publishes them.
__device__ __forceinline__ void fenceBarrierInit() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}

__device__ __forceinline__ void arrive(uint32 barrier) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(barrier) : "memory");
}

/// Arrives once the loads that bring `loaded` are complete: for readers that hand a slot back to a bulk copy, which is
/// ordered by nothing else. The assembler may move an arrival above the end of a load that it does not depend on. So
/// the barrier's address depends on the loaded value: it adds `loaded & blockIdx.z`, which is 0 because no kernel that
/// calls this has a z dimension, but the assembler cannot know that.
__device__ __forceinline__ void arriveAfter(uint32 barrier, uint32 loaded) { arrive(barrier + (loaded & blockIdx.z)); }

/// Arrives at `barrier` once this thread's copyAsync16 so far are in. The barrier's count includes these arrivals.
__device__ __forceinline__ void arriveAfterCopies(uint32 barrier) {
  asm volatile("cp.async.mbarrier.arrive.noinc.shared::cta.b64 [%0];" ::"r"(barrier) : "memory");
}

/// Arrives and announces bytes that copies will bring in this phase.
__device__ __forceinline__ void arriveExpect(uint32 barrier, uint32 bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier), "r"(bytes) : "memory");
}

__device__ __forceinline__ bool tryWait(uint32 barrier, uint32 parity) {
  uint32 done;
  asm volatile("{\n\t.reg .pred done;\n\t"
               "mbarrier.try_wait.parity.shared::cta.b64 done, [%1], %2;\n\t"
               "selp.u32 %0, 1, 0, done;\n\t}"
               : "=r"(done)
               : "r"(barrier), "r"(parity)
               : "memory");
  return done != 0;
}

__device__ __forceinline__ void wait(uint32 barrier, uint32 parity) {
  while (!tryWait(barrier, parity)) {
  }
}

/// A position in a ring of slots and the parity of the pass through it.
template <int Slots> struct RingPosition {
  int slot = 0;
  uint32 parity = 0;
  __device__ __forceinline__ void advance() {
    if (++slot == Slots) {
      slot = 0;
      parity ^= 1;
    }
  }
};

// --- fences and barriers of some warps ----------------------------------------------------------------------------

/// Orders ordinary accesses of shared memory before later ones of the asynchronous proxy (wgmma operands, tensor
/// stores, copies into memory that was read).
__device__ __forceinline__ void fenceAsyncProxy() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }

/// Synchronizes `threads` threads (whole warps) that name the same barrier, 1 to 15; 0 is __syncthreads().
__device__ __forceinline__ void syncNamed(uint32 name, uint32 threads) {
  asm volatile("bar.sync %0, %1;" ::"r"(name), "r"(threads) : "memory");
}

/// `Threads` threads, whole warps from number `First` of the block on, that meet at a named barrier.
template <int First, int Threads, int Barrier> struct NamedTeam {
  static constexpr int kThreads = Threads;
  static __device__ __forceinline__ int thread() { return threadIdx.x - First; }
  static __device__ __forceinline__ void sync() { syncNamed(Barrier, Threads); }
};

// --- clusters -----------------------------------------------------------------------------------------------------

__device__ __forceinline__ void syncCluster() {
  asm volatile("barrier.cluster.arrive.release.aligned;\n\tbarrier.cluster.wait.acquire.aligned;" ::: "memory");
}

// --- bulk copies --------------------------------------------------------------------------------------------------

#if __CUDA_ARCH__ >= 900
inline constexpr bool kHasBulkCopies = true;
#else
inline constexpr bool kHasBulkCopies = false;
#endif

/// Copies `bytes` (a multiple of 16, both ends aligned to 16) of global to shared memory; they count at `barrier`.
__device__ __forceinline__ void copyBulk(uint32 to, const void *from, uint32 bytes, uint32 barrier, uint64 policy) {
  asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint "
               "[%0], [%1], %2, [%3], %4;" ::"r"(to),
               "l"(from), "r"(bytes), "r"(barrier), "l"(policy)
               : "memory");
}

/// Asks for `bytes` (a multiple of 16, from an address that is one) to come to the L2 cache.
__device__ __forceinline__ void prefetchBulk(const void *from, uint32 bytes) {
  asm volatile("cp.async.bulk.prefetch.L2.global [%0], %1;" ::"l"(from), "r"(bytes) : "memory");
}

// --- tensor copies ------------------------------------------------------------------------------------------------
// `map` is a kernel parameter (__grid_constant__); x is the innermost coordinate. Boxes that reach over the edge of the
// tensor are filled with zeros and count in full at the barrier.

__device__ __forceinline__ void prefetchMap(const TensorMapParam &map) {
  asm volatile("prefetch.tensormap [%0];" ::"l"(&map) : "memory");
}

__device__ __forceinline__ void copyTensor(uint32 to, const TensorMapParam &map, uint32 barrier, int x, int y) {
  asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes "
               "[%0], [%1, {%3, %4}], [%2];" ::"r"(to),
               "l"(&map), "r"(barrier), "r"(x), "r"(y)
               : "memory");
}

__device__ __forceinline__ void copyTensor(uint32 to, const TensorMapParam &map, uint32 barrier, int x, int y, int z) {
  asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.tile.mbarrier::complete_tx::bytes "
               "[%0], [%1, {%3, %4, %5}], [%2];" ::"r"(to),
               "l"(&map), "r"(barrier), "r"(x), "r"(y), "r"(z)
               : "memory");
}

__device__ __forceinline__ void copyTensor(uint32 to, const TensorMapParam &map, uint32 barrier, int x, int y, int z,
                                           uint64 policy) {
  asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.tile.mbarrier::complete_tx::bytes.L2::cache_hint "
               "[%0], [%1, {%3, %4, %5}], [%2], %6;" ::"r"(to),
               "l"(&map), "r"(barrier), "r"(x), "r"(y), "r"(z), "l"(policy)
               : "memory");
}

} // namespace bambac
