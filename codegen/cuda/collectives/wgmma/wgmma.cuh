// The warpgroup matrix instruction: d[64, N] += a[64, K] b[K, N] with f32 sums, where K is 32 bytes: 16 bf16 or f16, or
// 32 codes. Here are the descriptors of operands in shared memory and the fences that order it. The instruction itself
// is in a header for each type of operands, since a compiler takes long to read them: a kernel includes one.
#pragma once
#include "common/e4m3.cuh"

namespace bambac {

// --- operands in shared memory --------------------------------------------------------------------------------------
// A descriptor names 32 bytes (along the reduction) of an operand: the address, and the strides between its core
// matrices of 8 rows x 16 bytes. Stepping along the reduction adds to the address field: advance(descriptor, bytes).

/// Core matrices of 128 contiguous bytes, `alongBytes` apart along the reduction, `acrossBytes` from 8 rows to 8.
__device__ __forceinline__ uint64 coreMatrixDescriptor(uint32 address, uint32 alongBytes, uint32 acrossBytes) {
  return uint64((address & 0x3ffffu) >> 4) | uint64(alongBytes >> 4) << 16 | uint64(acrossBytes >> 4) << 32;
}

/// Rows of 128 bytes (64 words along the reduction), swizzled as a tensor copy with a 128-byte swizzle leaves them;
/// the first row at a multiple of 1024 bytes.
__device__ __forceinline__ uint64 swizzledDescriptor(uint32 address) {
  return uint64((address & 0x3ffffu) >> 4) | uint64(1) << 16 | uint64(1024 >> 4) << 32 | uint64(1) << 62;
}

/// The descriptor `bytes` (a multiple of 16) further in shared memory.
__device__ __forceinline__ uint64 advance(uint64 descriptor, uint32 bytes) { return descriptor + (bytes >> 4); }

// --- order ----------------------------------------------------------------------------------------------------------
// fenceSums(d); warpgroupArrive(); wgmma...; warpgroupCommit(); warpgroupWait<0>(); fenceSums(d). Between arrive and
// wait nothing may touch the sums.

/// Orders this warpgroup's earlier accesses of registers and shared memory before its next matrix instructions.
__device__ __forceinline__ void warpgroupArrive() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }

/// Ends the group of matrix instructions issued so far.
__device__ __forceinline__ void warpgroupCommit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }

/// Waits until at most `Pending` groups are unfinished.
template <int Pending> __device__ __forceinline__ void warpgroupWait() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(Pending) : "memory");
}

/// Keeps the compiler from moving accesses of the sums over this point.
template <int Count> __device__ __forceinline__ void fenceSums(float (&sums)[Count]) {
#pragma unroll
  for (int i = 0; i < Count; ++i)
    asm volatile("" : "+f"(sums[i])::"memory");
}

template <int Outer, int Count> __device__ __forceinline__ void fenceSums(float (&sums)[Outer][Count]) {
#pragma unroll
  for (int i = 0; i < Outer; ++i)
    fenceSums(sums[i]);
}

/// Gives registers of this warpgroup back (all its warps; `Count` registers a thread stay, a multiple of 8).
template <int Count> __device__ __forceinline__ void releaseRegisters() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(Count));
}

/// Raises this warpgroup's registers to `Count` a thread; waits until they have been given back by others.
template <int Count> __device__ __forceinline__ void claimRegisters() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(Count));
}

// --- the instruction ------------------------------------------------------------------------------------------------
// Sums of a thread: sums[4 * j + 2 * h + e] is row 16 * warp + lane / 4 + 8 * h, column 8 * j + 2 * (lane % 4) + e.

/// `run(sums, a, b)` is d += a b for N = 8, 16, ... 256 columns, with descriptors of both operands, which lie K-major.
/// With a last argument of 0 the sums are overwritten. Those of codes have 14 bits only, and so are not left to grow.
/// wgmma/wgmma_bf16.cuh, wgmma/wgmma_f16.cuh and wgmma/wgmma_e4m3.cuh have it.
template <int N, class Element> struct Wgmma;

} // namespace bambac
