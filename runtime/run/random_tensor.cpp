#include "runtime/run/random_tensor.h"

#include <bit>
#include <cmath>

namespace bambac::run {

TensorInit chooseInit(std::string_view name, std::span<const uint64_t> shape) {
  constexpr float slightly = 0.05f;
  auto inverseRoot = [](uint64_t count) { return 1.0f / std::sqrt(static_cast<float>(count)); };
  if (name.ends_with(".A_log"))
    return {Distribution::LogA, 0};
  if (name.ends_with(".dt_bias"))
    return {Distribution::DtBias, 0};
  if (name.ends_with(".D"))
    return {Distribution::NearOne, slightly};
  if (name.ends_with(".bias"))
    return {Distribution::Normal, slightly};
  if (shape.size() == 3) // convolutions: [channels, 1, width]
    return {Distribution::Uniform, inverseRoot(shape[2])};
  // Rows of linear layers, the head among them, take inputs of about 1 to outputs of about 1. The embedding has the
  // same scale, so that it can be the head as well.
  if (shape.size() == 2)
    return {Distribution::Normal, inverseRoot(shape[1])};
  return {Distribution::NearOne, slightly}; // norms
}

/// The finalizer of splitmix64: 64 well mixed bits for every counter.
static inline uint64_t mix(uint64_t counter) {
  uint64_t z = counter * 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

uint64_t makeTensorKey(uint64_t seed, std::string_view name) {
  uint64_t key = mix(seed + 1);
  for (char c : name)
    key = mix(key ^ static_cast<unsigned char>(c));
  return key;
}

/// Nearly normal, of variance 1: the sum of four uniform numbers of 16 bits, exact in integers.
static inline float normal(uint64_t bits) {
  constexpr float mean = 2 * 65535.0f;
  constexpr float scale = 1.0f / 37837.2275f; // 1 / sqrt(4 * (2^32 - 1) / 12)
  uint64_t pairs = (bits & 0x0000ffff0000ffff) + ((bits >> 16) & 0x0000ffff0000ffff);
  uint32_t sum = static_cast<uint32_t>(pairs) + static_cast<uint32_t>(pairs >> 32);
  return (static_cast<float>(static_cast<int32_t>(sum)) - mean) * scale;
}

/// In [0, 1).
static inline float uniform(uint64_t bits) { return static_cast<float>(static_cast<int32_t>(bits >> 40)) * 0x1p-24f; }

/// Rounds to the nearest, ties to even; no value here is NaN.
static inline uint16_t toBf16(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

/// One loop for each distribution, so that the compiler can vectorize it.
template <typename Make> static void fill(uint64_t start, std::span<uint16_t> out, Make make) {
  for (size_t i = 0; i < out.size(); ++i)
    out[i] = toBf16(make(mix(start + i)));
}

void fillBf16(TensorInit init, uint64_t key, uint64_t first, std::span<uint16_t> out) {
  uint64_t start = key + first;
  float scale = init.scale;
  switch (init.distribution) {
  case Distribution::Normal:
    return fill(start, out, [=](uint64_t bits) { return scale * normal(bits); });
  case Distribution::Uniform:
    return fill(start, out, [=](uint64_t bits) { return scale * (2 * uniform(bits) - 1); });
  case Distribution::NearOne:
    return fill(start, out, [=](uint64_t bits) { return 1 + scale * normal(bits); });
  case Distribution::LogA:
    return fill(start, out, [](uint64_t bits) { return std::log(1 + 15 * uniform(bits)); });
  case Distribution::DtBias:
    return fill(start, out, [](uint64_t bits) {
      float step = 0.001f * std::pow(100.0f, uniform(bits));
      return step + std::log(-std::expm1(-step)); // softplus of this is the step
    });
  }
}

} // namespace bambac::run
