#include "runtime/checkpoint/initializer.h"
#include "runtime/contract/quantization.h"
#include "runtime/support/element.h"
#include <cmath>

namespace bambac::rt {
namespace {

/// A bijection of 64 bits that spreads every input bit over the output (the finalizer of splitmix64).
uint64_t mix(uint64_t x) {
  x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9;
  x = (x ^ x >> 27) * 0x94D049BB133111EB;
  return x ^ x >> 31;
}

uint64_t hashName(std::string_view name) {
  uint64_t hash = 0xCBF29CE484222325;
  for (char c : name)
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3;
  return hash;
}

/// Uniform in [0, 1), 24 bits of it, from a counter.
float uniform(uint64_t key, uint64_t index) {
  return static_cast<float>(mix(key + index * 0x9E3779B97F4A7C15) >> 40) * 0x1p-24f;
}

/// A uniform number in [-1, 1) has the standard deviation 1/sqrt(3).
float largestUniform(uint64_t columns) { return std::sqrt(3.0f / static_cast<float>(columns ? columns : 1)); }

} // namespace

Fill fillFor(std::string_view name) {
  if (name.ends_with(".A_log"))
    return Fill::LogRange;
  if (name.ends_with(".dt_bias"))
    return Fill::TimeStep;
  if (name.ends_with(".D") || name.ends_with("norm.weight"))
    return Fill::Ones;
  if (name.ends_with("_scale"))
    return Fill::Scale;
  if (name.ends_with("bias"))
    return Fill::Small;
  return Fill::Uniform;
}

Initializer::Initializer(uint64_t seed, std::string_view name, uint64_t columns, uint64_t first)
    : fill(fillFor(name)), key(mix(seed ^ mix(hashName(name)))), first(first) {
  scale = fill == Fill::Small ? 0.02f : largestUniform(columns);
}

float scaleOfRandomCodes(uint64_t columns) {
  return toF32(fromF32<Bf16>(largestUniform(columns) / contract::kLargestE4m3));
}

inline float Initializer::scaled(uint64_t index) const { return (2.0f * uniform(key, first + index) - 1.0f) * scale; }

float Initializer::operator()(uint64_t index) const {
  switch (fill) {
  case Fill::Ones:
    return 1.0f;
  case Fill::Scale:
    return 0x1p-6f;
  case Fill::LogRange:
    return std::log(static_cast<float>(first + index + 1));
  case Fill::TimeStep: {
    float low = std::log(0.001f), high = std::log(0.1f);
    float step = std::exp(low + (high - low) * uniform(key, first + index));
    return std::log(std::expm1(step));
  }
  case Fill::Uniform:
  case Fill::Small:
    break;
  }
  return scaled(index);
}

void Initializer::generate(uint64_t index, uint64_t count, float *out) const {
  if (fill == Fill::Uniform || fill == Fill::Small) {
    for (uint64_t i = 0; i < count; ++i)
      out[i] = scaled(index + i);
    return;
  }
  for (uint64_t i = 0; i < count; ++i)
    out[i] = (*this)(index + i);
}

} // namespace bambac::rt
