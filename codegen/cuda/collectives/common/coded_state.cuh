// SSM states of codes of 8 bits, with a scale for each row of a state (a channel of a head): element = scale * code.
//
//   scale = max |element| / 127,  code = element * (127 / max |element|), rounded to nearest, ties to even
//
// Both are 0 where the largest magnitude is below 2^-100, whose inverse might be none. A row with a NaN or an infinite
// element has a NaN or an infinite scale, so that what follows from it is no number.
#pragma once
#include "common/mma.cuh"
#include "geometry/ssm.h"

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

// Conversions between integers and floats take the time of eight additions. Those here add a number whose last bit
// counts ones.

inline constexpr uint32 kIntegerBits = 0x4b400000; ///< of 3 * 2^22

/// The integer nearest to a value of a magnitude below 2^22, ties to even, and kIntegerBits.
__device__ __forceinline__ uint32 nearestBits(float value) {
  return __float_as_uint(__fadd_rn(value, __uint_as_float(kIntegerBits)));
}

/// Codes as f32.
template <int Count> __device__ __forceinline__ void widen(const RawVector<int8, Count> &codes, float (&to)[Count]) {
  if constexpr (Count % 4 == 0) {
#pragma unroll
    for (int i = 0; i < Count; i += 4) {
      const uint32 word = reinterpret_cast<const uint32 *>(codes.elements)[i / 4] ^ 0x80808080u; // code + 128
#pragma unroll
      for (int k = 0; k < 4; ++k) // 2^23 and the code + 128
        to[i + k] = __uint_as_float(__byte_perm(word, 0x4b000000, 0x7540 + k)) - (8388608.0f + 128.0f);
    }
  } else {
#pragma unroll
    for (int i = 0; i < Count; ++i)
      to[i] = codes[i];
  }
}

inline constexpr float kLeastMagnitude = 0x1p-100f; ///< of the largest element; below it all are taken for zero

/// What the codes of a row are made by, whose largest magnitude is `most`.
struct CodeScale {
  float scale, inverse;

  __device__ __forceinline__ explicit CodeScale(float most) : scale(0.0f), inverse(0.0f) {
    if (most < kLeastMagnitude)
      return;
    scale = most / 127.0f;
    inverse = 127.0f / most;
  }
};

/// In the low byte, with the inverse of a CodeScale. No magnitude exceeds 127, since none exceeds that of the scale;
/// what is no number has any code.
__device__ __forceinline__ uint32 codeOf(float value, float inverse) { return nearestBits(__fmul_rn(value, inverse)); }

/// The bytes of this number of four words.
__device__ __forceinline__ uint32 takeBytes(int number, uint32 a, uint32 b, uint32 c, uint32 d) {
  const uint32 selected = number * 0x11 + 0x40;
  return __byte_perm(__byte_perm(a, b, selected), __byte_perm(c, d, selected), 0x5410);
}

/// Neighbouring elements of a row, with the inverse of its CodeScale; `to` is aligned to all of them.
template <int Count> __device__ __forceinline__ void storeCodes(int8 *to, const float (&from)[Count], float inverse) {
  RawVector<int8, Count> codes;
  if constexpr (Count % 4 == 0) {
#pragma unroll
    for (int i = 0; i < Count; i += 4)
      reinterpret_cast<uint32 *>(codes.elements)[i / 4] =
          takeBytes(0, codeOf(from[i], inverse), codeOf(from[i + 1], inverse), codeOf(from[i + 2], inverse),
                    codeOf(from[i + 3], inverse));
  } else {
#pragma unroll
    for (int i = 0; i < Count; ++i)
      codes.elements[i] = int8(codeOf(from[i], inverse));
  }
  *reinterpret_cast<RawVector<int8, Count> *>(to) = codes;
}

