#include "runtime/run/prompt_logits.h"
#include "runtime/run/failure.h"
#include "runtime/run/options.h"

#include <algorithm>

namespace bambac::run {

/// Tokens that one run takes; 0 means all of them.
static std::optional<uint64_t> parseMode(std::string_view mode) {
  constexpr std::string_view chunk = "chunk:";
  if (mode == "prefill")
    return 0;
  if (mode == "decode")
    return 1;
  return mode.starts_with(chunk) ? parseNumber(mode.substr(chunk.size()), 1, INT32_MAX) : std::nullopt;
}

static std::string checkMode(const std::string &mode) {
  if (parseMode(mode))
    return {};
  return fmt::format("expected prefill, decode or chunk:N, found '{}'", mode);
}

void addModeOption(CLI::App &command, std::string &mode) {
  command.add_option("--mode", mode, "How the prompt is fed: in one piece, token by token, or N at a time")
      ->check(CLI::Validator([](std::string &text) { return checkMode(text); }, ""))
      ->type_name("prefill|decode|chunk:N")
      ->capture_default_str();
}

void runPrompt(const LoadedModel &model, std::span<const int32_t> tokens, const std::string &mode, uint32_t threads,
               const LogitsConsumer &consume) {
  size_t step = parseMode(mode).value();
  if (step == 0)
    step = tokens.size();
  ModelSession session(model, 1, threads, tokens.size());
  bamba_sequence sequence = session.create();
  for (std::span<const int32_t> rest = tokens; !rest.empty();) {
    size_t count = std::min(step, rest.size());
    session.run(sequence, rest.first(count), BAMBA_LOGITS_ALL);
    std::span<const float> logits = session.getLogits(0);
    size_t expected = count * model.getInfo().vocab_size;
    if (logits.size() != expected)
      fail("'{}' returned {} logits for {} tokens: expected {}", model.getLibrary().path(), logits.size(), count,
           expected);
    consume(logits);
    rest = rest.subspan(count);
  }
}

} // namespace bambac::run
