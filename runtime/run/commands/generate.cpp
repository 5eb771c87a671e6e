// bamba-run generate: new tokens on stdout, those of a single prompt as they come; timing on stderr.

#include "runtime/run/atomic_file.h"
#include "runtime/run/commands/commands.h"
#include "runtime/run/failure.h"
#include "runtime/run/format.h"
#include "runtime/run/input.h"
#include "runtime/run/loaded_model.h"
#include "runtime/run/measure/stopwatch.h"
#include "runtime/run/options.h"
#include "runtime/run/output.h"
#include "runtime/run/sampling_options.h"
#include "runtime/run/tokens.h"

#include <algorithm>
#include <fmt/ranges.h>
#include <memory>
#include <optional>
#include <span>
#include <string>

namespace bambac::run {
namespace {

struct GenerateOptions {
  std::string library;
  WeightsOptions weights;
  std::vector<std::string> prompts;
  uint32_t count = 16;
  bool ignoreEos = false;
  std::string loadState, saveState; ///< files; empty: none
  bamba_sampling sampling = {};
  DeviceOptions device;
};

/// A prompt and what follows it.
struct Text {
  std::vector<int32_t> prompt;
  bamba_sequence sequence = 0;
  std::vector<int32_t> tokens; ///< the new ones
  bamba_sampling sampling = {};
  bool isDone = false;
};

/// Continues all texts, a token of each in every step, until each has its tokens or has come to its end.
class Generation {
public:
  Generation(const LoadedModel &model, ModelSession &session, std::vector<Text> &texts, const GenerateOptions &options)
      : model(model), session(session), texts(texts), options(options) {}

  void prefill();
  /// Prints the tokens from the first on. Returns how many were decoded.
  uint64_t decode();

private:
  bamba_batch_item itemOf(Text &text, std::span<const int32_t> tokens) const;
  void run(std::span<const bamba_batch_item> items, const std::vector<Text *> &running);
  void take(Text &text, int32_t token);
  void showLast() const;