/// A vector in fixed point, for exact products with codes: element = scale * (digit[2] 2^16 + digit[1] 2^8 + digit[0])
/// of signed digits. The scale is a power of two, so that what an element loses is below 2^-22 of the largest
/// magnitude. It lies in shared memory.
template <int Size> struct FixedVector {
  static_assert(Size % geometry::SsmStep::kChunk == 0);
  static constexpr int kDigits = 3;
  alignas(16) int8 digits[kDigits][Size];
  float scale;

  /// A warp calls it, and a barrier follows. `values` are in shared memory. What is no number, or infinite, makes the
  /// scale so.
  __device__ __forceinline__ void store(const float *values) {
    constexpr int kRounds = ceilDiv(Size, 128);
    constexpr uint32 kBits = 21; // the exponent of the largest, which is below 2^22 then
    const int first = threadIdx.x % 32 * 4;
    float elements[kRounds][4] = {};
    float most = 0.0f;
#pragma unroll
    for (int round = 0; round < kRounds; ++round) {
      if (first + round * 128 < Size)
        loadVector(values + first + round * 128, elements[round]);
#pragma unroll
      for (int k = 0; k < 4; ++k)
        most = largerMagnitude(most, elements[round][k]);
    }
    const uint32 bits = __reduce_max_sync(0xffffffffu, __float_as_uint(most)), exponent = bits & 0x7f800000u;
    const bool isZero = __uint_as_float(bits) < kLeastMagnitude;
    const float inverse = isZero ? 0.0f : __uint_as_float(((2 * 127 + kBits) << 23) - exponent);
    if (threadIdx.x % 32 == 0)
      scale = isZero                    ? 0.0f
              : exponent == 0x7f800000u ? __uint_as_float(bits)
                                        : __uint_as_float(exponent - (kBits << 23));
#pragma unroll
    for (int round = 0; round < kRounds; ++round) {
      uint32 fixed[4];
#pragma unroll
      for (int k = 0; k < 4; ++k) // a digit and 128 in each byte, then the digit
        fixed[k] = (nearestBits(elements[round][k] * inverse) - kIntegerBits + 0x808080u) ^ 0x808080u;
#pragma unroll
      for (int digit = 0; digit < kDigits; ++digit)
        if (first + round * 128 < Size)
          *reinterpret_cast<uint32 *>(digits[digit] + first + round * 128) =
              takeBytes(digit, fixed[0], fixed[1], fixed[2], fixed[3]);
    }
  }
};

/// The digits of a fixed vector as an instruction of a tensor core takes them: each is a column. A lane has the digit
/// of number lane / 4, of every fourth chunk of 16 elements from chunk lane % 4 on.
template <int Size> class FixedFactors {
  static constexpr int kChunk = geometry::SsmStep::kChunk, kChunks = Size / kChunk, kSteps = ceilDiv(kChunks, 4);
  static_assert(Size <= geometry::SsmStep::kMostMultiplied);

public:
  __device__ __forceinline__ explicit FixedFactors(const FixedVector<Size> &vector) : scale(vector.scale) {
    const int lane = threadIdx.x % 32;
#pragma unroll
    for (int step = 0; step < kSteps; ++step)
      if (lane / 4 < vector.kDigits && lane % 4 + step * 4 < kChunks)
        chunks[step] = *reinterpret_cast<const uint4 *>(vector.digits[lane / 4] + (lane % 4 + step * 4) * kChunk);
  }

  /// The sums of 16 rows of codes times the vector. Of every four lanes the first has that of row lane / 4, the second
  /// that of the row 8 below. chunkOf(row, chunk) is a uint4 of 16 codes. All lanes of the warp call it.
  template <class ChunkOf> __device__ __forceinline__ float multiply(const ChunkOf &chunkOf) const {
    const int lane = threadIdx.x % 32;
    int sums[4] = {};
#pragma unroll
    for (int step = 0; step < kSteps; ++step) {
      const int chunk = kChunks % 4 == 0 ? lane % 4 + step * 4 : minOf(lane % 4 + step * 4, kChunks - 1);
      const uint4 first = chunkOf(lane / 4, chunk), second = chunkOf(lane / 4 + 8, chunk), &factors = chunks[step];
      mmaCodes(sums, {first.x, second.x, first.y, second.y}, factors.x, factors.y);
      mmaCodes(sums, {first.z, second.z, first.w, second.w}, factors.z, factors.w);
    }
    // Digits 0 and 1 are in every fourth lane, digit 2 in the lane after it.
    const bool isSecond = lane % 2;
    const int first = sums[1] * 256 + sums[0], second = sums[3] * 256 + sums[2], kept = isSecond ? second : first;
    const int given = __shfl_xor_sync(0xffffffffu, isSecond ? first : second, 1);
    return scale * (float(isSecond ? kept : given) * 65536.0f + float(isSecond ? given : kept));
  }

private:
  uint4 chunks[kSteps] = {};
  float scale;
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
          storeCodes(place, values, scale.inverse);
      }
    }
  }
}

} // namespace bambac
