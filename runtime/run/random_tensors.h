// The tensors of a random checkpoint for a library, and the bytes of each.
#ifndef BAMBAC_RUNTIME_RUN_RANDOM_TENSORS_H
#define BAMBAC_RUNTIME_RUN_RANDOM_TENSORS_H

#include "runtime/run/library_metadata.h"
#include "runtime/run/safetensors_writer.h"

namespace bambac::run {

/// A tensor, and how it is filled.
struct RandomTensor : TensorSpec {
  /// Of codes: what numbers are divided by. Of the scales of codes: all of their numbers. Else 0.
  float scale = 0.0f;

  /// The bytes of elements [first, first + count): what bamba_model_load_random takes, rounded to the tensor's type.
  std::vector<std::byte> generate(uint64_t seed, uint64_t first, uint64_t count) const;
};

/// Every tensor of the manifest once, in its order; without the scales that the loader computes from numbers. Throws
/// Failure where a tensor has two shapes.
std::vector<RandomTensor> collectTensors(const Metadata &metadata);

} // namespace bambac::run

#endif // BAMBAC_RUNTIME_RUN_RANDOM_TENSORS_H
