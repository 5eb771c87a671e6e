// bamba-run logits: the logits of every token of a prompt, as tensor `logits` of a safetensors file.

#include "runtime/run/commands/commands.h"
#include "runtime/run/failure.h"
#include "runtime/run/loaded_model.h"
#include "runtime/run/options.h"
#include "runtime/run/safetensors_writer.h"
#include "runtime/run/tokens.h"

#include <algorithm>
#include <memory>

namespace bambac::run {
namespace {

struct LogitsOptions {
  std::string library;
  WeightsOptions weights;
  std::string tokens;
  std::string mode = "prefill";
  std::string output;
  DeviceOptions device;
};

} // namespace

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

static void writeLogits(const LogitsOptions &options) {
  std::vector<int32_t> tokens = parseTokens(options.tokens);
  size_t step = parseMode(options.mode).value();
  if (step == 0)
    step = tokens.size();

  Library library(options.library);
  LoadedModel model(library, options.device.device);
  checkContext(model, tokens.size(), "prompt");
  // An output that cannot be written is found out before the weights are loaded.
  SafetensorsWriter writer(options.output, {{"logits", "F32", {tokens.size(), model.getInfo().vocab_size}}});
  model.load(options.weights.path, options.weights.anyConfig);

  ModelSession session(model, 1, options.device.threads, tokens.size());
  bamba_sequence sequence = session.create();
  uint64_t offset = 0;
  for (std::span<const int32_t> rest = tokens; !rest.empty();) {
    size_t count = std::min(step, rest.size());
    session.run(sequence, rest.first(count), BAMBA_LOGITS_ALL);
    std::span<const float> logits = session.getLogits(0);
    size_t expected = count * model.getInfo().vocab_size;
    if (logits.size() != expected)
      fail("'{}' returned {} logits for {} tokens: expected {}", options.library, logits.size(), count, expected);
    writer.write(0, offset, logits.data(), logits.size_bytes());
    offset += logits.size_bytes();
    rest = rest.subspan(count);
  }
  writer.commit();
  model.reportDevice();
}

void addLogits(CLI::App &program) {
  auto options = std::make_shared<LogitsOptions>();
  CLI::App *command = program.add_subcommand("logits", "Write the logits of every token of a prompt to a file");
  addPromptOptions(*command, options->library, options->weights, options->tokens);
  command->add_option("--mode", options->mode, "How the prompt is fed: in one piece, token by token, or N at a time")
      ->check(CLI::Validator([](std::string &mode) { return checkMode(mode); }, ""))
      ->type_name("prefill|decode|chunk:N")
      ->capture_default_str();
  command->add_option("-o,--output", options->output, "File to write: tensor 'logits', f32 [tokens, vocabulary]")
      ->required()
      ->type_name("FILE");
  addDeviceOptions(*command, options->device);
  command->callback([options] { writeLogits(*options); });
}

} // namespace bambac::run
