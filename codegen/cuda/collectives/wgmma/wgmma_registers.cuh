// The warpgroup matrix instruction with one operand in registers, for 64 columns.
#pragma once
#include "wgmma/wgmma_text.cuh"

namespace bambac {

/// `run(sums, a, b)` is d += a b: a in registers as mma.m16n8k16 wants it, 16 rows a warp, b N-major.
template <class Element> struct WgmmaOfRegisters;

#define BAMBAC_WGMMA_OF_REGISTERS(n, type)                                                                             \
  template <> struct WgmmaOfRegisters<type> {                                                                          \
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
#undef BAMBAC_WGMMA_OF_REGISTERS

} // namespace bambac
