// Compares the end of an answer with each stop sequence: both are short.

#include "runtime/engine/stop_rule.h"
#include <algorithm>
#include <utility>

namespace bambac::rt {

StopRule::StopRule(std::vector<int32_t> tokens, std::vector<std::vector<int32_t>> sequences)
    : tokens(std::move(tokens)), sequences(std::move(sequences)) {
  std::ranges::sort(this->tokens);
}

Stop StopRule::check(std::span<const int32_t> answer) const {
  if (std::ranges::binary_search(tokens, answer.back()))
    return {BAMBA_FINISH_STOP_TOKEN, 1, 0};
  for (size_t i = 0; i < sequences.size(); ++i) {
    const std::vector<int32_t> &stop = sequences[i];
    if (stop.size() <= answer.size() && std::ranges::equal(stop, answer.last(stop.size())))
      return {BAMBA_FINISH_STOP_SEQUENCE, static_cast<uint32_t>(stop.size()), static_cast<uint32_t>(i)};
  }
  return {};
}

} // namespace bambac::rt
