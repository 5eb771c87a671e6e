// bamba-run logits: the logits of every token of a prompt, as tensor `logits` of a safetensors file.

#include "runtime/run/commands/commands.h"
#include "runtime/run/loaded_model.h"
#include "runtime/run/options.h"
#include "runtime/run/prompt_logits.h"
#include "runtime/run/safetensors_writer.h"
#include "runtime/run/tokens.h"

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

static void writeLogits(const LogitsOptions &options) {
  std::vector<int32_t> tokens = parseTokens(options.tokens);

  Library library(options.library);
  LoadedModel model(library, options.device.device);
  checkContext(model, tokens.size(), "prompt");
  // An output that cannot be written is found out before the weights are loaded.
  SafetensorsWriter writer(options.output, {{"logits", "F32", {tokens.size(), model.getInfo().vocab_size}}});
  model.load(options.weights.path, options.weights.anyConfig);

  uint64_t offset = 0;
  runPrompt(model, tokens, options.mode, options.device.threads, [&](std::span<const float> logits) {
    writer.write(0, offset, logits.data(), logits.size_bytes());
    offset += logits.size_bytes();
  });
  writer.commit();
  model.reportDevice();
}

void addLogits(CLI::App &program) {
  auto options = std::make_shared<LogitsOptions>();
  CLI::App *command = program.add_subcommand("logits", "Write the logits of every token of a prompt to a file");
  addPromptOptions(*command, options->library, options->weights, options->tokens);
  addModeOption(*command, options->mode);
  command->add_option("-o,--output", options->output, "File to write: tensor 'logits', f32 [tokens, vocabulary]")
      ->required()
      ->type_name("FILE");
  addDeviceOptions(*command, options->device);
  command->callback([options] { writeLogits(*options); });
}

} // namespace bambac::run
