// Tensor cores and asynchronous copies as sm_80 has them (and every later architecture): mma.sync, ldmatrix, cp.async.
//
// Fragments of mma m16n8k16 (D[16,8] += A[16,16] B[16,8], bf16 or f16 inputs, f32 sums). With group = lane / 4 and
// pair = lane % 4 * 2, a lane holds (two neighbouring elements a register, the first in the low half):
//
//   A (row-major)       a[0] = A[group    ][pair, pair + 1]        a[2] = A[group    ][pair + 8, pair + 9]
//                       a[1] = A[group + 8][pair, pair + 1]        a[3] = A[group + 8][pair + 8, pair + 9]
//   B (column-major,    b[0] = B[pair,     pair + 1][group]
//      that is [n, k])  b[1] = B[pair + 8, pair + 9][group]
//   C and D             d[0], d[1] = D[group    ][pair, pair + 1]
//                       d[2], d[3] = D[group + 8][pair, pair + 1]
//
// ldmatrix loads 8x8 matrices of 16-bit elements: matrix i takes its eight rows (16 bytes each) from the addresses in
// lanes 8 i .. 8 i + 7; register i of a lane is then row `group`, columns `pair` and `pair + 1` of matrix i. So
//   - A from row-major memory: lane l points to row l % 16, column l / 16 * 8 of the 16x16 tile (ldmatrixX4);
//   - B from memory [n, k]: lane l points to row (that is n) l % 8, column (that is k) l / 8 * 8: ldmatrixX4 gives b of
//     two k16 steps. A core matrix is such an 8x8 matrix in 128 contiguous bytes: lane l adds l * 16 bytes;
//   - B from memory [k, n] (attention's V): the .trans forms, with lane l pointing to row (k) l % 16.
#pragma once
#include "common/e4m3.cuh"

namespace bambac {

/// Address within the shared window, as the instructions below want it.
__device__ __forceinline__ uint32 sharedAddress(const void *pointer) {
  return static_cast<uint32>(__cvta_generic_to_shared(pointer));
}

__device__ __forceinline__ void ldmatrixX4(uint32 (&to)[4], uint32 address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(address)
               : "memory");
}

__device__ __forceinline__ void ldmatrixX4Trans(uint32 (&to)[4], uint32 address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(address)
               : "memory");
}

/// d += a b. Not volatile: the compiler may order it among its neighbours.
template <class Element>
__device__ __forceinline__ void mma(float (&d)[4], const uint32 (&a)[4], uint32 b0, uint32 b1) {
  if constexpr (kIsSame<Element, f16>)
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
  else
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

/// The same of 32 codes of 8 bits, which lie along the words of a row.
__device__ __forceinline__ void mmaCodes(int (&d)[4], const uint32 (&a)[4], uint32 b0, uint32 b1) {
  asm("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

/// The bits of an f32 that tf32 has.
inline constexpr uint32 kTf32Bits = 0xffffe000u;

/// d += a b of f32 numbers that have no other bits than kTf32Bits: m16n8k8. With group = lane / 4 and i = lane % 4, a
/// lane holds A[group, group + 8][i] and A[group, group + 8][i + 4], and B[i][group] and B[i + 4][group].
__device__ __forceinline__ void mmaTf32(float (&d)[4], const uint32 (&a)[4], uint32 b0, uint32 b1) {
  asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

/// Operand b of a step of kMmaDepth words, made once for many products: the first 8 words, then the last, as ldmatrix
/// gives them. Words that are codes become f16.
template <class Operand> struct StepFactors {
  uint32 b[2];
  StepFactors() = default;
  __device__ __forceinline__ StepFactors(uint32 b0, uint32 b1) : b{b0, b1} {}
};
template <> struct StepFactors<e4m3> {
  uint32 b[4];
  StepFactors() = default;
  __device__ __forceinline__ StepFactors(uint32 b0, uint32 b1) {
    expandFour(b0, b[0], b[1]);
    expandFour(b1, b[2], b[3]);
  }
};

/// Operand a of a step, as ldmatrix gives it, and its product with operand b. Where the words are codes, that is two
/// products of f16: a word of a lane is two neighbouring codes of the depth, and the lane's k of a product are any four
/// as long as both operands agree.
template <class Operand> struct StepOperands {
  uint32 a[4];
  StepOperands() = default;
  __device__ __forceinline__ StepOperands(const uint32 (&words)[4]) : a{words[0], words[1], words[2], words[3]} {}
  __device__ __forceinline__ void multiply(float (&d)[4], const StepFactors<Operand> &factors) const {
    mma<Operand>(d, a, factors.b[0], factors.b[1]);
  }
};
template <> struct StepOperands<e4m3> {
  uint32 first[4], second[4];
  StepOperands() = default;
  __device__ __forceinline__ StepOperands(const uint32 (&words)[4]) {
    expandFour(words[0], first[0], first[2]);
    expandFour(words[1], first[1], first[3]);
    expandFour(words[2], second[0], second[2]);
    expandFour(words[3], second[1], second[3]);
  }
  __device__ __forceinline__ void multiply(float (&d)[4], const StepFactors<e4m3> &factors) const {
    mma<f16>(d, first, factors.b[0], factors.b[1]);
    mma<f16>(d, second, factors.b[2], factors.b[3]);
  }
};

/// 16 bytes from global to shared memory, past L1. Both addresses are aligned to 16 bytes.
__device__ __forceinline__ void copyAsync16(uint32 shared, const void *global) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(shared), "l"(global) : "memory");
}

/// The same, or 16 zero bytes where not `valid`; `global` is then not read, but must be a pointer to global memory.
__device__ __forceinline__ void copyAsync16(uint32 shared, const void *global, bool valid) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared), "l"(global), "r"(valid ? 16 : 0)
               : "memory");
}

/// The policy for data that is read once (weights): first to leave L2.
__device__ __forceinline__ uint64 evictFirstPolicy() {
  uint64 policy;
  asm("createpolicy.fractional.L2::evict_first.b64 %0, 1.0;" : "=l"(policy));
  return policy;
}

/// The zero-filling form under a cache policy.
__device__ __forceinline__ void copyAsync16(uint32 shared, const void *global, bool valid, uint64 policy) {
  asm volatile("cp.async.cg.shared.global.L2::cache_hint [%0], [%1], 16, %2, %3;" ::"r"(shared), "l"(global),
               "r"(valid ? 16 : 0), "l"(policy)
               : "memory");
}

/// `Elements` 16-bit elements from global to shared memory, or zeros where not `valid`.
template <int Elements, class Operand>
__device__ __forceinline__ void copyElementsAsync(Operand *to, const Operand *from, bool valid) {
  if constexpr (Elements == 8)
    copyAsync16(sharedAddress(to), from, valid);
  else if constexpr (Elements > 1)
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(sharedAddress(to)), "l"(from), "n"(Elements * 2),
                 "r"(valid ? Elements * 2 : 0)
                 : "memory");
  else
    *to = valid ? *from : Operand{0};
}

/// Closes the group of this thread's copies since the last call; an empty group is complete at once.
__device__ __forceinline__ void commitCopies() { asm volatile("cp.async.commit_group;" ::: "memory"); }

/// Waits until at most `Pending` of this thread's latest groups are under way. Other threads' copies need a barrier
/// more.
template <int Pending> __device__ __forceinline__ void waitCopies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(Pending) : "memory");
}

} // namespace bambac
