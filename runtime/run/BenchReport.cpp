#include "runtime/run/BenchReport.h"
#include "runtime/run/Format.h"
#include "runtime/run/Table.h"

#include <fmt/format.h>

namespace bambac::run {
namespace {

/// What follows from a measurement, its plan and the machine.
struct Figures {
  Figures(const Measurement &measurement, const Machine &machine);

  std::string entries; ///< "2 x prefill_t256 + prefill_t64"
  double bytes = 0;
  double flops = 0;
  double floor = 0;    ///< seconds
  double fraction = 0; ///< of the floor that was reached, 1 at best
  double tokensPerSecond = 0;
  bool memoryBound = false;
};

} // namespace

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
    bytes += run.bytes;
    flops += run.flops;
    floor += run.floorSeconds(machine);
  }
  fraction = floor / measurement.timing.median;
  double tokens = static_cast<double>(measurement.sequences) * measurement.tokens;
  tokensPerSecond = tokens / measurement.timing.median;
  memoryBound = bytes / machine.bandwidth() > flops / machine.matrixRate;
}

static Json describeBandwidth(const Bandwidth &bandwidth) {
  return {{"buffer_bytes", bandwidth.bufferBytes}, {"gbytes_per_second", bandwidth.bytesPerSecond * 1e-9}};
}

static Json describeMeasurement(const Measurement &measurement, const Machine &machine) {
  Figures figures(measurement, machine);
  double seconds = measurement.timing.median;
  Json json = {{"batch", measurement.sequences},
               {"tokens", measurement.tokens},
               {"context", measurement.context},
               {"entry_points", figures.entries},
               {"runs", measurement.plan.size()},
               {"samples", measurement.timing.samples},
               {"ms", seconds * 1e3},
               {"best_ms", measurement.timing.best * 1e3},
               {"tokens_per_second", figures.tokensPerSecond},
               {"bytes", figures.bytes},
               {"flops", figures.flops},
               {"gbytes_per_second", figures.bytes / seconds * 1e-9},
               {"gflops_per_second", figures.flops / seconds * 1e-9},
               {"floor_ms", figures.floor * 1e3},
               {"bound", figures.memoryBound ? "memory" : "compute"},
               {"fraction_of_floor", figures.fraction},
               {"fraction_of_read_bandwidth", figures.bytes / seconds / machine.bandwidth()},
               {"fraction_of_matrix_rate", figures.flops / seconds / machine.matrixRate}};
  if (machine.blasRate)
    json["fraction_of_blas_rate"] = figures.flops / seconds / *machine.blasRate;
  return json;
}

Json makeBenchJson(const BenchResults &results) {
  const Machine &machine = results.machine;
  Json rates = {{"threads", machine.threads}, {"memory_read", describeBandwidth(machine.memory)}};
  if (machine.weights)
    rates["weight_sized_read"] = describeBandwidth(*machine.weights);
  rates["matrix_gflops_per_second"] = machine.matrixRate * 1e-9;
  if (machine.blasRate)
    rates["blas_gflops_per_second"] = *machine.blasRate * 1e-9;

  Json json = {{"library", results.library}, {"machine", rates}, {"decode", Json::array()}, {"prefill", Json::array()}};
  for (const Measurement &measurement : results.decode)
    json["decode"].push_back(describeMeasurement(measurement, machine));
  for (const Measurement &measurement : results.prefill)
    json["prefill"].push_back(describeMeasurement(measurement, machine));
  return json;
}

static std::string describeMachine(const Machine &machine) {
  auto describeRead = [](const Bandwidth &bandwidth) {
    return fmt::format("{:.1f} GB/s", bandwidth.bytesPerSecond * 1e-9);
  };
  auto describeRate = [](double rate) { return fmt::format("{:.1f} GFLOP/s", rate * 1e-9); };
  Table table({"", ">", ""});
  table.add({"read bandwidth", describeRead(machine.memory),
             fmt::format("buffer of {}, which no cache holds", formatBytes(machine.memory.bufferBytes))});
  if (machine.weights)
    table.add({"", describeRead(*machine.weights),
               fmt::format("buffer of {}, as large as the weights", formatBytes(machine.weights->bufferBytes))});
  table.add({"f32 matrix rate", describeRate(machine.matrixRate), "multiply-adds on operands in cache"});
  if (machine.blasRate)
    table.add({"", describeRate(*machine.blasRate), "OpenBLAS, 1024 x 1024 x 1024"});
  return fmt::format("machine ({} thread{})\n", machine.threads, machine.threads == 1 ? "" : "s") + table.str();
}

static std::string describeRows(const std::vector<Measurement> &measurements, const Machine &machine, bool isDecode) {
  std::vector<std::string> titles = isDecode ? std::vector<std::string>{">batch", ">context", "program", ">ms/step"}
                                             : std::vector<std::string>{">tokens", "program", ">ms"};
  for (const char *title : {">tokens/s", ">reads", ">GFLOP", ">GB/s", ">GFLOP/s", ">floor ms", ">of floor", "bound by"})
    titles.push_back(title);
  if (machine.blasRate && !isDecode)
    titles.push_back(">of BLAS");
  Table table(titles);
  for (const Measurement &measurement : measurements) {
    Figures figures(measurement, machine);
    double seconds = measurement.timing.median;
    std::vector<std::string> row = {fmt::to_string(isDecode ? measurement.sequences : measurement.tokens)};
    if (isDecode)
      row.push_back(fmt::to_string(measurement.context));
    for (std::string cell :
         {figures.entries, fmt::format("{:.3f}", seconds * 1e3), fmt::format("{:.1f}", figures.tokensPerSecond),
          formatBytes(static_cast<uint64_t>(figures.bytes)), fmt::format("{:.3f}", figures.flops * 1e-9),
          fmt::format("{:.1f}", figures.bytes / seconds * 1e-9), fmt::format("{:.1f}", figures.flops / seconds * 1e-9),
          fmt::format("{:.3f}", figures.floor * 1e3), fmt::format("{:.0f}%", figures.fraction * 100),
          std::string(figures.memoryBound ? "reads" : "arithmetic")})
      row.push_back(std::move(cell));
    if (machine.blasRate && !isDecode)
      row.push_back(fmt::format("{:.0f}%", figures.flops / seconds / *machine.blasRate * 100));
    table.add(std::move(row));
  }
  return table.str();
}

std::string makeBenchText(const BenchResults &results) {
  std::string text = describeMachine(results.machine);
  if (!results.decode.empty())
    text += "\ndecode (median of steps)\n" + describeRows(results.decode, results.machine, true);
  if (!results.prefill.empty())
    text += "\nprefill (median of runs)\n" + describeRows(results.prefill, results.machine, false);
  return text;
}

} // namespace bambac::run
