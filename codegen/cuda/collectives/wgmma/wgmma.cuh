// The warpgroup matrix instruction: d[64, N] += a[64, K] b[K, N] with f32 sums, N = 8, 16, ... 256, where K is 32
// bytes: 16 bf16 or f16, or 32 codes; the descriptors of operands in shared memory, and the fences that order it. Sums
// of codes have 14 bits only, and so are not left to grow.
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

/// d (+)= a b. Operand a lies K-major in shared memory, or in registers as mma.m16n8k16 wants it, 16 rows a warp;
/// b K-major, or with `TransposeB` N-major.
template <int N, class Element> struct Wgmma;

// The instruction names its sums one by one. The other operands come first in the list of the asm statement, as
// read-write ones though they are only read, so that the sums have the same numbers whatever N is.
// clang-format off
#define BAMBAC_SUMS(i) "+f"(sums[i]), "+f"(sums[i + 1]), "+f"(sums[i + 2]), "+f"(sums[i + 3])
#define BAMBAC_NAMES_8 "%3, %4, %5, %6"
#define BAMBAC_NAMES_16 BAMBAC_NAMES_8 ", %7, %8, %9, %10"
#define BAMBAC_NAMES_24 BAMBAC_NAMES_16 ", %11, %12, %13, %14"
#define BAMBAC_NAMES_32 BAMBAC_NAMES_24 ", %15, %16, %17, %18"
#define BAMBAC_NAMES_40 BAMBAC_NAMES_32 ", %19, %20, %21, %22"
#define BAMBAC_NAMES_48 BAMBAC_NAMES_40 ", %23, %24, %25, %26"
#define BAMBAC_NAMES_56 BAMBAC_NAMES_48 ", %27, %28, %29, %30"
#define BAMBAC_NAMES_64 BAMBAC_NAMES_56 ", %31, %32, %33, %34"
#define BAMBAC_NAMES_72 BAMBAC_NAMES_64 ", %35, %36, %37, %38"
#define BAMBAC_NAMES_80 BAMBAC_NAMES_72 ", %39, %40, %41, %42"
#define BAMBAC_NAMES_88 BAMBAC_NAMES_80 ", %43, %44, %45, %46"
#define BAMBAC_NAMES_96 BAMBAC_NAMES_88 ", %47, %48, %49, %50"
#define BAMBAC_NAMES_104 BAMBAC_NAMES_96 ", %51, %52, %53, %54"
#define BAMBAC_NAMES_112 BAMBAC_NAMES_104 ", %55, %56, %57, %58"
#define BAMBAC_NAMES_120 BAMBAC_NAMES_112 ", %59, %60, %61, %62"
#define BAMBAC_NAMES_128 BAMBAC_NAMES_120 ", %63, %64, %65, %66"
#define BAMBAC_NAMES_136 BAMBAC_NAMES_128 ", %67, %68, %69, %70"
#define BAMBAC_NAMES_144 BAMBAC_NAMES_136 ", %71, %72, %73, %74"
#define BAMBAC_NAMES_152 BAMBAC_NAMES_144 ", %75, %76, %77, %78"
#define BAMBAC_NAMES_160 BAMBAC_NAMES_152 ", %79, %80, %81, %82"
#define BAMBAC_NAMES_168 BAMBAC_NAMES_160 ", %83, %84, %85, %86"
#define BAMBAC_NAMES_176 BAMBAC_NAMES_168 ", %87, %88, %89, %90"
#define BAMBAC_NAMES_184 BAMBAC_NAMES_176 ", %91, %92, %93, %94"
#define BAMBAC_NAMES_192 BAMBAC_NAMES_184 ", %95, %96, %97, %98"
#define BAMBAC_NAMES_200 BAMBAC_NAMES_192 ", %99, %100, %101, %102"
#define BAMBAC_NAMES_208 BAMBAC_NAMES_200 ", %103, %104, %105, %106"
#define BAMBAC_NAMES_216 BAMBAC_NAMES_208 ", %107, %108, %109, %110"
#define BAMBAC_NAMES_224 BAMBAC_NAMES_216 ", %111, %112, %113, %114"
#define BAMBAC_NAMES_232 BAMBAC_NAMES_224 ", %115, %116, %117, %118"
#define BAMBAC_NAMES_240 BAMBAC_NAMES_232 ", %119, %120, %121, %122"
#define BAMBAC_NAMES_248 BAMBAC_NAMES_240 ", %123, %124, %125, %126"
#define BAMBAC_NAMES_256 BAMBAC_NAMES_248 ", %127, %128, %129, %130"
#define BAMBAC_SUMS_8 BAMBAC_SUMS(0)
#define BAMBAC_SUMS_16 BAMBAC_SUMS_8, BAMBAC_SUMS(4)
#define BAMBAC_SUMS_24 BAMBAC_SUMS_16, BAMBAC_SUMS(8)
#define BAMBAC_SUMS_32 BAMBAC_SUMS_24, BAMBAC_SUMS(12)
#define BAMBAC_SUMS_40 BAMBAC_SUMS_32, BAMBAC_SUMS(16)
#define BAMBAC_SUMS_48 BAMBAC_SUMS_40, BAMBAC_SUMS(20)
#define BAMBAC_SUMS_56 BAMBAC_SUMS_48, BAMBAC_SUMS(24)
#define BAMBAC_SUMS_64 BAMBAC_SUMS_56, BAMBAC_SUMS(28)
#define BAMBAC_SUMS_72 BAMBAC_SUMS_64, BAMBAC_SUMS(32)
#define BAMBAC_SUMS_80 BAMBAC_SUMS_72, BAMBAC_SUMS(36)
#define BAMBAC_SUMS_88 BAMBAC_SUMS_80, BAMBAC_SUMS(40)
#define BAMBAC_SUMS_96 BAMBAC_SUMS_88, BAMBAC_SUMS(44)
#define BAMBAC_SUMS_104 BAMBAC_SUMS_96, BAMBAC_SUMS(48)
#define BAMBAC_SUMS_112 BAMBAC_SUMS_104, BAMBAC_SUMS(52)
#define BAMBAC_SUMS_120 BAMBAC_SUMS_112, BAMBAC_SUMS(56)
#define BAMBAC_SUMS_128 BAMBAC_SUMS_120, BAMBAC_SUMS(60)
#define BAMBAC_SUMS_136 BAMBAC_SUMS_128, BAMBAC_SUMS(64)
#define BAMBAC_SUMS_144 BAMBAC_SUMS_136, BAMBAC_SUMS(68)
#define BAMBAC_SUMS_152 BAMBAC_SUMS_144, BAMBAC_SUMS(72)
#define BAMBAC_SUMS_160 BAMBAC_SUMS_152, BAMBAC_SUMS(76)
#define BAMBAC_SUMS_168 BAMBAC_SUMS_160, BAMBAC_SUMS(80)
#define BAMBAC_SUMS_176 BAMBAC_SUMS_168, BAMBAC_SUMS(84)
#define BAMBAC_SUMS_184 BAMBAC_SUMS_176, BAMBAC_SUMS(88)
#define BAMBAC_SUMS_192 BAMBAC_SUMS_184, BAMBAC_SUMS(92)
#define BAMBAC_SUMS_200 BAMBAC_SUMS_192, BAMBAC_SUMS(96)
#define BAMBAC_SUMS_208 BAMBAC_SUMS_200, BAMBAC_SUMS(100)
#define BAMBAC_SUMS_216 BAMBAC_SUMS_208, BAMBAC_SUMS(104)
#define BAMBAC_SUMS_224 BAMBAC_SUMS_216, BAMBAC_SUMS(108)
#define BAMBAC_SUMS_232 BAMBAC_SUMS_224, BAMBAC_SUMS(112)
#define BAMBAC_SUMS_240 BAMBAC_SUMS_232, BAMBAC_SUMS(116)
#define BAMBAC_SUMS_248 BAMBAC_SUMS_240, BAMBAC_SUMS(120)
#define BAMBAC_SUMS_256 BAMBAC_SUMS_248, BAMBAC_SUMS(124)
// clang-format on

