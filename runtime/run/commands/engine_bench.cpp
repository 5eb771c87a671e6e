// bamba-run engine-bench: a load of requests on an engine, with its throughput and the latencies that callers see.

#include "runtime/run/bench/engine_report.h"
#include "runtime/run/commands/commands.h"
#include "runtime/run/input.h"
#include "runtime/run/options.h"
#include "runtime/run/sampling_options.h"

#include <memory>
#include <string>

namespace bambac::run {
namespace {

struct EngineBenchOptions {
  std::string library;
  WeightsOptions weights; ///< none: random ones
  LoadSizes load;
  std::string prompt = "16:64", answer = "8:32", lengthsFile;
  uint32_t slots = 0, maxStepRows = 0, interval = 0;
  std::string cache = "on";
  bamba_sampling sampling = {};
  bool asJson = false;
  DeviceOptions device;
};

void benchEngine(EngineBenchOptions options) {
  options.load.prompt = parseRange(options.prompt, "--prompt");
  options.load.answer = parseRange(options.answer, "--answer");
  if (!options.lengthsFile.empty())
    options.load.lengths = readFile(options.lengthsFile, "the lengths");
  Library library(options.library);
  LoadedModel model(library, options.device.device);
  std::vector<LoadRequest> load = makeLoad(options.load, model.getInfo().vocab_size, model.getInfo().max_context);
  if (options.weights.path.empty())
    model.loadRandom(0);
  else
    model.load(options.weights.path, options.weights.anyConfig);
  model.reportDevice();

  bamba_engine_options engine = {};
  engine.struct_size = sizeof(engine);
  engine.slots = options.slots;
  engine.threads = options.device.threads;
  engine.max_step_rows = options.maxStepRows;
  engine.queue_limit = static_cast<uint32_t>(load.size());
  engine.snapshot_interval = options.interval;
  options.sampling.seed = options.load.seed;
  EngineReport report = {options.library, model.getInfo().device, {}};
  for (bool cached : {false, true}) {
    if (options.cache == (cached ? "off" : "on"))
      continue;
    engine.prefix_cache = cached ? BAMBA_PREFIX_CACHE_ON : BAMBA_PREFIX_CACHE_OFF;
    report.runs.push_back({cached, runLoad(model, engine, load, options.sampling)});
    if (!options.asJson)
      print(makeEngineText(report.runs.back()));
  }
  if (options.asJson)
    printJson(makeEngineJson(report));
}

} // namespace

void addEngineBench(CLI::App &program) {
  auto options = std::make_shared<EngineBenchOptions>();
  CLI::App *command = program.add_subcommand("engine-bench", "Measure requests to an engine: throughput and latencies");
  addLibraryArgument(*command, options->library);
  addWeightsOptions(*command, options->weights, "Checkpoint (default: random weights)");
  LoadSizes &load = options->load;
  command->add_option("-n,--requests", load.requests, "Requests in all")
      ->check(numberBetween(1, 10000000))
      ->type_name("N")
      ->capture_default_str();
  command->add_option("--rate", load.rate, "Requests a second, at random times (default: all at once)")
      ->check(decimalBetween(0, 1e6))
      ->type_name("R");
  command->add_option("--prompt", options->prompt, "Tokens of a prompt, or least:most")->capture_default_str();
  command->add_option("--answer", options->answer, "Tokens of an answer, or least:most")->capture_default_str();
  command->add_option("--lengths", options->lengthsFile, "Lengths from a file instead: lines of PROMPT ANSWER")
      ->type_name("FILE");
  command->add_option("--shared", load.shared, "Tokens that all prompts begin with")
      ->check(numberBetween(0, INT32_MAX))
      ->type_name("N")
      ->capture_default_str();
  addSamplingOptions(*command, options->sampling);
  addSeedOption(*command, load.seed,
                "Of the lengths, times and prompts, and of the tokens that the first request draws");
  command->add_option("--slots", options->slots, "Requests that run at a time (default: the library's batch)")
      ->check(numberBetween(1, INT32_MAX - 1))
      ->type_name("N");
  command->add_option("--max-step-rows", options->maxStepRows, "Tokens of a step, at most")
      ->check(numberBetween(1, INT32_MAX))
      ->type_name("N");
  command->add_option("--prefix-cache", options->cache, "on, off, or both one after another")
      ->check(CLI::IsMember({"on", "off", "both"}))
      ->capture_default_str();
  command->add_option("--snapshot-interval", options->interval, "Tokens between states that the prefix cache keeps")
      ->check(numberBetween(1, INT32_MAX))
      ->type_name("N");
  command->add_flag("--json", options->asJson, "Results as JSON");
  addDeviceOptions(*command, options->device);
  command->callback([options] { benchEngine(*options); });
}

} // namespace bambac::run
