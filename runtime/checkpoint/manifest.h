// Checks that a checkpoint has exactly the tensors that a model is made of.
#ifndef BAMBA_RUNTIME_CHECKPOINT_MANIFEST_H
#define BAMBA_RUNTIME_CHECKPOINT_MANIFEST_H

#include "runtime/checkpoint/checkpoint.h"
#include "runtime/checkpoint/rules.h"
#include "runtime/checkpoint/weight_source.h"
#include "runtime/contract/abi.h"
#include <functional>
#include <string>
#include <vector>

namespace bambac::rt {

/// Takes one line about something that does not keep a checkpoint from being loaded.
using Warn = std::function<void(const std::string &)>;

/// The model's sources, in the order of its table, found in the checkpoint. Throws Error BAMBA_BAD_CHECKPOINT that
/// names the first tensor that is missing, that no weight is made of and `rules` does not know, that has another shape,
/// or whose type cannot be converted. Dimensions of 1 do not count. Warns of rows beyond the model's, and of a copy of
/// a tensor that is not equal to it. The result points into the checkpoint's files.
std::vector<WeightSource> matchSources(const bamba_rt_model &model, const CheckpointRules &rules,
                                       const Checkpoint &checkpoint, const Warn &warn);

/// The model's sources as random numbers.
std::vector<WeightSource> randomSources(const bamba_rt_model &model, uint64_t seed);

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_CHECKPOINT_MANIFEST_H
