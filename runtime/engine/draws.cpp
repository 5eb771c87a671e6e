// Keeps the parameters as the session takes them, with pointers to its own lists.

#include "runtime/engine/draws.h"
#include "runtime/session/sampling_table.h"
#include "runtime/support/error.h"
#include <algorithm>
#include <functional>

namespace bambac::rt {
namespace {

/// The engine fills in these fields of parameters itself.
void expectUnset(const bamba_sampling &sampling) {
  auto expect = [](const char *field, bool isZero, const char *why) {
    if (!isZero)
      fail(BAMBA_INVALID_ARGUMENT, "sampling: {}: expected none, since {}, found it set", field, why);
  };
  expect("prompt", !sampling.prompt && sampling.num_prompt == 0, "the engine knows the tokens");
  expect("generated", !sampling.generated && sampling.num_generated == 0, "the engine knows the tokens");
  expect("wants_logprobs", sampling.wants_logprobs == 0, "the request has `logprobs`");
  expect("num_best", sampling.num_best == 0, "the request has `top_logprobs`");
}

} // namespace

Draws::Draws(const bamba_request_options &options, uint32_t vocabulary)
    : isSampled(options.sampling || options.logprobs || options.allow), vocabulary(vocabulary), allow(options.allow),
      user(options.user) {
  sampling.struct_size = sizeof(sampling);
  if (options.sampling) {
    sampling = *options.sampling;
    expectUnset(sampling);
    checkSampling(std::nullopt, sampling, vocabulary);
    bias.assign(sampling.bias, sampling.bias + sampling.num_bias);
    if (sampling.allowed)
      allowed.assign(sampling.allowed, sampling.allowed + maskWords(vocabulary));
  }
  sampling.wants_logprobs = options.logprobs;
  sampling.num_best = options.top_logprobs;
  if (allow)
    allowedNow.resize(maskWords(vocabulary));
}

bool Draws::needsAnswer() const { return allow; }

void Draws::allowAfter(std::span<const int32_t> answer) {
  if (!allow)
    return;
  std::ranges::fill(allowedNow, 0);
  if (int result = allow(user, answer.empty() ? -1 : answer.back(), allowedNow.data()); result != 0)
    fail(BAMBA_INVALID_ARGUMENT, "allow: expected 0, found {} from the request's callback", result);
  if (!allowed.empty())
    std::ranges::transform(allowedNow, allowed, allowedNow.begin(), std::bit_and<>());
  if (!allowsAny(allowedNow.data(), vocabulary))
    fail(BAMBA_INVALID_ARGUMENT, "allow: expected at least one allowed token, found none");
}

const bamba_sampling *Draws::after(std::span<const int32_t> prompt, std::span<const int32_t> answer) {
  if (!isSampled)
    return nullptr;
  sampling.bias = bias.data();
  sampling.allowed = allow ? allowedNow.data() : allowed.empty() ? nullptr : allowed.data();
  sampling.prompt = prompt.data();
  sampling.num_prompt = static_cast<uint32_t>(prompt.size());
  sampling.generated = answer.data();
  sampling.num_generated = static_cast<uint32_t>(answer.size());
  return &sampling;
}

} // namespace bambac::rt
