// Types and small helpers that every kernel uses. Needs no header of the toolkit, so that NVRTC has little to read.
#pragma once

namespace bambac {

using uint8 = unsigned char;
using uint16 = unsigned short;
using uint32 = unsigned int;
using uint64 = unsigned long long;

/// A bfloat16 as it lies in memory. Arithmetic is done in f32.
struct bf16 {
  uint16 bits;
};

__host__ __device__ constexpr int ceilDiv(int value, int divisor) { return (value + divisor - 1) / divisor; }
__host__ __device__ constexpr int alignTo(int value, int multiple) { return ceilDiv(value, multiple) * multiple; }
__host__ __device__ constexpr int minOf(int a, int b) { return a < b ? a : b; }
__host__ __device__ constexpr int maxOf(int a, int b) { return a > b ? a : b; }

__device__ __forceinline__ float toFloat(float value) { return value; }
__device__ __forceinline__ float toFloat(bf16 value) { return __uint_as_float(uint32(value.bits) << 16); }

/// The two halves of a register that holds two bf16, the first in the low half.
__device__ __forceinline__ float lowHalf(uint32 pair) { return __uint_as_float(pair << 16); }
__device__ __forceinline__ float highHalf(uint32 pair) { return __uint_as_float(pair & 0xffff0000u); }

/// Two f32 rounded to bf16 (nearest, ties to even) in one register, `first` in the low half.
__device__ __forceinline__ uint32 packBf16(float first, float second) {
  uint32 pair;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(second), "f"(first));
  return pair;
}

template <class T> __device__ __forceinline__ T fromFloat(float value);
template <> __device__ __forceinline__ float fromFloat<float>(float value) { return value; }
template <> __device__ __forceinline__ bf16 fromFloat<bf16>(float value) {
  return bf16{uint16(packBf16(value, 0.0f) & 0xffffu)};
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

template <int Count> __device__ __forceinline__ void loadVector(const bf16 *from, float (&to)[Count]) {
  if constexpr (Count % 8 == 0) {
#pragma unroll
    for (int i = 0; i < Count; i += 8) {
      uint4 v = *reinterpret_cast<const uint4 *>(from + i);
      to[i] = lowHalf(v.x), to[i + 1] = highHalf(v.x), to[i + 2] = lowHalf(v.y), to[i + 3] = highHalf(v.y);
      to[i + 4] = lowHalf(v.z), to[i + 5] = highHalf(v.z), to[i + 6] = lowHalf(v.w), to[i + 7] = highHalf(v.w);
    }
  } else if constexpr (Count == 4) {
    uint2 v = *reinterpret_cast<const uint2 *>(from);
    to[0] = lowHalf(v.x), to[1] = highHalf(v.x), to[2] = lowHalf(v.y), to[3] = highHalf(v.y);
  } else if constexpr (Count == 2) {
    uint32 v = *reinterpret_cast<const uint32 *>(from);
    to[0] = lowHalf(v), to[1] = highHalf(v);
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

template <int Count> __device__ __forceinline__ void storeVector(bf16 *to, const float (&from)[Count]) {
  if constexpr (Count % 8 == 0) {
#pragma unroll
    for (int i = 0; i < Count; i += 8)
      *reinterpret_cast<uint4 *>(to + i) =
          make_uint4(packBf16(from[i], from[i + 1]), packBf16(from[i + 2], from[i + 3]),
                     packBf16(from[i + 4], from[i + 5]), packBf16(from[i + 6], from[i + 7]));
  } else if constexpr (Count == 4) {
    *reinterpret_cast<uint2 *>(to) = make_uint2(packBf16(from[0], from[1]), packBf16(from[2], from[3]));
  } else if constexpr (Count == 2) {
    *reinterpret_cast<uint32 *>(to) = packBf16(from[0], from[1]);
  } else {
#pragma unroll
    for (int i = 0; i < Count; ++i)
      to[i] = fromFloat<bf16>(from[i]);
  }
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

/// silu(v) = v / (1 + exp(-v)), by the fast division: an exact one is more work than all the rest of an epilogue.
__device__ __forceinline__ float silu(float v) { return __fdividef(v, 1.0f + __expf(-v)); }

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
