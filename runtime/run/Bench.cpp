// bamba-run bench: how fast a model decodes and reads prompts, beside what this machine could do at best.

#include "runtime/run/BenchReport.h"
#include "runtime/run/Commands.h"
#include "runtime/run/Error.h"
#include "runtime/run/Options.h"

#include <algorithm>
#include <memory>

namespace bambac::run {
namespace {

struct BenchOptions {
  std::string library;
  std::string weights; ///< empty: random ones
  bool randomWeights = false;
  std::vector<uint32_t> batches = {1};
  std::vector<uint32_t> contexts = {256};
  std::vector<uint32_t> prompts = {512};
  uint32_t steps = 32;
  bool asJson = false;
  DeviceOptions device;
};

} // namespace

/// Every size is refused before anything is measured.
static void checkSizes(const Model &model, const BenchOptions &options) {
  uint32_t maxBatch = model.getInfo().max_batch;
  for (uint32_t batch : options.batches)
    if (batch > maxBatch)
      fail("--batch: expected at most {} sequences, the limit that '{}' was compiled with, found {}", maxBatch,
           options.library, batch);
  for (uint32_t context : options.contexts)
    checkContext(model, uint64_t(context) + warmUpSteps + options.steps, "--context and --steps");
  for (uint32_t prompt : options.prompts)
    checkContext(model, prompt, "--prefill");
}

/// Neighbours on the machine take bandwidth away, never add to it: the best of two measurements is nearest to the
/// truth.
static void measureMemory(Machine &machine, const Metadata &metadata) {
  auto keepBest = [](Bandwidth &best, const Bandwidth &found) {
    if (found.bytesPerSecond > best.bytesPerSecond)
      best = found;
  };
  uint64_t bytes = chooseMemoryBufferBytes();
  keepBest(machine.memory, measureReadBandwidth(bytes, machine.threads));
  if (uint64_t weights = getStreamedWeightBytes(metadata); weights < bytes) {
    if (!machine.weights)
      machine.weights.emplace();
    keepBest(*machine.weights, measureReadBandwidth(weights, machine.threads));
  }
}

static void measureModel(Model &model, const Metadata &metadata, const BenchOptions &options, BenchResults &results) {
  unsigned threads = results.machine.threads;
  for (uint32_t batch : options.batches)
    for (uint32_t context : options.contexts) {
      Timing timing = timeDecode(model, threads, batch, context, options.steps);
      // Half the steps found fewer tokens in the cache, half of them more.
      uint32_t held = context + warmUpSteps + options.steps / 2;
      results.decode.push_back({batch, 1, context, timing, planDecode(metadata, batch, held)});
    }
  for (uint32_t prompt : options.prompts)
    results.prefill.push_back({1, prompt, 0, timePrefill(model, threads, prompt), planPrefill(metadata, prompt)});
}

static void bench(const BenchOptions &options) {
  Library library(options.library);
  Metadata metadata = readMetadata(library);
  BenchResults results;
  results.library = options.library;
  Machine &machine = results.machine;
  machine.threads = options.device.threads ? options.device.threads : countProcessors();
  {
    Model model(library, options.device.device);
    checkSizes(model, options);
    measureMemory(machine, metadata);
    if (options.weights.empty())
      model.loadRandom(0);
    else
      model.load(options.weights);
    measureModel(model, metadata, options, results);
  }
  // The model is closed: it competes neither for memory nor, with its threads, for processors.
  measureMemory(machine, metadata);
  machine.matrixRate = measureMatrixRate(machine.threads);
  machine.blasRate = measureBlasRate(machine.threads);
  if (options.asJson)
    printJson(makeBenchJson(results));
  else
    print(makeBenchText(results));
}

void addBench(CLI::App &program) {
  auto options = std::make_shared<BenchOptions>();
  CLI::App *command = program.add_subcommand("bench", "Measure a model, and the machine in the same run");
  addLibraryArgument(*command, options->library);
  CLI::Option *weights =
      command->add_option("--weights", options->weights, "Checkpoint (default: random weights)")->type_name("DIR");
  command->add_flag("--random-weights", options->randomWeights, "Random weights, made in memory")->excludes(weights);
  addListOption(*command, "--batch", options->batches, 1, "Sequences that are decoded together");
  addListOption(*command, "--context", options->contexts, 0, "Tokens that each sequence holds before");
  addListOption(*command, "--prefill", options->prompts, 1, "Lengths of a prompt");
  command->add_option("--steps", options->steps, "Decode steps that are timed")
      ->check(numberBetween(1, 1000000))
      ->type_name("N")
      ->capture_default_str();
  command->add_flag("--json", options->asJson, "Results as JSON");
  addDeviceOptions(*command, options->device);
  command->callback([options] { bench(*options); });
}

} // namespace bambac::run
