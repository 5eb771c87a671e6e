// The logits of every token of a prompt, fed in one of several ways.
#ifndef BAMBAC_RUNTIME_RUN_PROMPT_LOGITS_H
#define BAMBAC_RUNTIME_RUN_PROMPT_LOGITS_H

#include "runtime/run/loaded_model.h"

#include <CLI/CLI.hpp>
#include <functional>

namespace bambac::run {

/// --mode: how a prompt is fed.
void addModeOption(CLI::App &command, std::string &mode);

/// Takes rows of logits, one after another.
using LogitsConsumer = std::function<void(std::span<const float>)>;

/// Runs a prompt in a session of its own and hands on the logits of its tokens in their order. `mode` is one that
/// addModeOption() takes; the model has its weights. Throws Failure.
void runPrompt(const LoadedModel &model, std::span<const int32_t> tokens, const std::string &mode, uint32_t threads,
               const LogitsConsumer &consume);

} // namespace bambac::run

#endif // BAMBAC_RUNTIME_RUN_PROMPT_LOGITS_H
