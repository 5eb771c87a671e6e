// What bench has measured, and how it is shown: as tables for people or as JSON.
#ifndef BAMBAC_RUNTIME_RUN_BENCH_REPORT_H
#define BAMBAC_RUNTIME_RUN_BENCH_REPORT_H

#include "runtime/run/bench/floor.h"
#include "runtime/run/bench/profile.h"
#include "runtime/run/bench/timings.h"

namespace bambac::run {

/// One row: `sequences` times `tokens` new tokens in sequences that held `context` tokens.
struct Measurement {
  uint32_t sequences = 1;
  uint32_t tokens = 1;
  uint32_t context = 0;
  std::string failure; ///< why there is no timing; empty: there is one
  Timing timing;
  std::vector<PlannedRun> plan;
  std::optional<double> blasSeconds;       ///< what cuBLAS takes for the matrix products alone
  std::vector<bamba_launch_time> launches; ///< where a profile was asked for
  std::vector<PlannedRun> profiled;        ///< the plan of what was profiled: a single step or prompt
};

/// What it takes to get ready.
struct Preparation {
  std::string weights; ///< where they are from: "random weights", a path
  double loadSeconds = 0;
  uint64_t weightBytes = 0;
  SessionCost session; ///< the largest of those measured
};

struct BenchResults {
  std::string library;
  std::string device; ///< that the model ran on
  Machine machine;
  Metadata metadata;
  Preparation preparation;
  std::vector<Measurement> decode;
  std::vector<Measurement> prefill;
};

/// What follows from a measurement, its plan and the machine.
struct Figures {
  Figures(const Measurement &measurement, const Machine &machine);

  std::string entries; ///< "2 x prefill_t256 + prefill_t64"
  double bytes = 0;
  double flops = 0;
  double codeFlops = 0; ///< of `flops`
  Floor floor;
  double fraction = 0; ///< of the floor that was reached, 1 at best
  double tokensPerSecond = 0;
};

/// A part of the memory of a model and its session.
struct MemoryPart {
  const char *key;   ///< in JSON
  const char *title; ///< for people
  uint64_t bytes;
};
std::vector<MemoryPart> listMemory(const BenchResults &results);

Json makeBenchJson(const BenchResults &results);
std::string makeBenchText(const BenchResults &results);

} // namespace bambac::run

#endif // BAMBAC_RUNTIME_RUN_BENCH_REPORT_H
