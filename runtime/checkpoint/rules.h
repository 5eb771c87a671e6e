// What a model's checkpoints may look like beyond the tensors of its weights, as the library says it
// (runtime/contract/checkpoint_rules.h).
#ifndef BAMBA_RUNTIME_CHECKPOINT_RULES_H
#define BAMBA_RUNTIME_CHECKPOINT_RULES_H

#include "runtime/support/json.h"
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace bambac::rt {

/// A field of a config.json: all its names, and the values that mean what the model was compiled for.
struct ExpectedField {
  std::vector<std::string> names;
  std::vector<Json> values;
  bool optional = false;
};

/// Immutable.
class CheckpointRules {
public:
  /// NULL is no rules. Throws Error BAMBA_INTERNAL for a text that is not what the compiler writes.
  explicit CheckpointRules(const char *text);

  bool isIgnored(std::string_view tensor) const;
  /// The tensor that the model reads instead of this one; empty where there is none.
  std::string_view originalOf(std::string_view tensor) const;
  bool mayBePadded(std::string_view tensor) const { return padded.contains(tensor); }
  const std::vector<ExpectedField> &fields() const { return expected; }

private:
  std::vector<std::string> ignored;
  std::map<std::string, std::string, std::less<>> copies;
  std::set<std::string, std::less<>> padded;
  std::vector<ExpectedField> expected;
};

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_CHECKPOINT_RULES_H
