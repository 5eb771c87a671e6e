// SSM states of codes of 8 bits, with a scale for each row of a state (a channel of a head): element = scale * code.
//
//   scale = max |element| / 127,  code = element * (127 / max |element|), rounded to nearest, ties to even
//
// Both are 0 where the largest magnitude is below 2^-100, whose inverse might be none. A row with a NaN or an infinite
// element has a NaN or an infinite scale, so that what follows from it is no number.
#pragma once
#include "common/types.cuh"

namespace bambac {

template <class State> inline constexpr bool kIsCoded = kIsSame<State, int8>;

/// The largest magnitude so far and of one more element, NaN above all.
__device__ __forceinline__ float largerMagnitude(float most, float value) {
  return __uint_as_float(max(__float_as_uint(most), __float_as_uint(value) & 0x7fffffffu));
}
/// The same over the lanes of a warp whose numbers differ in these bits only.
template <int FirstBit, int EndBit> __device__ __forceinline__ float laneMagnitude(float most) {
#pragma unroll
  for (int mask = FirstBit; mask < EndBit; mask *= 2)
    most = largerMagnitude(most, __shfl_xor_sync(0xffffffffu, most, mask));
  return most;
}

/// What the codes of a row are made by, whose largest magnitude is `most`.
struct CodeScale {
  float scale, inverse;

  __device__ __forceinline__ explicit CodeScale(float most) : scale(0.0f), inverse(0.0f) {
    if (most < 0x1p-100f)
      return;
    scale = most / 127.0f;
    inverse = 127.0f / most;
  }
  __device__ __forceinline__ int8 codeOf(float value) const {
    return int8(min(max(__float2int_rn(value * inverse), -127), 127));
  }
};

/// Neighbouring elements of a row; `to` is aligned to all of them.
template <int Count> __device__ __forceinline__ void storeCodes(int8 *to, const float (&from)[Count], CodeScale scale) {
  RawVector<int8, Count> codes;
#pragma unroll
  for (int i = 0; i < Count; ++i)
    codes.elements[i] = scale.codeOf(from[i]);
  *reinterpret_cast<RawVector<int8, Count> *>(to) = codes;
}

/// A vector in fixed point, for exact products with codes: element = scale * (digit[2] 2^16 + digit[1] 2^8 + digit[0])
/// of signed digits, rounded to 2^-22 of the largest magnitude. It lies in shared memory.
template <int Size> struct FixedVector {
  alignas(16) int8 digits[3][Size];
  float scale;

  /// All of `Threads` threads call it, and a barrier follows. `values` are in shared memory. What is no number, or
  /// infinite, makes the scale so.
  template <int Threads> __device__ __forceinline__ void store(const float *values) {
    constexpr float kLargest = 127 * 65536;
    float most = 0.0f;
    for (int n = threadIdx.x % 32; n < Size; n += 32)
      most = largerMagnitude(most, values[n]);
    most = laneMagnitude<1, 32>(most);
    const float inverse = most < 0x1p-100f ? 0.0f : kLargest / most;
    if (threadIdx.x == 0)
      scale = most / kLargest;
    for (int n = threadIdx.x; n < Size; n += Threads) {
      int fixed = __float2int_rn(values[n] * inverse);
#pragma unroll
      for (int digit = 0; digit < 3; ++digit) {
        digits[digit][n] = int8(fixed);
        fixed = (fixed - int8(fixed)) >> 8;
      }
    }
  }
};

/// Sums of products of codes and each digit of a fixed vector.
struct DigitSums {
  int sums[3] = {};

  __device__ __forceinline__ void add(int digit, uint32 codes, uint32 digits) {
    sums[digit] = __dp4a(int(codes), int(digits), sums[digit]);
  }
  /// Without the scales.
  __device__ __forceinline__ float value() const {
    return float(sums[2]) * 65536.0f + (float(sums[1]) * 256.0f + float(sums[0]));
  }
};

/// Loads the fragment of a state of codes that a lane of a tensor core instruction has, or stores it. Element i of
/// `Count` is in row `firstRow` + i / 2 % 2 * 8 and column lane % 4 * 2 + i / 4 * 8 + i % 2; `element(i)` is a
/// reference to it. state: [Rows, Columns]; scales: [Rows]. All lanes of the warp call it.
template <bool Loads, int Count, int Rows, int Columns, class Element>
__device__ __forceinline__ void moveCodedFragment(int8 *state, float *scales, int firstRow, int lane,
                                                  const Element &element) {
  constexpr int kVector = Columns % 2 == 0 ? 2 : 1;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int row = firstRow + half * 8;
    const bool hasRow = row < Rows;
    float most = 0.0f;
#pragma unroll
    for (int i = 0; i < Count && !Loads; ++i)
      if (i / 2 % 2 == half)
        most = largerMagnitude(most, element(i));
    CodeScale scale(Loads ? 0.0f : laneMagnitude<1, 4>(most));
    if (Loads && hasRow)
      scale.scale = scales[row];
    if (!Loads && hasRow && lane % 4 == 0)
      scales[row] = scale.scale;
#pragma unroll
    for (int i = 0; i < Count; i += kVector) {
      if (i / 2 % 2 != half)
        continue;
      const int column = lane % 4 * 2 + i / 4 * 8 + i % 2;
      const bool exists = hasRow && column < Columns;
      int8 *place = state + row * Columns + column;
      if constexpr (Loads) {
        RawVector<int8, kVector> codes = {};
        if (exists)
          codes = loadRaw<kVector>(place);
#pragma unroll
        for (int j = 0; j < kVector; ++j)
          element(i + j) = codes[j] * scale.scale;
      } else {
        float values[kVector];
#pragma unroll
        for (int j = 0; j < kVector; ++j)
          values[j] = element(i + j);
        if (exists)
          storeCodes(place, values, scale);
      }
    }
  }
}

} // namespace bambac
