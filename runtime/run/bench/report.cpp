#include "runtime/run/bench/report.h"
#include "runtime/contract/metadata_keys.h"
#include "runtime/run/format.h"
#include "runtime/run/table.h"

#include <fmt/format.h>

namespace bambac::run {

namespace key = contract::key;

/// Equal entry points that follow each other are counted.
static std::string joinEntries(const std::vector<PlannedRun> &plan) {
  std::string text;
  for (size_t i = 0, next = 0; i < plan.size(); i = next) {
    while (next < plan.size() && plan[next].entry == plan[i].entry)
      ++next;
    text += fmt::format("{}{}{}", i ? " + " : "", next - i > 1 ? fmt::format("{} x ", next - i) : "", plan[i].entry);
  }
  return text;
}

Figures::Figures(const Measurement &measurement, const Machine &machine) : entries(joinEntries(measurement.plan)) {
  for (const PlannedRun &run : measurement.plan) {
    bytes += run.bytes();
    flops += run.flops;
    codeFlops += run.codeFlops;
    floor += run.floor(machine);
  }
  if (!measurement.failure.empty())
    return;
  fraction = floor.seconds() / measurement.timing.busy();
  double tokens = static_cast<double>(measurement.sequences) * measurement.tokens;
  tokensPerSecond = tokens / measurement.timing.call.median;
}

std::vector<MemoryPart> listMemory(const BenchResults &results) {
  const Json &memory = results.metadata.json.at(key::kMemory);
  const SessionCost &session = results.preparation.session;
  auto bytes = [&](const char *key) { return memory.at(key).get<uint64_t>(); };
  uint64_t users = results.machine.isCuda() ? 1 : results.machine.threads;
  return {{"weights", "weights", bytes(key::kWeightBytes)},
          {"states", "states", (session.slots + 1) * bytes(key::kSlotBytes)},
          {"kv_cache", "KV cache", session.pages * bytes(key::kPageBytes)},
          {"arena", "arena", bytes(key::kArenaBytes)},
          {"scratch", "scratch", users * bytes(key::kScratchBytes)}};
}

static std::string showRate(double perSecond) { return fmt::format("{:.1f} GB/s", perSecond * 1e-9); }

static std::string describeProcessor(const Machine &machine) {
  auto showFlops = [](double rate) { return fmt::format("{:.1f} GFLOP/s", rate * 1e-9); };
  Table table({"", ">", ""});
  table.add({"read bandwidth", showRate(machine.memory.bytesPerSecond),
             fmt::format("buffer of {}, which no cache holds", formatBytes(machine.memory.bufferBytes))});
  if (machine.weights)
    table.add({"", showRate(machine.weights->bytesPerSecond),
               fmt::format("buffer of {}, as large as the weights", formatBytes(machine.weights->bufferBytes))});
  table.add({"f32 matrix rate", showFlops(machine.matrixRate), "multiply-adds on operands in cache"});
  if (machine.blasRate)
    table.add({"", showFlops(*machine.blasRate), "OpenBLAS, 1024 x 1024 x 1024"});
  return fmt::format("machine ({} thread{})\n", machine.threads, machine.threads == 1 ? "" : "s") + table.str();
}

static std::string describeGpu(const Machine &machine) {
  Table table({"", ">", ""});
  table.add({"read bandwidth", showRate(machine.memory.bytesPerSecond),
             fmt::format("kernel that only reads, {}", formatBytes(machine.memory.bufferBytes))});
  table.add({"copy bandwidth", showRate(machine.copy->bytesPerSecond),
             fmt::format("driver's copy of {}, bytes read and written", formatBytes(machine.copy->bufferBytes))});
  if (machine.matrixRate > 0)
    table.add({"bf16 matrix rate", fmt::format("{:.1f} TFLOP/s", machine.matrixRate * 1e-12),
               machine.blas + ", 8192 x 8192 x 8192"});
  else
    table.add({"bf16 matrix rate", "not measured", machine.blas + "; --cublas names its folder"});
  if (machine.codeRate > 0)
    table.add({"fp8 matrix rate", fmt::format("{:.1f} TFLOP/s", machine.codeRate * 1e-12),
               machine.blas + ", 8192 x 8192 x 8192, sums promoted to f32"});
  else if (machine.matrixRate > 0)
    table.add({"fp8 matrix rate", "as bf16", machine.noCodeRate});
  return fmt::format("machine ({} multiprocessors)\n", machine.multiprocessors) + table.str();
}

static std::string describePreparation(const BenchResults &results) {
  const Preparation &preparation = results.preparation;
  const SessionCost &session = preparation.session;
  Table table({"", ">", ""});
  table.add({"load", formatSeconds(preparation.loadSeconds),
             fmt::format("{} of {}, {}", formatBytes(preparation.weightBytes), preparation.weights,
                         showRate(static_cast<double>(preparation.weightBytes) / preparation.loadSeconds))});
  table.add({"create session", formatSeconds(session.seconds),
             fmt::format("the largest below: {} sequences, {} KV pages", session.slots, session.pages)});
  for (const MemoryPart &part : listMemory(results))
    if (part.bytes)
      table.add({part.title, formatBytes(part.bytes)});
  if (session.deviceBytes)
    table.add({"device in use", formatBytes(session.deviceBytes), "all of this, code, graphs and other processes"});
  return "model and its largest session\n" + table.str();
}

static std::string showMilliseconds(double seconds) { return fmt::format("{:.3f}", seconds * 1e3); }

/// Between which times eight of ten samples lie.
static std::string showSpread(const Spread &spread) {
  return showMilliseconds(spread.p10) + ".." + showMilliseconds(spread.p90);
}

/// What bounds the row, and what that leaves of the measured time.
static std::vector<std::string> showFloor(const Figures &figures) {
  return {showMilliseconds(figures.floor.seconds()), fmt::format("{:.0f}%", figures.fraction * 100),
          figures.floor.mostly()};
}

static std::string describeDecode(const BenchResults &results) {
  bool onCuda = results.machine.isCuda();
  std::vector<std::string> titles = {">batch", ">context", "program", ">ms/step", ">p10..p90"};
  if (onCuda)
    titles.insert(titles.end(), {">device ms", ">host us"});
  titles.insert(titles.end(),
                {">tokens/s", ">moves", ">GB/s", onCuda ? ">TFLOP/s" : ">GFLOP/s", ">floor ms", ">of floor", "mostly"});
  Table table(titles);
  for (const Measurement &measurement : results.decode) {
    Figures figures(measurement, results.machine);
    const Timing &timing = measurement.timing;
    std::vector<std::string> row = {fmt::to_string(measurement.sequences), fmt::to_string(measurement.context),
                                    figures.entries};
    if (!measurement.failure.empty()) {
      row.push_back("-");
      table.add(std::move(row));
      continue;
    }
    row.push_back(showMilliseconds(timing.call.median));
    row.push_back(showSpread(timing.call));
    if (timing.device) {
      row.push_back(showMilliseconds(timing.device->median));
      row.push_back(fmt::format("{:.0f}", (timing.call.median - timing.device->median) * 1e6));
    }
    row.push_back(fmt::format("{:.1f}", figures.tokensPerSecond));
    row.push_back(formatBytes(static_cast<uint64_t>(figures.bytes)));
    row.push_back(fmt::format("{:.1f}", figures.bytes / timing.busy() * 1e-9));
    row.push_back(fmt::format("{:.1f}", figures.flops / timing.busy() * (onCuda ? 1e-12 : 1e-9)));
    for (std::string &cell : showFloor(figures))
      row.push_back(std::move(cell));
    table.add(std::move(row));
  }
  return "decode (median of steps, and the times between which 80% of them lie)\n" + table.str();
}

static std::string describePrefill(const BenchResults &results) {
  const Machine &machine = results.machine;
  bool onCuda = machine.isCuda();
  std::vector<std::string> titles = {">tokens", "program", ">ms", ">p10..p90"};
  if (onCuda)
    titles.push_back(">device ms");
  titles.insert(titles.end(), {">tokens/s", onCuda ? ">TFLOP" : ">GFLOP", onCuda ? ">TFLOP/s" : ">GFLOP/s", ">floor ms",
                               ">of floor", "mostly"});
  if (machine.blasRate)
    titles.push_back(">of BLAS");
  if (onCuda && machine.matrixRate > 0)
    titles.insert(titles.end(), {">cuBLAS ms", ">x cuBLAS"});
  Table table(titles);
  double unit = onCuda ? 1e-12 : 1e-9;
  for (const Measurement &measurement : results.prefill) {
    Figures figures(measurement, machine);
    const Timing &timing = measurement.timing;
    std::vector<std::string> row = {fmt::to_string(measurement.tokens), figures.entries};
    if (!measurement.failure.empty()) {
      row.push_back("-");
      table.add(std::move(row));
      continue;
    }
    row.push_back(showMilliseconds(timing.call.median));
    row.push_back(showSpread(timing.call));
    if (timing.device)
      row.push_back(showMilliseconds(timing.device->median));
    row.push_back(fmt::format("{:.1f}", figures.tokensPerSecond));
    row.push_back(fmt::format("{:.3f}", figures.flops * unit));
    row.push_back(fmt::format("{:.1f}", figures.flops / timing.busy() * unit));
    for (std::string &cell : showFloor(figures))
      row.push_back(std::move(cell));
    if (machine.blasRate)
      row.push_back(fmt::format("{:.0f}%", figures.flops / timing.busy() / *machine.blasRate * 100));
    if (measurement.blasSeconds) {
      row.push_back(showMilliseconds(*measurement.blasSeconds));
      row.push_back(fmt::format("{:.2f}", timing.busy() / *measurement.blasSeconds));
    }
    table.add(std::move(row));
  }
  return "prefill (median of runs, and the times between which 80% of them lie)\n" + table.str();
}

static std::string describeFailures(const BenchResults &results) {
  std::string text;
  for (const std::vector<Measurement> *measurements : {&results.decode, &results.prefill})
    for (const Measurement &measurement : *measurements)
      if (!measurement.failure.empty())
        text += fmt::format("  - batch {}, context {}, tokens {}: {}\n", measurement.sequences, measurement.context,
                            measurement.tokens, measurement.failure);
  return text;
}

static std::string explain(const Machine &machine) {
  std::string text =
      "\nfloor: weights read or operations computed, whichever takes longer, then states read and "
      "written, then the KV cache read,\n       at the rates above; 'mostly' is the longest of them; more "
      "than 100% of it: a cache gave more than those rates\n";
  if (machine.isCuda())
    text += "device: steps after each other without a pause; host: what a step takes longer when each waits for its "
            "token\nof floor, GB/s, FLOP/s and x cuBLAS are of the device's time; cuBLAS does the matrix products "
            "alone, as often and as large\n";
  return text;
}

static std::string describeProfiles(const BenchResults &results) {
  std::string text;
  auto add = [&](const Measurement &measurement, const std::string &title) {
    if (measurement.launches.empty())
      return;
    std::vector<KernelProfile> profile =
        makeProfile(measurement.launches, results.metadata, measurement.profiled, results.machine);
    text += fmt::format("\nprofile of {}: kernels by the time lost to their floors\n", title) +
            makeProfileText(profile, measurement.timing.busy(), results.machine);
  };
  for (const Measurement &decode : results.decode)
    add(decode, fmt::format("decode, batch {}, context {}", decode.sequences, decode.context));
  for (const Measurement &prefill : results.prefill)
    add(prefill, fmt::format("prefill, {} tokens", prefill.tokens));
  return text;
}

std::string makeBenchText(const BenchResults &results) {
  const Machine &machine = results.machine;
  std::string text =
      fmt::format("model on {}\n{}\n{}", results.device,
                  machine.isCuda() ? describeGpu(machine) : describeProcessor(machine), describePreparation(results));
  if (!results.decode.empty())
    text += fmt::format("\n{}", describeDecode(results));
  if (!results.prefill.empty())
    text += fmt::format("\n{}", describePrefill(results));
  return text + describeFailures(results) + explain(machine) + describeProfiles(results);
}

} // namespace bambac::run
