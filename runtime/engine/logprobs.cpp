#include "runtime/engine/logprobs.h"
#include <algorithm>
#include <cmath>
#include <numeric>

namespace bambac::rt {

Logprobs logprobsOf(std::span<const float> logits, int32_t token, uint32_t count) {
  double largest = *std::ranges::max_element(logits), sum = 0;
  for (float logit : logits)
    sum += std::exp(logit - largest);
  double logSum = largest + std::log(sum);
  auto logprob = [&](int32_t index) { return static_cast<float>(logits[static_cast<size_t>(index)] - logSum); };

  std::vector<int32_t> order(count > 0 ? logits.size() : 0);
  std::iota(order.begin(), order.end(), 0);
  count = std::min(count, static_cast<uint32_t>(order.size()));
  std::partial_sort(order.begin(), order.begin() + count, order.end(), [&](int32_t a, int32_t b) {
    float first = logits[static_cast<size_t>(a)], second = logits[static_cast<size_t>(b)];
    return first != second ? first > second : a < b;
  });
  Logprobs result = {logprob(token), {}};
  result.top.reserve(count);
  for (uint32_t i = 0; i < count; ++i)
    result.top.push_back({order[i], logprob(order[i])});
  return result;
}

} // namespace bambac::rt
