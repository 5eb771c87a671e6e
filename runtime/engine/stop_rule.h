// When an answer is at its end: stop tokens and stop sequences of tokens.
#ifndef BAMBA_RUNTIME_ENGINE_STOP_RULE_H
#define BAMBA_RUNTIME_ENGINE_STOP_RULE_H

#include "runtime/include/bamba/engine.h"
#include <cstdint>
#include <span>
#include <vector>

namespace bambac::rt {

/// Why an answer ends, and which of its last tokens say so.
struct Stop {
  bamba_finish reason = BAMBA_FINISH_NONE;
  uint32_t tokens = 0;   ///< the last ones, that are the stop
  uint32_t sequence = 0; ///< the number of the stop sequence
};

/// Immutable; any thread may use it.
class StopRule {
public:
  StopRule() = default;
  StopRule(std::vector<int32_t> tokens, std::vector<std::vector<int32_t>> sequences);

  /// What the last token of an answer means. A stop token counts before a sequence, and of several sequences the first.
  Stop check(std::span<const int32_t> answer) const;

private:
  std::vector<int32_t> tokens; ///< sorted
  std::vector<std::vector<int32_t>> sequences;
};

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_ENGINE_STOP_RULE_H
