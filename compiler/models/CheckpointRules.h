// What checkpoints of a model may look like, beyond the tensors that its weights are made of.
#ifndef BAMBAC_COMPILER_MODELS_CHECKPOINTRULES_H
#define BAMBAC_COMPILER_MODELS_CHECKPOINTRULES_H

#include "llvm/Support/JSON.h"
#include <string>
#include <utility>
#include <vector>

namespace bambac {

/// A field of a config.json that changes what the model computes.
struct ConfigField {
  /// All names that it has; "rope_parameters.rope_theta" is a field within a field. The first that a file has counts.
  std::vector<std::string> names;
  /// What means the same as what was compiled. A range of numbers is an object {"from": a, "below": b}; infinity is the
  /// text "Infinity".
  std::vector<llvm::json::Value> values;
  bool optional = false; ///< a file without the field means the same
};

struct CheckpointRules {
  std::vector<std::string> ignored; ///< tensors whose names end so: buffers that follow from the configuration
  /// A tensor that a file may hold, and the one that the model reads instead of it. They should be equal.
  std::vector<std::pair<std::string, std::string>> copies;
  std::vector<std::string> padded; ///< tensors that may have more rows than the model, at the end
  std::vector<ConfigField> fields;
};

/// As one line of JSON, as runtime/contract/checkpoint_rules.h describes it.
std::string toJsonText(const CheckpointRules &rules);

} // namespace bambac

#endif // BAMBAC_COMPILER_MODELS_CHECKPOINTRULES_H
