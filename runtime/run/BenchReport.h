// Shows what bench has measured, as a table or as JSON.
#ifndef BAMBAC_RUNTIME_RUN_BENCHREPORT_H
#define BAMBAC_RUNTIME_RUN_BENCHREPORT_H

#include "runtime/run/BenchFloor.h"
#include "runtime/run/BenchTimings.h"

namespace bambac::run {

/// One row: `sequences` times `tokens` new tokens in sequences that held `context` tokens.
struct Measurement {
  uint32_t sequences = 1;
  uint32_t tokens = 1;
  uint32_t context = 0;
  Timing timing;
  std::vector<PlannedRun> plan;
};

struct BenchResults {
  std::string library;
  Machine machine;
  std::vector<Measurement> decode;
  std::vector<Measurement> prefill;
};

Json makeBenchJson(const BenchResults &results);
std::string makeBenchText(const BenchResults &results);

} // namespace bambac::run

#endif // BAMBAC_RUNTIME_RUN_BENCHREPORT_H
