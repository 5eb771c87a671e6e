// Codes of 8 bits: a sign, 4 bits of exponent with a bias of 7, 3 of fraction. There is no infinity, and one NaN for
// each sign. All that converts them gives the same bits on every architecture; from sm_89 on there are instructions for
// it.
#pragma once
#include "common/types.cuh"
#include "runtime/contract/quantization.h"

namespace bambac {

/// Two codes, the low 16 bits of `codes`, as f16, the first in the low half. An f16 has all their numbers.
__device__ __forceinline__ uint32 expandTwo(uint32 codes) {
  uint32 pair;
#if __CUDA_ARCH__ >= 890
  asm("{\n\t.reg .b16 low, high;\n\tmov.b32 {low, high}, %1;\n\tcvt.rn.f16x2.e4m3x2 %0, low;\n\t}"
      : "=r"(pair)
      : "r"(codes));
#else
  // Sign, exponent and fraction take their places; the biases differ by 8. NaN does not stay NaN.
  uint32 spread = __byte_perm(codes, 0, 0x1404);
  uint32 scaled = (spread & 0x80008000u) | (spread >> 1 & 0x3f803f80u);
  asm("mul.rn.f16x2 %0, %1, %2;" : "=r"(pair) : "r"(scaled), "r"(0x5c005c00u)); // 256
#endif
  return pair;
}

/// The same, with f16 of NaN for codes of NaN on every architecture.
__device__ __forceinline__ uint32 expandTwoOrNan(uint32 codes) {
  uint32 pair = expandTwo(codes);
#if __CUDA_ARCH__ < 890
  pair = (codes & 0x7fu) == 0x7fu ? (pair & 0xffff0000u) | 0x7e00u : pair;
  pair = (codes & 0x7f00u) == 0x7f00u ? (pair & 0xffffu) | 0x7e000000u : pair;
#endif
  return pair;
}

/// Four codes as f16: the first two and the last two.
__device__ __forceinline__ void expandFour(uint32 codes, uint32 &first, uint32 &second) {
#if __CUDA_ARCH__ >= 890
  // The instruction reads either half of a register; a shift would be one more.
  asm("{\n\t.reg .b16 low, high;\n\tmov.b32 {low, high}, %2;\n\tcvt.rn.f16x2.e4m3x2 %0, low;\n\t"
      "cvt.rn.f16x2.e4m3x2 %1, high;\n\t}"
      : "=r"(first), "=r"(second)
      : "r"(codes));
#else
  first = expandTwo(codes);
  second = expandTwo(codes >> 16);
#endif
}

__device__ __forceinline__ float toFloat(e4m3 code) {
  if ((code.bits & 0x7f) == 0x7f)
    return __uint_as_float(0x7fc00000u);
  return low<f16>(expandTwo(code.bits));
}

/// The code next to a number, ties to even; +-448 beyond that; NaN for NaN.
__device__ __forceinline__ e4m3 roundToCode(float value) {
  uint32 bits = __float_as_uint(value), sign = bits >> 24 & 0x80u, magnitude = bits & 0x7fffffffu, code;
  if (magnitude > 0x7f800000u)
    return {0x7f};
  if (magnitude < 0x3c800000u) // below 2^-6: a sum with 2^14 ends where the code's last bit does
    code = __float_as_uint(__fadd_rn(__uint_as_float(magnitude), 16384.0f)) - __float_as_uint(16384.0f);
  else
    code = minOf(int(magnitude + 0x7ffffu + (magnitude >> 20 & 1u) - (120u << 23)) >> 20, 0x7e);
  return {uint8(sign | code)};
}

/// Four numbers as codes, the first in the lowest byte.
__device__ __forceinline__ uint32 packCodes(float a, float b, float c, float d) {
#if __CUDA_ARCH__ >= 890
  uint32 codes;
  asm("{\n\t.reg .b16 low, high;\n\tcvt.rn.satfinite.e4m3x2.f32 low, %2, %1;\n\t"
      "cvt.rn.satfinite.e4m3x2.f32 high, %4, %3;\n\tmov.b32 %0, {low, high};\n\t}"
      : "=r"(codes)
      : "f"(a), "f"(b), "f"(c), "f"(d));
  return codes;
#else
  return uint32(roundToCode(a).bits) | uint32(roundToCode(b).bits) << 8 | uint32(roundToCode(c).bits) << 16 |
         uint32(roundToCode(d).bits) << 24;
#endif
}

template <> __device__ __forceinline__ e4m3 fromFloat<e4m3>(float value) {
  return {uint8(packCodes(value, 0.0f, 0.0f, 0.0f))};
}

/// Neighbouring numbers as codes.
template <int Count> __device__ __forceinline__ void storeVector(e4m3 *to, const float (&from)[Count]) {
  if constexpr (Count % 4 == 0) {
    uint32 words[Count / 4];
#pragma unroll
    for (int i = 0; i < Count / 4; ++i)
      words[i] = packCodes(from[4 * i], from[4 * i + 1], from[4 * i + 2], from[4 * i + 3]);
    if constexpr (Count == 8)
      *reinterpret_cast<uint2 *>(to) = make_uint2(words[0], words[1]);
    else if constexpr (Count % 16 == 0)
#pragma unroll
      for (int i = 0; i < Count / 4; i += 4)
        *reinterpret_cast<uint4 *>(to + 4 * i) = make_uint4(words[i], words[i + 1], words[i + 2], words[i + 3]);
    else
#pragma unroll
      for (int i = 0; i < Count / 4; ++i)
        reinterpret_cast<uint32 *>(to)[i] = words[i];
  } else {
#pragma unroll
    for (int i = 0; i < Count; ++i)
      to[i] = fromFloat<e4m3>(from[i]);
  }
}

// --- scales ---------------------------------------------------------------------------------------------------------

/// The scale of numbers whose largest magnitude is `largest`. Of NaN it is NaN.
__device__ __forceinline__ float scaleOfLargest(float largest) {
  float scale = __fdiv_rn(largest, contract::kLargestE4m3);
  return scale < contract::kLeastInputScale ? contract::kLeastInputScale : scale;
}

/// The scale of all rows, where it is the largest of fixed ones.
template <int Count> __device__ __forceinline__ float largestScale(const float *scales) {
  float largest = scales[0];
#pragma unroll
  for (int i = 1; i < Count; ++i)
    largest = fmaxf(largest, scales[i]);
  return largest;
}

/// Divides by one scale: as exact as a division where the quotient is rounded to codes, and in half its instructions.
/// Two steps take the product with the reciprocal to the rounded quotient; -0, whose code is another, stays -0.
/// Quotients that are not finite, and those that are beyond all codes, stay what the product is.
class CodeDivider {
public:
  __device__ __forceinline__ explicit CodeDivider(float scale) {
    const float infinity = __uint_as_float(0x7f800000u);
    divisor = scale == infinity ? 0.0f : scale;
    reciprocal = __frcp_rn(scale);
  }

  __device__ __forceinline__ float operator()(float value) const {
    const float product = value * reciprocal, quotient = correct(value, correct(value, product));
    return fabsf(product) < 1024.0f ? quotient : product;
  }
  template <int Count> __device__ __forceinline__ void divide(float (&values)[Count]) const {
#pragma unroll
    for (float &value : values)
      value = (*this)(value);
  }

private:
  float divisor, reciprocal;

  /// The excess is 0, not -0, of a quotient that is exact, and less than nothing added to -0 leaves it.
  __device__ __forceinline__ float correct(float value, float quotient) const {
    const float excess = __fmaf_rn(quotient, divisor, -value);
    return __fmaf_rn(excess, -reciprocal, quotient);
  }
};

/// The largest magnitude as bits, which order as the numbers do, with NaN as the largest of all.
template <int Count> __device__ __forceinline__ uint32 largestBits(const float (&values)[Count]) {
  float largest = 0.0f;
#pragma unroll
  for (int i = 0; i < Count; ++i)
    asm("max.NaN.f32 %0, %1, %2;" : "=f"(largest) : "f"(largest), "f"(fabsf(values[i])));
  return __float_as_uint(largest);
}

} // namespace bambac
