// Checks that a checkpoint has exactly the tensors that a model is made of.
#ifndef BAMBA_RUNTIME_CHECKPOINT_MANIFEST_H
#define BAMBA_RUNTIME_CHECKPOINT_MANIFEST_H

#include "runtime/checkpoint/checkpoint.h"
#include "runtime/checkpoint/weight_source.h"
#include "runtime/contract/abi.h"
#include <vector>

namespace bambac::rt {

/// The model's sources, in the order of its table, found in the checkpoint. Throws Error BAMBA_BAD_CHECKPOINT that
/// names the first tensor that is missing, that no weight is made of, that has another shape, or whose type is none
/// that weights can have. The result points into the checkpoint's files.
std::vector<WeightSource> matchSources(const bamba_rt_model &model, const Checkpoint &checkpoint);

/// The model's sources as random numbers.
std::vector<WeightSource> randomSources(const bamba_rt_model &model, uint64_t seed);

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_CHECKPOINT_MANIFEST_H
