// bamba-run compare: how far the logits of one library are from those of another, token by token and in all.

#include "runtime/run/commands/commands.h"
#include "runtime/run/failure.h"
#include "runtime/run/logits_distance.h"
#include "runtime/run/options.h"
#include "runtime/run/output.h"
#include "runtime/run/prompt_logits.h"
#include "runtime/run/table.h"
#include "runtime/run/tokens.h"

#include <memory>

namespace bambac::run {
namespace {

/// The version of the JSON; see docs/json-output.md.
constexpr int kSchema = 1;

struct CompareOptions {
  std::string reference, library, tokens;
  WeightsOptions weights;
  std::string otherWeights; ///< of `library`; empty: the same
  std::string mode = "prefill";
  DeviceOptions device;
  bool asJson = false;
};

} // namespace

/// Runs the prompt; one model is in memory at a time.
static uint32_t runLibrary(const std::string &path, const std::string &weights, const CompareOptions &options,
                           std::span<const int32_t> tokens, const LogitsConsumer &consume) {
  Library library(path);
  LoadedModel model(library, options.device.device);
  checkContext(model, tokens.size(), "prompt");
  model.load(weights, options.weights.anyConfig);
  runPrompt(model, tokens, options.mode, options.device.threads, consume);
  return model.getInfo().vocab_size;
}

static std::vector<LogitsDistance> measure(const CompareOptions &options, std::span<const int32_t> tokens) {
  std::vector<float> reference;
  uint32_t vocabulary =
      runLibrary(options.reference, options.weights.path, options, tokens, [&](std::span<const float> logits) {
        reference.insert(reference.end(), logits.begin(), logits.end());
      });
  std::vector<LogitsDistance> distances;
  const std::string &weights = options.otherWeights.empty() ? options.weights.path : options.otherWeights;
  runLibrary(options.library, weights, options, tokens, [&](std::span<const float> logits) {
    if (logits.size() % vocabulary != 0 || distances.size() * vocabulary + logits.size() > reference.size())
      fail("'{}' has another vocabulary than '{}', of {} tokens", options.library, options.reference, vocabulary);
    for (size_t at = 0; at < logits.size(); at += vocabulary)
      distances.push_back(measureDistance(std::span(reference).subspan(distances.size() * vocabulary, vocabulary),
                                          logits.subspan(at, vocabulary)));
  });
  return distances;
}

static void printText(const std::vector<LogitsDistance> &distances, const LogitsDistance &all) {
  Table table({">position", ">relative error", ">KL divergence", "best token"});
  auto add = [&](const std::string &name, const LogitsDistance &distance, const std::string &agreement) {
    table.add({name, fmt::format("{:.3e}", distance.relativeError()),
               fmt::format("{:.3e}", distance.divergence / static_cast<double>(distance.tokens)), agreement});
  };
  for (size_t i = 0; i < distances.size(); ++i)
    add(std::to_string(i), distances[i], distances[i].agreeing ? "same" : "differs");
  add("all", all, fmt::format("same for {} of {}", all.agreeing, all.tokens));
  print(table.str());
}

static Json toJson(const LogitsDistance &distance) {
  return {{"relative_error", distance.relativeError()},
          {"kl_divergence", distance.divergence / static_cast<double>(distance.tokens)},
          {"agreeing", distance.agreeing},
          {"tokens", distance.tokens}};
}

static void compare(const CompareOptions &options) {
  std::vector<int32_t> tokens = parseTokens(options.tokens);
  std::vector<LogitsDistance> distances = measure(options, tokens);
  LogitsDistance all;
  for (const LogitsDistance &distance : distances)
    all += distance;
  if (!options.asJson)
    return printText(distances, all);
  Json positions = Json::array();
  for (const LogitsDistance &distance : distances)
    positions.push_back(toJson(distance));
  printJson({{"schema_version", kSchema}, {"all", toJson(all)}, {"positions", positions}});
}

void addCompare(CLI::App &program) {
  auto options = std::make_shared<CompareOptions>();
  CLI::App *command = program.add_subcommand("compare", "Compare the logits of two libraries on a prompt");
  command->add_option("REFERENCE", options->reference, "Library that is held for right")->required()->type_name("FILE");
  command->add_option("LIBRARY", options->library, "Library that is compared with it")->required()->type_name("FILE");
  addWeightsOptions(*command, options->weights, "Checkpoint of both")->required();
  command
      ->add_option("--other-weights", options->otherWeights, "Checkpoint of the second library, where it has another")
      ->type_name("DIR");
  command->add_option("--tokens", options->tokens, "Prompt: token numbers, or @FILE that holds them")
      ->required()
      ->type_name("1,2,3|@FILE");
  addModeOption(*command, options->mode);
  command->add_flag("--json", options->asJson, "Results as JSON");
  addDeviceOptions(*command, options->device);
  command->callback([options] { compare(*options); });
}

} // namespace bambac::run
