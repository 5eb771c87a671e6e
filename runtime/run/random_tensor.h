// Random values for the tensors of a checkpoint, of the scale that a fresh model has. Every element is computed from
// its number alone, so that any thread can make any part of a tensor and the whole is always the same.
#ifndef BAMBAC_RUNTIME_RUN_RANDOM_TENSOR_H
#define BAMBAC_RUNTIME_RUN_RANDOM_TENSOR_H

#include <cstdint>
#include <span>
#include <string_view>

namespace bambac::run {

/// What the values of a tensor look like.
enum class Distribution {
  Normal,  ///< scale * normal
  Uniform, ///< scale * uniform(-1, 1)
  NearOne, ///< 1 + scale * normal
  LogA,    ///< log(uniform(1, 16)): the decay rates of the SSM heads
  DtBias,  ///< inverse softplus of a step size from 0.001 to 0.1, uniform in its logarithm
};

struct TensorInit {
  Distribution distribution;
  float scale;

  bool operator==(const TensorInit &) const = default;
};

/// What suits a tensor of this name and shape: activations stay near 1 in every layer, and so do the logits.
TensorInit chooseInit(std::string_view name, std::span<const uint64_t> shape);

/// The key of a tensor's random numbers.
uint64_t makeTensorKey(uint64_t seed, std::string_view name);

/// Elements first, first + 1, ... of a tensor as bf16.
void fillBf16(TensorInit init, uint64_t key, uint64_t first, std::span<uint16_t> out);

} // namespace bambac::run

#endif // BAMBAC_RUNTIME_RUN_RANDOM_TENSOR_H
