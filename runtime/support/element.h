// The element types of weights: their sizes and the conversions between them.
#ifndef BAMBA_RUNTIME_SUPPORT_ELEMENT_H
#define BAMBA_RUNTIME_SUPPORT_ELEMENT_H

#include "runtime/contract/abi.h"
#include "runtime/support/error.h"
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace bambac::rt {

/// Bytes of one element of a bamba_rt_dtype. Throws Error BAMBA_INTERNAL for a number that is none.
constexpr size_t elementBytes(uint32_t dtype) {
  if (const contract::ElementType *type = contract::findElementType(dtype))
    return type->bytes;
  fail(BAMBA_INTERNAL, "the library's tables are damaged: expected the number of an element type, found {}", dtype);
}

/// The bits of a bfloat16, of an IEEE half and of an e4m3 code, as types, so that templates can tell them apart.
struct Bf16 {
  uint16_t bits;
};
struct F16 {
  uint16_t bits;
};
struct E4m3 {
  uint8_t bits;
};

/// One code for each sign.
constexpr bool isNan(E4m3 code) { return (code.bits & 0x7F) == 0x7F; }

inline float toF32(float value) { return value; }

/// Numbers beyond the range of f32 become infinite.
inline float toF32(double value) { return static_cast<float>(value); }

inline float toF32(Bf16 value) { return std::bit_cast<float>(static_cast<uint32_t>(value.bits) << 16); }

inline float toF32(F16 value) {
  uint32_t sign = static_cast<uint32_t>(value.bits & 0x8000) << 16;
  uint32_t magnitude = value.bits & 0x7FFF;
  if (magnitude >= 0x7C00) // infinity and NaN keep their fraction
    return std::bit_cast<float>(sign | 0x7F800000 | (magnitude & 0x3FF) << 13);
  if (magnitude >= 0x0400) // a normal number: only the exponent's bias differs
    return std::bit_cast<float>(sign | ((magnitude << 13) + ((127u - 15u) << 23)));
  float subnormal = static_cast<float>(magnitude) * 0x1p-24f;
  return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(subnormal));
}

inline float toF32(E4m3 code) {
  uint32_t sign = static_cast<uint32_t>(code.bits & 0x80) << 24, magnitude = code.bits & 0x7F;
  if (isNan(code))
    return std::bit_cast<float>(sign | 0x7FC00000);
  if (magnitude >= 8) // a normal number: only the exponent's bias differs
    return std::bit_cast<float>(sign | ((magnitude << 20) + ((127u - 7u) << 23)));
  return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(static_cast<float>(magnitude) * 0x1p-9f));
}

/// Converts from f32, rounding to nearest, ties to even; NaN stays NaN. A number too large for bf16 becomes infinity,
/// one too large for a half, whose range weights and activations may well leave, the largest half: +-65504; and one too
/// large for e4m3 +-448.
template <typename To> To fromF32(float value);

template <> inline float fromF32<float>(float value) { return value; }

template <> inline Bf16 fromF32<Bf16>(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7FFFFFFF) > 0x7F800000)
    return {static_cast<uint16_t>(bits >> 16 | 0x40)};
  return {static_cast<uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16)};
}

template <> inline F16 fromF32<F16>(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  uint32_t sign = bits >> 16 & 0x8000, magnitude = bits & 0x7FFFFFFF;
  uint32_t result;
  if (magnitude > 0x7F800000) {
    result = 0x7E00 | (magnitude >> 13 & 0x3FF);
  } else if (magnitude >= 0x38800000) { // at least the smallest normal half
    uint32_t rounded = (magnitude + 0xFFF + (magnitude >> 13 & 1) - ((127u - 15u) << 23)) >> 13;
    result = rounded < 0x7C00 ? rounded : 0x7BFF;
  } else {
    // Adding 0.5 leaves the subnormal half, rounded by the hardware, in the low bits of the sum.
    float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    result = std::bit_cast<uint32_t>(shifted) - std::bit_cast<uint32_t>(0.5f);
  }
  return {static_cast<uint16_t>(sign | result)};
}

template <> inline E4m3 fromF32<E4m3>(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  uint32_t sign = bits >> 24 & 0x80, magnitude = bits & 0x7FFFFFFF;
  uint32_t result;
  if (magnitude > 0x7F800000) {
    result = 0x7F;
  } else if (magnitude >= 0x3C800000) { // at least 2^-6, the smallest normal number
    uint32_t rounded = (magnitude + 0x7FFFF + (magnitude >> 20 & 1) - ((127u - 7u) << 23)) >> 20;
    result = rounded < 0x7F ? rounded : 0x7E;
  } else {
    // Adding 2^14 leaves the subnormal number, rounded by the hardware, in the low bits of the sum.
    float shifted = std::bit_cast<float>(magnitude) + 0x1p14f;
    result = std::bit_cast<uint32_t>(shifted) - std::bit_cast<uint32_t>(0x1p14f);
  }
  return {static_cast<uint8_t>(sign | result)};
}

/// Calls function(value) with a value of a type that weights have: float, Bf16, F16 or E4m3. Throws Error
/// BAMBA_INTERNAL for a type that they do not have.
template <typename Function> decltype(auto) withElement(uint32_t dtype, const Function &function) {
  switch (dtype) {
  case BAMBA_RT_F32:
    return function(float{});
  case BAMBA_RT_BF16:
    return function(Bf16{});
  case BAMBA_RT_F16:
    return function(F16{});
  case BAMBA_RT_F8E4M3:
    return function(E4m3{});
  default:
    fail(BAMBA_INTERNAL, "the library's tables are damaged: expected a type that weights have, found number {}", dtype);
  }
}

/// The same for the types of checkpoints, which can also be double.
template <typename Function> decltype(auto) withStoredElement(uint32_t dtype, const Function &function) {
  if (dtype == BAMBA_RT_F64)
    return function(double{});
  return withElement(dtype, function);
}

/// The element of such a type at `data`, which need not be aligned.
inline float loadElement(uint32_t dtype, const std::byte *data) {
  return withStoredElement(dtype, [&](auto element) {
    std::memcpy(&element, data, sizeof element);
    return toF32(element);
  });
}

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_SUPPORT_ELEMENT_H
