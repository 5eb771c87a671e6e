// bamba-run engine-bench: a load of requests on an engine, with its throughput and the latencies that callers see.

#include "runtime/run/bench/engine_run.h"
#include "runtime/run/commands/commands.h"
#include "runtime/run/failure.h"
#include "runtime/run/format.h"
#include "runtime/run/input.h"
#include "runtime/run/options.h"
#include "runtime/run/output.h"
#include "runtime/run/table.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
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
  DeviceOptions device;
};

/// The smallest sample that `share` of all are at most.
double percentile(const std::vector<double> &sorted, double share) {
  return sorted[static_cast<size_t>(std::ceil(share * static_cast<double>(sorted.size()))) - 1];
}

void addLatencies(Table &table, const char *name, std::vector<double> seconds) {
  if (seconds.empty())
    return;
  std::ranges::sort(seconds);
  std::vector<std::string> row = {name};
  for (double share : {0.5, 0.9, 0.99, 1.0})
    row.push_back(formatSeconds(percentile(seconds, share)));
  table.add(row);
}

std::string describe(const EngineRun &run, const char *title) {
  const bamba_engine_counters &counters = run.counters;
  Table table({"", ">50%", ">90%", ">99%", ">all"});
  addLatencies(table, "to the first token", run.toFirstToken);
  addLatencies(table, "between tokens", run.betweenTokens);
  addLatencies(table, "of a request", run.inAll);
  double steps = std::max<double>(static_cast<double>(counters.steps), 1);
  return fmt::format("{}\n  {} requests, {} tokens in {}: {:.1f} tokens/s\n"
                     "  {} steps of {:.1f} rows and {}, of which the host {}; {} preemptions\n"
                     "  prefixes: {} of {} prompt tokens in {} of {} requests\n{}",
                     title, run.inAll.size(), formatCount(run.tokens), formatSeconds(run.seconds),
                     static_cast<double>(run.tokens) / run.seconds, formatCount(counters.steps),
                     static_cast<double>(counters.step_rows) / steps, formatSeconds(counters.step_time.sum / steps),
                     formatSeconds(counters.host_time.sum / steps), counters.preemptions,
                     formatCount(counters.cached_tokens), formatCount(counters.prompt_tokens), counters.cache_hits,
                     counters.submitted, table.str());
}

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
  if (options.cache != "on") {
    engine.prefix_cache = BAMBA_PREFIX_CACHE_OFF;
    print(describe(runLoad(model, engine, load), "without a prefix cache"));
  }
  if (options.cache != "off") {
    engine.prefix_cache = BAMBA_PREFIX_CACHE_ON;
    print(describe(runLoad(model, engine, load), "with a prefix cache"));
  }
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
      ->check(CLI::NonNegativeNumber)
      ->type_name("R");
  command->add_option("--prompt", options->prompt, "Tokens of a prompt, or least:most")->capture_default_str();
  command->add_option("--answer", options->answer, "Tokens of an answer, or least:most")->capture_default_str();
  command->add_option("--lengths", options->lengthsFile, "Lengths from a file instead: lines of PROMPT ANSWER")
      ->type_name("FILE");
  command->add_option("--shared", load.shared, "Tokens that all prompts begin with")
      ->check(numberBetween(0, INT32_MAX))
      ->type_name("N")
      ->capture_default_str();
  command->add_option("--seed", load.seed, "Of the lengths, times and tokens")->capture_default_str();
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
  addDeviceOptions(*command, options->device);
  command->callback([options] { benchEngine(*options); });
}

} // namespace bambac::run
