// Types and small helpers that every kernel uses. Needs no header of the toolkit, so that NVRTC has little to read.
#pragma once
#include "geometry/geometry.h"

namespace bambac {

using int8 = signed char;
using uint8 = unsigned char;
using uint16 = unsigned short;
using uint32 = unsigned int;
using uint64 = unsigned long long;

/// A bfloat16 or an IEEE half as it lies in memory. Arithmetic is done in f32.
struct bf16 {
  uint16 bits;
};
struct f16 {
  uint16 bits;
};
/// A code of 8 bits (common/e4m3.cuh): a number with 4 bits of exponent and 3 of fraction, up to 448.
struct e4m3 {
  uint8 bits;
};

template <class A, class B> inline constexpr bool kIsSame = false;
template <class A> inline constexpr bool kIsSame<A, A> = true;

using geometry::alignTo;
using geometry::ceilDiv;
using geometry::dividingVector;
using geometry::maxOf;
using geometry::minOf;

__device__ __forceinline__ float toFloat(float value) { return value; }
__device__ __forceinline__ float toFloat(int8 value) { return static_cast<float>(value); }
__device__ __forceinline__ float toFloat(double value) { return __double2float_rn(value); }
__device__ __forceinline__ float toFloat(bf16 value) { return __uint_as_float(uint32(value.bits) << 16); }
__device__ __forceinline__ float toFloat(f16 value) {
  float result;
  asm("cvt.f32.f16 %0, %1;" : "=f"(result) : "h"(value.bits));
  return result;
}

// Two 16-bit elements share a register, the first in the low half. Rounding is to nearest, ties to even; an f16 has
// little range and saturates, at +-65504, where a bf16 becomes infinite. NaN stays NaN.

/// Two f32 rounded, `first` in the low half.
template <class Element> __device__ __forceinline__ uint32 pack(float first, float second) {
  uint32 pair;
  if constexpr (kIsSame<Element, f16>)
    asm("cvt.rn.satfinite.f16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(second), "f"(first));
  else
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(second), "f"(first));
  return pair;
}

/// The two elements of a register.
template <class Element> __device__ __forceinline__ float low(uint32 pair) {
  if constexpr (kIsSame<Element, f16>)
    return toFloat(f16{uint16(pair)});
  else
    return __uint_as_float(pair << 16);
}
template <class Element> __device__ __forceinline__ float high(uint32 pair) {
  if constexpr (kIsSame<Element, f16>)
    return toFloat(f16{uint16(pair >> 16)});
  else
    return __uint_as_float(pair & 0xffff0000u);
}

template <class T> __device__ __forceinline__ T fromFloat(float value) {
  if constexpr (kIsSame<T, float>)
    return value;
  else
    return T{uint16(pack<T>(value, 0.0f) & 0xffffu)};
}

/// Rows of a row-major matrix, `Stride` elements apart: a whole buffer or a slice of its columns.
template <class T, int Stride> struct Rows {
  using Element = T;
  static constexpr int kStride = Stride;
  T *data;
  __device__ __forceinline__ T *operator[](int row) const { return data + static_cast<long long>(row) * Stride; }
};

/// `Count` neighbouring elements as f32, read in accesses of up to 16 bytes. `from` is aligned to the whole of them (to
/// 16 bytes where that is more).
template <int Count> __device__ __forceinline__ void loadVector(const float *from, float (&to)[Count]) {
  if constexpr (Count % 4 == 0) {
#pragma unroll
    for (int i = 0; i < Count; i += 4) {
      float4 v = *reinterpret_cast<const float4 *>(from + i);
      to[i] = v.x, to[i + 1] = v.y, to[i + 2] = v.z, to[i + 3] = v.w;
    }
  } else if constexpr (Count == 2) {
    float2 v = *reinterpret_cast<const float2 *>(from);
    to[0] = v.x, to[1] = v.y;
  } else {
#pragma unroll
    for (int i = 0; i < Count; ++i)
      to[i] = from[i];
  }
}

template <int Count, class Element>
__device__ __forceinline__ void loadVector(const Element *from, float (&to)[Count]) {
  static_assert(sizeof(Element) == 2);
  if constexpr (Count % 8 == 0) {
#pragma unroll
    for (int i = 0; i < Count; i += 8) {
      uint4 v = *reinterpret_cast<const uint4 *>(from + i);
      to[i] = low<Element>(v.x), to[i + 1] = high<Element>(v.x), to[i + 2] = low<Element>(v.y),
      to[i + 3] = high<Element>(v.y);
      to[i + 4] = low<Element>(v.z), to[i + 5] = high<Element>(v.z), to[i + 6] = low<Element>(v.w),
             to[i + 7] = high<Element>(v.w);
    }
  } else if constexpr (Count == 4) {
    uint2 v = *reinterpret_cast<const uint2 *>(from);
    to[0] = low<Element>(v.x), to[1] = high<Element>(v.x), to[2] = low<Element>(v.y), to[3] = high<Element>(v.y);
  } else if constexpr (Count == 2) {
    uint32 v = *reinterpret_cast<const uint32 *>(from);
    to[0] = low<Element>(v), to[1] = high<Element>(v);
  } else {
#pragma unroll
    for (int i = 0; i < Count; ++i)
      to[i] = toFloat(from[i]);
  }
}

template <int Count> __device__ __forceinline__ void storeVector(float *to, const float (&from)[Count]) {
  if constexpr (Count % 4 == 0) {
#pragma unroll
    for (int i = 0; i < Count; i += 4)
      *reinterpret_cast<float4 *>(to + i) = make_float4(from[i], from[i + 1], from[i + 2], from[i + 3]);
  } else if constexpr (Count == 2) {
    *reinterpret_cast<float2 *>(to) = make_float2(from[0], from[1]);
  } else {
#pragma unroll
    for (int i = 0; i < Count; ++i)
      to[i] = from[i];
  }
}

template <int Count, class Element>
__device__ __forceinline__ void storeVector(Element *to, const float (&from)[Count]) {
  static_assert(sizeof(Element) == 2);
  if constexpr (Count % 8 == 0) {
#pragma unroll
    for (int i = 0; i < Count; i += 8)
      *reinterpret_cast<uint4 *>(to + i) =
          make_uint4(pack<Element>(from[i], from[i + 1]), pack<Element>(from[i + 2], from[i + 3]),
                     pack<Element>(from[i + 4], from[i + 5]), pack<Element>(from[i + 6], from[i + 7]));
  } else if constexpr (Count == 4) {
    *reinterpret_cast<uint2 *>(to) = make_uint2(pack<Element>(from[0], from[1]), pack<Element>(from[2], from[3]));
  } else if constexpr (Count == 2) {
    *reinterpret_cast<uint32 *>(to) = pack<Element>(from[0], from[1]);
  } else {
#pragma unroll
    for (int i = 0; i < Count; ++i)
      to[i] = fromFloat<Element>(from[i]);
  }
}

/// `Count` neighbouring elements, a power of two, as they lie in memory: the wait for their load is left until one is
/// read.
template <class Element, int Count> struct alignas(minOf(16, Count *int(sizeof(Element)))) RawVector {
  Element elements[Count];
  __device__ __forceinline__ float operator[](int i) const { return toFloat(elements[i]); }
};
template <int Count, class Element> __device__ __forceinline__ RawVector<Element, Count> loadRaw(const Element *from) {
  return *reinterpret_cast<const RawVector<Element, Count> *>(from);
}

/// Elements as f32.
template <int Count, class Element>
__device__ __forceinline__ void widen(const RawVector<Element, Count> &elements, float (&to)[Count]) {
#pragma unroll
  for (int i = 0; i < Count; ++i)
    to[i] = elements[i];
}

/// Neighbouring elements of which every `Piece` are aligned.
template <int Piece, int Count, class T> __device__ __forceinline__ void loadPieces(const T *from, float (&to)[Count]) {
#pragma unroll
  for (int i = 0; i < Count; i += Piece)
    loadVector(from + i, *reinterpret_cast<float (*)[Piece]>(to + i));
}

template <int Piece, int Count, class T>
__device__ __forceinline__ void storePieces(T *to, const float (&from)[Count]) {
#pragma unroll
  for (int i = 0; i < Count; i += Piece)
    storeVector(to + i, *reinterpret_cast<const float (*)[Piece]>(from + i));
}

/// 2^value with the hardware's precision (2 ulp); denormal results are zero.
__device__ __forceinline__ float exp2Fast(float value) {
  float result;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(value));
  return result;
}

inline constexpr float kLog2E = 1.4426950408889634f;

/// silu(v) = v / (1 + exp(-v)), by the fast division: an exact one is more work than all the rest of an epilogue. An
/// exponential that is denormal adds nothing to 1.
__device__ __forceinline__ float silu(float v) { return __fdividef(v, 1.0f + exp2Fast(v * -kLog2E)); }

/// log(1 + exp(v)) that does not overflow.
__device__ __forceinline__ float softplus(float v) { return v > 20.0f ? v : log1pf(__expf(v)); }

/// The sum of `value` over the lanes of a warp, in every lane; always in the same order.
__device__ __forceinline__ float warpSum(float value) {
#pragma unroll
  for (int mask = 16; mask; mask >>= 1)
    value += __shfl_xor_sync(0xffffffffu, value, mask);
  return value;
}

} // namespace bambac
