// bamba-run bench: how fast a model decodes and reads prompts, and what this machine could do at best.

#include "runtime/run/bench/ceilings.h"
#include "runtime/run/bench/fit.h"
#include "runtime/run/bench/report.h"
#include "runtime/run/commands/commands.h"
#include "runtime/run/failure.h"
#include "runtime/run/measure/stopwatch.h"
#include "runtime/run/options.h"
#include "runtime/support/processors.h"

#include <map>
#include <memory>
#include <string_view>
#include <utility>

namespace bambac::run {
namespace {

struct BenchOptions {
  std::string library;
  WeightsOptions weights; ///< none: random ones
  bool randomWeights = false;
  BenchSizes sizes; ///< as asked for, until the library is known
  bool profile = false;
  std::string cublas; ///< where to look for it; empty: where the system does
  bool asJson = false;
  DeviceOptions device;
};

} // namespace

/// A size that does not fit into memory is a row without a timing; the others are measured.
template <typename Measure> static void measureRow(Measurement &row, const Measure &measure) {
  try {
    measure(row);
  } catch (const OutOfMemory &error) {
    row.failure = error.what();
  }
}

static void measureModel(const Bench &bench, const BenchSizes &sizes, bool profile, BenchResults &results) {
  auto keepLargest = [&](const SessionCost &cost) {
    SessionCost &largest = results.preparation.session;
    if (std::pair(cost.slots, cost.pages) > std::pair(largest.slots, largest.pages))
      largest = cost;
  };
  auto measureDecode = [&](uint32_t batch, uint32_t context) {
    // Half the steps found fewer tokens in the cache, half of them more.
    uint64_t held = averageContext(bench.model.getInfo().max_context, bench.gpu, context, sizes.steps);
    Measurement &row = results.decode.emplace_back();
    row.sequences = batch;
    row.context = context;
    row.plan = planDecode(results.metadata, batch, held);
    measureRow(row, [&](Measurement &row) {
      SessionCost cost;
      row.timing = timeDecode(bench, batch, context, sizes.steps, cost);
      keepLargest(cost);
      if (!profile)
        return;
      row.launches = profileDecode(bench, batch, context);
      row.profiled = planDecode(results.metadata, batch, context);
    });
  };
  for (uint32_t batch : sizes.batches)
    for (uint32_t context : sizes.contexts)
      measureDecode(batch, context);
  for (uint32_t context : sizes.contexts)
    if (sizes.fit)
      measureDecode(findLargestBatch(bench, context, sizes.steps), context);
  for (uint32_t prompt : sizes.prompts) {
    Measurement &row = results.prefill.emplace_back();
    row.tokens = prompt;
    row.plan = planPrefill(results.metadata, prompt);
    measureRow(row, [&](Measurement &row) {
      SessionCost cost;
      row.timing = timePrefill(bench, prompt, cost);
      keepLargest(cost);
      if (!profile)
        return;
      row.launches = profilePrefill(bench, prompt);
      row.profiled = row.plan;
    });
  }
}

static void load(LoadedModel &model, const BenchOptions &options, Preparation &preparation) {
  preparation.weights = options.weights.path.empty() ? "random weights" : options.weights.path;
  preparation.weightBytes = model.getInfo().weight_bytes;
  measure::Stopwatch watch;
  if (options.weights.path.empty())
    model.loadRandom(0);
  else
    model.load(options.weights.path, options.weights.anyConfig);
  preparation.loadSeconds = watch.seconds();
}

/// cuBLAS's own time for the matrix products of every prompt, in the same chunks.
static void measureBlas(const measure::Cublas &cublas, BenchResults &results) {
  std::map<std::pair<std::string, double>, double> known; // seconds by entry point and share of its tokens
  for (Measurement &row : results.prefill) {
    row.blasSeconds = 0;
    for (const PlannedRun &run : row.plan) {
      auto [found, isNew] = known.try_emplace({run.entry, run.tokenShare});
      if (isNew)
        found->second = measure::timeGemms(cublas, listGemms(results.metadata, run));
      *row.blasSeconds += found->second;
    }
  }
}

static void bench(const BenchOptions &options) {
  Library library(options.library);
  BenchResults results;
  results.library = options.library;
  Machine &machine = results.machine;
  std::unique_ptr<measure::Gpu> gpu;
  std::unique_ptr<measure::Cublas> cublas;
  {
    LoadedModel model(library, options.device.device);
    results.metadata = readMetadata(library, model.getInfo().target);
    results.device = model.describeDevice();
    bool onCuda = std::string_view(model.getInfo().device).starts_with("cuda");
    // Every size is refused before anything is measured.
    BenchSizes sizes = chooseSizes(options.sizes, model, onCuda);
    if (onCuda) {
      gpu = std::make_unique<measure::Gpu>(model.getInfo().device);
      cublas = measure::Cublas::open(*gpu, options.cublas, machine.blas);
      machine.multiprocessors = gpu->multiprocessors();
    } else {
      machine.threads = options.device.threads ? options.device.threads : rt::availableProcessors();
    }
    measureMemory(machine, results.metadata, gpu.get());
    load(model, options, results.preparation);
    measureModel({model, gpu.get(), machine.threads}, sizes, options.profile, results);
  }
  // The model is closed: it competes neither for memory nor, with its threads, for processors.
  measureMemory(machine, results.metadata, gpu.get());
  measureArithmetic(machine, gpu.get(), cublas.get());
  if (cublas)
    measureBlas(*cublas, results);
  if (options.asJson)
    printJson(makeBenchJson(results));
  else
    print(makeBenchText(results));
}

void addBench(CLI::App &program) {
  auto options = std::make_shared<BenchOptions>();
  CLI::App *command = program.add_subcommand("bench", "Measure a model, and the machine in the same run");
  addLibraryArgument(*command, options->library);
  CLI::Option *weights = addWeightsOptions(*command, options->weights, "Checkpoint (default: random weights)");
  command->add_flag("--random-weights", options->randomWeights, "Random weights, made in memory")->excludes(weights);
  BenchSizes &sizes = options->sizes;
  addListOption(*command, "--batch", sizes.batches, 1, "Sequences that are decoded together (default: 1)");
  command->add_flag("--fit", sizes.fit, "As many sequences of each context as fit into the memory of the CUDA device")
      ->excludes("--batch");
  addListOption(*command, "--context", sizes.contexts, 0,
                "Tokens that each sequence holds before (default: 256, or what the library has room for)");
  addListOption(*command, "--prefill", sizes.prompts, 1, "Lengths of a prompt (default: 512, or the longest)");
  command->add_option("--steps", sizes.steps, "Decode steps that are timed (default: 32)")
      ->check(numberBetween(1, 1000000))
      ->type_name("N");
  command->add_flag("--profile", options->profile, "Every kernel's time and its floor");
  command
      ->add_option("--cublas", options->cublas,
                   "cuBLAS to compare with on CUDA: the library, its folder or that of Python packages (default: the "
                   "system's)")
      ->type_name("PATH");
  command->add_flag("--json", options->asJson, "Results as JSON");
  addDeviceOptions(*command, options->device);
  command->callback([options] { bench(*options); });
}

} // namespace bambac::run