  const LoadedModel &model;
  ModelSession &session;
  std::vector<Text> &texts;
  const GenerateOptions &options;
};

} // namespace

void Generation::take(Text &text, int32_t token) {
  text.tokens.push_back(token);
  text.isDone = text.tokens.size() == options.count || (!options.ignoreEos && model.endsText(token));
}

/// A single text is printed as it grows, several are printed at the end.
void Generation::showLast() const {
  const std::vector<int32_t> &tokens = texts.front().tokens;
  if (texts.size() == 1)
    print(fmt::format("{}{}", tokens.size() > 1 ? " " : "", tokens.back()));
}

/// Texts of the same seed draw the same where they are alike.
bamba_batch_item Generation::itemOf(Text &text, std::span<const int32_t> tokens) const {
  text.sampling = options.sampling;
  text.sampling.prompt = text.prompt.data();
  text.sampling.num_prompt = static_cast<uint32_t>(text.prompt.size());
  text.sampling.generated = text.tokens.data();
  text.sampling.num_generated = static_cast<uint32_t>(text.tokens.size());
  bamba_batch_item item = makeItem(text.sequence, tokens);
  item.sampling = &text.sampling;
  return item;
}

void Generation::run(std::span<const bamba_batch_item> items, const std::vector<Text *> &running) {
  session.run(items);
  std::vector<int32_t> next;
  next.reserve(running.size());
  for (size_t i = 0; i < running.size(); ++i)
    next.push_back(session.getSample(i).token);
  for (size_t i = 0; i < running.size(); ++i)
    take(*running[i], next[i]);
}

void Generation::prefill() {
  std::vector<bamba_batch_item> items;
  std::vector<Text *> running;
  for (Text &text : texts) {
    items.push_back(itemOf(text, text.prompt));
    running.push_back(&text);
  }
  run(items, running);
}

uint64_t Generation::decode() {
  uint64_t decoded = 0;
  while (true) {
    showLast();
    std::vector<bamba_batch_item> items;
    std::vector<Text *> running;
    for (Text &text : texts)
      if (!text.isDone) {
        items.push_back(itemOf(text, {&text.tokens.back(), 1}));
        running.push_back(&text);
      }
    if (items.empty())
      return decoded;
    decoded += items.size();
    run(items, running);
  }
}

/// New sequences for all texts; returns the tokens that each holds already.
static uint64_t createSequences(ModelSession &session, std::vector<Text> &texts,
                                const std::optional<std::string> &state) {
  for (Text &text : texts) {
    text.sequence = session.create();
    if (state)
      session.restore(text.sequence, std::as_bytes(std::span(*state)));
  }
  return session.getLength(texts.front().sequence);
}

static void reportTiming(uint64_t promptTokens, double prefill, uint64_t decoded, double decode) {
  fmt::print(stderr, "prefill  {} tokens in {}, {:.1f} tokens/s\n", promptTokens, formatSeconds(prefill),
             static_cast<double>(promptTokens) / prefill);
  if (decoded)
    fmt::print(stderr, "decode   {} tokens in {}, {:.3f} ms/token, {:.1f} tokens/s\n", decoded, formatSeconds(decode),
               decode / static_cast<double>(decoded) * 1e3, static_cast<double>(decoded) / decode);
}

static void reportEnds(const LoadedModel &model, const std::vector<Text> &texts, const GenerateOptions &options) {
  for (size_t i = 0; i < texts.size() && !options.ignoreEos; ++i)
    if (int32_t last = texts[i].tokens.back(); model.endsText(last))
      fmt::print(stderr, "end      {}token {} ends the text\n",
                 texts.size() > 1 ? fmt::format("prompt {}: ", i + 1) : "", last);
}

/// The last token is not part of the state: it was found, but not run.
static void saveState(const ModelSession &session, const Text &text, const std::string &path) {
  std::vector<std::byte> state = session.save(text.sequence);
  writeFile(path, {reinterpret_cast<const char *>(state.data()), state.size()});
  fmt::print(stderr, "state    {} tokens in '{}' ({}); --load-state={} --tokens={} goes on\n",
             session.getLength(text.sequence), path, formatBytes(state.size()), path, text.tokens.back());
}

static std::vector<Text> readPrompts(const GenerateOptions &options) {
  std::vector<Text> texts;
  for (const std::string &prompt : options.prompts)
    texts.emplace_back().prompt = parseTokens(prompt);
  if (!options.saveState.empty() && texts.size() > 1)
    fail("--save-state: expected one prompt, found {}", texts.size());
  return texts;
}

/// Throws Failure where a text and its new tokens, of which the last one is not run, do not fit after `held` tokens.
static void checkTexts(const LoadedModel &model, const std::vector<Text> &texts, uint32_t count, uint64_t held) {
  for (const Text &text : texts)
    checkContext(model, held + text.prompt.size() + count - 1,
                 held ? "state, prompt and new tokens" : "prompt and new tokens");
}

static void generate(const GenerateOptions &options) {
  std::vector<Text> texts = readPrompts(options);
  std::optional<std::string> state;
  if (!options.loadState.empty())
    state = readFile(options.loadState, "the state");
  Library library(options.library);
  LoadedModel model(library, options.device.device);
  checkTexts(model, texts, options.count, 0);

  measure::Stopwatch loading;
  model.load(options.weights.path, options.weights.anyConfig);
  double load = loading.seconds();

  uint64_t promptTokens = 0, longest = 0;
  for (const Text &text : texts) {
    promptTokens += text.prompt.size();
    longest = std::max<uint64_t>(longest, text.prompt.size());
  }
  // How many tokens a state holds is known when it is restored.
  uint64_t context = state ? model.getInfo().max_context : longest + options.count - 1;
  ModelSession session(model, static_cast<uint32_t>(texts.size()), options.device.threads, context);
  checkTexts(model, texts, options.count, createSequences(session, texts, state));

  Generation generation(model, session, texts, options);
  measure::Stopwatch prefilling;
  generation.prefill();
  double prefill = prefilling.seconds();
  // Not before: a token that the model refuses leaves its error as the only line.
  model.reportDevice();
  fmt::print(stderr, "load     {} of weights in {}\n", formatBytes(model.getInfo().weight_bytes), formatSeconds(load));

  measure::Stopwatch decoding;
  uint64_t decoded = generation.decode();
  double decode = decoding.seconds();
  if (texts.size() == 1)
    print("\n");
  else
    for (size_t i = 0; i < texts.size(); ++i)
      print(fmt::format("{}: {}\n", i + 1, fmt::join(texts[i].tokens, " ")));
  reportTiming(promptTokens, prefill, decoded, decode);
  reportEnds(model, texts, options);
  if (!options.saveState.empty())
    saveState(session, texts.front(), options.saveState);
}

void addGenerate(CLI::App &program) {
  auto options = std::make_shared<GenerateOptions>();
  CLI::App *command =
      program.add_subcommand("generate", "Continue prompts with the most likely tokens, or with drawn ones");
  addPromptOptions(*command, options->library, options->weights, options->prompts);
  command->add_option("-n,--num-tokens", options->count, "New tokens of each prompt, at most")
      ->check(numberBetween(1, INT32_MAX))
      ->type_name("N")
      ->capture_default_str();
  command->add_flag("--ignore-eos", options->ignoreEos, "Go on after a token that ends a text");
  command->add_option("--load-state", options->loadState, "Continue the state in this file instead of an empty one")
      ->type_name("FILE");
  command->add_option("--save-state", options->saveState, "Write the state to this file, for --load-state")
      ->type_name("FILE");
  addSamplingOptions(*command, options->sampling);
  addSeedOption(*command, options->sampling.seed, "The same seed draws the same tokens");
  addDeviceOptions(*command, options->device);
  command->callback([options] { generate(*options); });
}

} // namespace bambac::run
