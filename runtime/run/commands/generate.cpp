// bamba-run generate: greedy tokens on stdout as they come, timing on stderr.

#include "runtime/run/commands/commands.h"
#include "runtime/run/failure.h"
#include "runtime/run/format.h"
#include "runtime/run/loaded_model.h"
#include "runtime/run/measure/stopwatch.h"
#include "runtime/run/options.h"
#include "runtime/run/output.h"
#include "runtime/run/tokens.h"

#include <memory>

namespace bambac::run {
namespace {

struct GenerateOptions {
  std::string library;
  std::string weights;
  std::string tokens;
  uint32_t count = 16;
  DeviceOptions device;
};

} // namespace

static void reportTiming(size_t promptTokens, double prefill, uint32_t steps, double decode) {
  fmt::print(stderr, "prefill  {} tokens in {}, {:.1f} tokens/s\n", promptTokens, formatSeconds(prefill),
             static_cast<double>(promptTokens) / prefill);
  if (steps)
    fmt::print(stderr, "decode   {} tokens in {}, {:.3f} ms/token, {:.1f} tokens/s\n", steps, formatSeconds(decode),
               decode / steps * 1e3, steps / decode);
}

static void generate(const GenerateOptions &options) {
  std::vector<int32_t> prompt = parseTokens(options.tokens);
  Library library(options.library);
  LoadedModel model(library, options.device.device);
  // The last new token is printed, not fed back.
  uint64_t context = prompt.size() + options.count - 1;
  checkContext(model, context, "prompt and new tokens");

  measure::Stopwatch loading;
  model.load(options.weights);
  double load = loading.seconds();

  ModelSession session(model, 1, options.device.threads, context);
  bamba_sequence sequence = session.create();
  measure::Stopwatch prefilling;
  session.run(sequence, prompt);
  int32_t token = session.getGreedy(0);
  double prefill = prefilling.seconds();
  // Not before: a token that the model refuses leaves its error as the only line.
  model.reportDevice();
  fmt::print(stderr, "load     {} of weights in {}\n", formatBytes(model.getInfo().weight_bytes), formatSeconds(load));

  measure::Stopwatch decoding;
  print(fmt::to_string(token));
  for (uint32_t i = 1; i < options.count; ++i) {
    session.run(sequence, {&token, 1});
    token = session.getGreedy(0);
    print(fmt::format(" {}", token));
  }
  double decode = decoding.seconds();
  print("\n");
  reportTiming(prompt.size(), prefill, options.count - 1, decode);
}

void addGenerate(CLI::App &program) {
  auto options = std::make_shared<GenerateOptions>();
  CLI::App *command = program.add_subcommand("generate", "Continue a prompt with the most likely tokens");
  addPromptOptions(*command, options->library, options->weights, options->tokens);
  command->add_option("-n,--num-tokens", options->count, "New tokens")
      ->check(numberBetween(1, INT32_MAX))
      ->type_name("N")
      ->capture_default_str();
  addDeviceOptions(*command, options->device);
  command->callback([options] { generate(*options); });
}

} // namespace bambac::run
