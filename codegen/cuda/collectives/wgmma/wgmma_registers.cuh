// The warpgroup matrix instruction with one operand in registers, for 64 columns; wgmma/wgmma_registers_wide.cuh has it
// for more.
#pragma once
#include "wgmma/wgmma_text.cuh"

namespace bambac {

/// `run(sums, a, b)` is d += a b: a in registers as mma.m16n8k16 wants it, 16 rows a warp, b N-major.
template <int N, class Element> struct WgmmaOfRegisters;

#define BAMBAC_WGMMA_OF_REGISTERS(n, type)                                                                             \
  template <> struct WgmmaOfRegisters<n, type> {                                                                       \
    static __device__ __forceinline__ void run(float (&sums)[n / 2], const uint32 (&a)[4], uint64 b) {                 \
      uint64 low = uint64(a[1]) << 32 | a[0], high = uint64(a[3]) << 32 | a[2];                                        \
      asm volatile("{\n\t.reg .pred p;\n\t.reg .b32 a<4>;\n\tsetp.eq.b32 p, 0, 0;\n\t"                                 \
                   "mov.b64 {a0, a1}, %0;\n\tmov.b64 {a2, a3}, %1;\n\t"                                                \
                   "wgmma.mma_async.sync.aligned.m64n" #n "k16.f32." #type "." #type " {" BAMBAC_NAMES_##n             \
                   "}, {a0, a1, a2, a3}, %2, p, 1, 1, 1;\n\t}"                                                         \
                   : "+l"(low), "+l"(high), "+l"(b), BAMBAC_SUMS_##n);                                                 \
    }                                                                                                                  \
  };
BAMBAC_WGMMA_OF_REGISTERS(64, bf16)
BAMBAC_WGMMA_OF_REGISTERS(64, f16)

/// Keeps the compiler from moving the making of register operands over this point.
template <int Steps> __device__ __forceinline__ void fenceOperands(uint32 (&operands)[Steps][4]) {
#pragma unroll
  for (int step = 0; step < Steps; ++step)
#pragma unroll
    for (int i = 0; i < 4; ++i)
      asm volatile("" : "+r"(operands[step][i])::"memory");
}

/// to = from, at this point and no earlier. Matrix instructions read their register operands until warpgroupWait: where
/// a plain copy after it is the only definition of the next operands, the compiler may compute them in the registers
/// that are still read.
template <int Steps>
__device__ __forceinline__ void replaceOperands(uint32 (&to)[Steps][4], const uint32 (&from)[Steps][4]) {
#pragma unroll
  for (int step = 0; step < Steps; ++step)
#pragma unroll
    for (int i = 0; i < 4; ++i)
      asm volatile("mov.b32 %0, %1;" : "=r"(to[step][i]) : "r"(from[step][i]) : "memory");
}

} // namespace bambac