#define BAMBAC_WGMMA_SHARED(n, type, transpose)                                                                        \
  asm volatile("{\n\t.reg .pred p;\n\tsetp.ne.b32 p, %2, 0;\n\t"                                                       \
               "wgmma.mma_async.sync.aligned.m64n" #n "k16.f32." #type "." #type " {" BAMBAC_NAMES_##n                 \
               "}, %0, %1, p, 1, 1, 0, " transpose ";\n\t}"                                                            \
               : "+l"(a), "+l"(b), "+r"(accumulate), BAMBAC_SUMS_##n)

#define BAMBAC_WGMMA_REGISTERS(n, type, transpose)                                                                     \
  asm volatile("{\n\t.reg .pred p;\n\t.reg .b32 a<4>;\n\tsetp.eq.b32 p, 0, 0;\n\t"                                     \
               "mov.b64 {a0, a1}, %0;\n\tmov.b64 {a2, a3}, %1;\n\t"                                                    \
               "wgmma.mma_async.sync.aligned.m64n" #n "k16.f32." #type "." #type " {" BAMBAC_NAMES_##n                 \
               "}, {a0, a1, a2, a3}, %2, p, 1, 1, " transpose ";\n\t}"                                                 \
               : "+l"(low), "+l"(high), "+l"(b), BAMBAC_SUMS_##n)

#define BAMBAC_WGMMA_OF(n, type)                                                                                       \
  template <> struct Wgmma<n, type> {                                                                                  \
    template <bool TransposeB = false>                                                                                 \
    static __device__ __forceinline__ void run(float (&sums)[n / 2], uint64 a, uint64 b, int accumulate = 1) {         \
      if constexpr (TransposeB)                                                                                        \
        BAMBAC_WGMMA_SHARED(n, type, "1");                                                                             \
      else                                                                                                             \
        BAMBAC_WGMMA_SHARED(n, type, "0");                                                                             \
    }                                                                                                                  \
    template <bool TransposeB = false>                                                                                 \
    static __device__ __forceinline__ void run(float (&sums)[n / 2], const uint32 (&a)[4], uint64 b) {                 \
      uint64 low = uint64(a[1]) << 32 | a[0], high = uint64(a[3]) << 32 | a[2];                                        \
      if constexpr (TransposeB)                                                                                        \
        BAMBAC_WGMMA_REGISTERS(n, type, "1");                                                                          \
      else                                                                                                             \
        BAMBAC_WGMMA_REGISTERS(n, type, "0");                                                                          \
    }                                                                                                                  \
  };

/// Codes lie in shared memory, both K-major. Without `accumulate` the sums are overwritten.
#define BAMBAC_WGMMA_CODES(n)                                                                                          \
  template <> struct Wgmma<n, e4m3> {                                                                                  \
    static __device__ __forceinline__ void run(float (&sums)[n / 2], uint64 a, uint64 b, int accumulate = 1) {         \
      asm volatile("{\n\t.reg .pred p;\n\tsetp.ne.b32 p, %2, 0;\n\t"                                                   \
                   "wgmma.mma_async.sync.aligned.m64n" #n "k32.f32.e4m3.e4m3 {" BAMBAC_NAMES_##n                       \
                   "}, %0, %1, p, 1, 1;\n\t}"                                                                          \
                   : "+l"(a), "+l"(b), "+r"(accumulate), BAMBAC_SUMS_##n);                                             \
    }                                                                                                                  \
  };

#define BAMBAC_WGMMA(n) BAMBAC_WGMMA_OF(n, bf16) BAMBAC_WGMMA_OF(n, f16) BAMBAC_WGMMA_CODES(n)

// clang-format off
BAMBAC_WGMMA(8) BAMBAC_WGMMA(16) BAMBAC_WGMMA(24) BAMBAC_WGMMA(32)
BAMBAC_WGMMA(40) BAMBAC_WGMMA(48) BAMBAC_WGMMA(56) BAMBAC_WGMMA(64)
BAMBAC_WGMMA(72) BAMBAC_WGMMA(80) BAMBAC_WGMMA(88) BAMBAC_WGMMA(96)
BAMBAC_WGMMA(104) BAMBAC_WGMMA(112) BAMBAC_WGMMA(120) BAMBAC_WGMMA(128)
BAMBAC_WGMMA(136) BAMBAC_WGMMA(144) BAMBAC_WGMMA(152) BAMBAC_WGMMA(160)
BAMBAC_WGMMA(168) BAMBAC_WGMMA(176) BAMBAC_WGMMA(184) BAMBAC_WGMMA(192)
BAMBAC_WGMMA(200) BAMBAC_WGMMA(208) BAMBAC_WGMMA(216) BAMBAC_WGMMA(224)
BAMBAC_WGMMA(232) BAMBAC_WGMMA(240) BAMBAC_WGMMA(248) BAMBAC_WGMMA(256)
// clang-format on

#undef BAMBAC_WGMMA
#undef BAMBAC_WGMMA_OF
#undef BAMBAC_WGMMA_CODES
#undef BAMBAC_WGMMA_SHARED
#undef BAMBAC_WGMMA_REGISTERS

} // namespace bambac
