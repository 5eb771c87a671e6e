// Log-probabilities of tokens from a row of logits.
#ifndef BAMBA_RUNTIME_ENGINE_LOGPROBS_H
#define BAMBA_RUNTIME_ENGINE_LOGPROBS_H

#include "runtime/include/bamba/engine.h"
#include <cstdint>
#include <span>
#include <vector>

namespace bambac::rt {

struct Logprobs {
  float chosen;
  std::vector<bamba_token_logprob> top; ///< the largest first, of equal ones the smaller token
};

/// Of `token` and of the `count` most likely ones, at most as many as there are. Sums are in double precision, in the
/// order of the tokens.
Logprobs logprobsOf(std::span<const float> logits, int32_t token, uint32_t count);

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_ENGINE_LOGPROBS_H
