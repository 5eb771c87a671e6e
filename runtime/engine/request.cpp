// Checks the fields of bamba_request_options one after another; what they point to is copied.

#include "runtime/engine/request.h"
#include "runtime/support/error.h"
#include <algorithm>
#include <utility>

namespace bambac::rt {
namespace {

void expectFlag(uint32_t value, const char *name) {
  if (value > 1)
    fail(BAMBA_INVALID_ARGUMENT, "{}: expected 0 or 1, found {}", name, value);
}

/// Copies a list of tokens that is named `name`.
std::vector<int32_t> readTokens(const int32_t *tokens, size_t count, const char *name, uint32_t vocabSize) {
  if (count > 0 && !tokens)
    fail(BAMBA_INVALID_ARGUMENT, "{}: expected {} tokens, found NULL", name, count);
  std::vector<int32_t> copy(tokens, tokens + count);
  for (size_t i = 0; i < count; ++i)
    if (copy[i] < 0 || static_cast<uint32_t>(copy[i]) >= vocabSize)
      fail(BAMBA_OUT_OF_RANGE, "{}: token {}: expected a number from 0 to {}, found {}", name, i, vocabSize - 1,
           copy[i]);
  return copy;
}

void expectAtMost(size_t count, size_t most, const char *name) {
  if (count > most)
    fail(BAMBA_INVALID_ARGUMENT, "{}: expected at most {}, found {}", name, most, count);
}

StopRule readStops(const bamba_request_options &options, const bamba_rt_model &model) {
  expectAtMost(options.num_stop_tokens, BAMBA_MAX_STOPS, "num_stop_tokens");
  expectAtMost(options.num_stop_sequences, BAMBA_MAX_STOPS, "num_stop_sequences");
  std::vector<int32_t> tokens =
      readTokens(options.stop_tokens, options.num_stop_tokens, "stop_tokens", model.vocab_size);
  if (!options.ignore_eos)
    tokens.insert(tokens.end(), model.eos_tokens, model.eos_tokens + model.num_eos_tokens);
  if (options.num_stop_sequences > 0 && !options.stop_sequences)
    fail(BAMBA_INVALID_ARGUMENT, "stop_sequences: expected {} lists, found NULL", options.num_stop_sequences);
  std::vector<std::vector<int32_t>> sequences;
  for (size_t i = 0; i < options.num_stop_sequences; ++i) {
    const bamba_token_list &list = options.stop_sequences[i];
    if (list.num_tokens == 0)
      fail(BAMBA_INVALID_ARGUMENT, "stop_sequences: expected at least one token in list {}, found none", i);
    expectAtMost(list.num_tokens, BAMBA_MAX_STOP_SEQUENCE, "stop_sequences: num_tokens");
    sequences.push_back(readTokens(list.tokens, list.num_tokens, "stop_sequences", model.vocab_size));
  }
  return {std::move(tokens), std::move(sequences)};
}

/// The tokens that an answer can have: the last one is not run, so that it needs no place in the context.
uint32_t answerLimit(const bamba_request_options &options, const bamba_rt_model &model) {
  if (options.num_prompt == 0)
    fail(BAMBA_INVALID_ARGUMENT, "prompt: expected at least one token, found none");
  if (options.num_prompt > model.max_context)
    fail(BAMBA_OUT_OF_RANGE, "prompt: expected at most {} tokens, the context of the library, found {}",
         model.max_context, options.num_prompt);
  uint32_t room = model.max_context - static_cast<uint32_t>(options.num_prompt) + 1;
  return options.max_tokens == 0 ? room : std::min(options.max_tokens, room);
}

} // namespace

std::unique_ptr<Request> makeRequest(const bamba_request_options &options, const bamba_rt_model &model) {
  auto request = std::make_unique<Request>();
  request->maxTokens = answerLimit(options, model);
  request->promptTokens = static_cast<uint32_t>(options.num_prompt);
  request->tokens = readTokens(options.prompt, options.num_prompt, "prompt", model.vocab_size);
  expectFlag(options.ignore_eos, "ignore_eos");
  expectFlag(options.logprobs, "logprobs");
  expectFlag(options.no_prefix_cache, "no_prefix_cache");
  expectAtMost(options.top_logprobs, BAMBA_MAX_TOP_LOGPROBS, "top_logprobs");
  if (options.top_logprobs > 0 && !options.logprobs)
    fail(BAMBA_INVALID_ARGUMENT, "top_logprobs: expected 0 without logprobs, found {}", options.top_logprobs);
  request->stops = readStops(options, model);
  request->draws = Draws(options, model.vocab_size);
  request->priority = options.priority;
  request->usesCache = !options.no_prefix_cache;
  return request;
}

} // namespace bambac::rt
