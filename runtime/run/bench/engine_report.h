// What engine-bench has measured, for people and as JSON.
#ifndef BAMBAC_RUNTIME_RUN_BENCH_ENGINE_REPORT_H
#define BAMBAC_RUNTIME_RUN_BENCH_ENGINE_REPORT_H

#include "runtime/run/bench/engine_run.h"
#include "runtime/run/output.h"

#include <string>
#include <vector>

namespace bambac::run {

/// A load on an engine with a prefix cache, or without.
struct MeasuredLoad {
  bool hasPrefixCache;
  EngineRun run;
};

struct EngineReport {
  std::string library;
  std::string device; ///< that the model ran on
  std::vector<MeasuredLoad> runs;
};

std::string makeEngineText(const MeasuredLoad &load);
Json makeEngineJson(const EngineReport &report);

} // namespace bambac::run

#endif // BAMBAC_RUNTIME_RUN_BENCH_ENGINE_REPORT_H
