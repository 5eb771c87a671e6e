#include "runtime/run/bench/report.h"

namespace bambac::run {

/// Changes when a field changes its meaning or goes; new fields leave it as it is. docs/json-output.md lists the
/// fields.
static constexpr int benchSchema = 1;

static Json describeBandwidth(const measure::Bandwidth &bandwidth) {
  return {{"buffer_bytes", bandwidth.bufferBytes}, {"gbytes_per_second", bandwidth.bytesPerSecond * 1e-9}};
}

static Json describeMachine(const Machine &machine) {
  Json json = Json::object();
  if (machine.isCuda())
    json["multiprocessors"] = machine.multiprocessors;
  else
    json["threads"] = machine.threads;
  json["memory_read"] = describeBandwidth(machine.memory);
  if (machine.weights)
    json["weight_sized_read"] = describeBandwidth(*machine.weights);
  if (machine.copy)
    json["memory_copy"] = describeBandwidth(*machine.copy);
  if (machine.matrixRate > 0)
    json["matrix_gflops_per_second"] = machine.matrixRate * 1e-9;
  if (machine.codeRate > 0)
    json["fp8_matrix_gflops_per_second"] = machine.codeRate * 1e-9;
  else if (!machine.noCodeRate.empty())
    json["no_fp8_matrix_rate"] = machine.noCodeRate;
  if (machine.isCuda())
    json["blas"] = machine.blas;
  if (machine.blasRate)
    json["blas_gflops_per_second"] = *machine.blasRate * 1e-9;
  return json;
}

static Json describePreparation(const BenchResults &results) {
  const Preparation &preparation = results.preparation;
  Json memory = Json::object();
  for (const MemoryPart &part : listMemory(results))
    memory[part.key] = part.bytes;
  return {{"weights", preparation.weights},
          {"load_seconds", preparation.loadSeconds},
          {"load_gbytes_per_second", static_cast<double>(preparation.weightBytes) / preparation.loadSeconds * 1e-9},
          {"session_seconds", preparation.session.seconds},
          {"session_slots", preparation.session.slots},
          {"session_pages", preparation.session.pages},
          {"memory_bytes", memory},
          {"device_bytes_in_use", preparation.session.deviceBytes}};
}

static Json describeSpread(const Spread &spread) {
  return {{"median", spread.median * 1e3}, {"min", spread.min * 1e3}, {"p10", spread.p10 * 1e3},
          {"p90", spread.p90 * 1e3},       {"max", spread.max * 1e3}, {"samples", spread.samples}};
}

static Json describeMeasurement(const Measurement &measurement, const BenchResults &results) {
  const Machine &machine = results.machine;
  Figures figures(measurement, machine);
  Json json = {{"batch", measurement.sequences},
               {"tokens", measurement.tokens},
               {"context", measurement.context},
               {"entry_points", figures.entries},
               {"runs", measurement.plan.size()},
               {"bytes", figures.bytes},
               {"flops", figures.flops},
               {"floor_ms", figures.floor.seconds() * 1e3},
               {"floor_parts_ms",
                {{"weights", figures.floor.weights * 1e3},
                 {"arithmetic", figures.floor.arithmetic * 1e3},
                 {"states", figures.floor.states * 1e3},
                 {"kv_cache", figures.floor.context * 1e3}}},
               {"bound", figures.floor.mostly()}};
  if (!measurement.failure.empty()) {
    json["failure"] = measurement.failure;
    return json;
  }
  const Timing &timing = measurement.timing;
  json["ms"] = describeSpread(timing.call);
  if (timing.device)
    json["device_ms"] = describeSpread(*timing.device);
  json["tokens_per_second"] = figures.tokensPerSecond;
  json["gbytes_per_second"] = figures.bytes / timing.busy() * 1e-9;
  json["gflops_per_second"] = figures.flops / timing.busy() * 1e-9;
  json["fraction_of_floor"] = figures.fraction;
  json["fraction_of_read_bandwidth"] = figures.bytes / timing.busy() / machine.readRate();
  if (machine.matrixRate > 0)
    json["fraction_of_matrix_rate"] = machine.arithmeticSeconds(figures.flops, figures.codeFlops) / timing.busy();
  if (machine.blasRate)
    json["fraction_of_blas_rate"] = figures.flops / timing.busy() / *machine.blasRate;
  if (measurement.blasSeconds) {
    json["cublas_ms"] = *measurement.blasSeconds * 1e3;
    json["times_cublas"] = timing.busy() / *measurement.blasSeconds;
  }
  if (!measurement.launches.empty())
    json["kernels"] =
        makeProfileJson(makeProfile(measurement.launches, results.metadata, measurement.profiled, machine));
  return json;
}

Json makeBenchJson(const BenchResults &results) {
  Json json = {{"schema_version", benchSchema},
               {"library", results.library},
               {"device", results.device},
               {"machine", describeMachine(results.machine)},
               {"model", describePreparation(results)},
               {"decode", Json::array()},
               {"prefill", Json::array()}};
  for (const Measurement &measurement : results.decode)
    json["decode"].push_back(describeMeasurement(measurement, results));
  for (const Measurement &measurement : results.prefill)
    json["prefill"].push_back(describeMeasurement(measurement, results));
  return json;
}

} // namespace bambac::run
