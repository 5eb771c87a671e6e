// Runs a load on an engine of a model, and measures each request.
#ifndef BAMBAC_RUNTIME_RUN_BENCH_ENGINE_RUN_H
#define BAMBAC_RUNTIME_RUN_BENCH_ENGINE_RUN_H

#include "bamba/engine.h"
#include "runtime/run/bench/load.h"
#include "runtime/run/loaded_model.h"

#include <cstddef>
#include <vector>

namespace bambac::run {

/// What came of a load. Times are in seconds.
struct EngineRun {
  std::vector<double> toFirstToken; ///< of each request, from its submission
  std::vector<double> betweenTokens;
  std::vector<double> inAll; ///< of each request
  double seconds = 0;        ///< from the first submission to the last token
  uint64_t tokens = 0;
  bamba_engine_counters counters = {};
};

/// Submits each request at its time, from this thread, and waits for all of them. Tokens are drawn by `sampling`, each
/// request with the next seed. Throws Failure where one fails.
EngineRun runLoad(const LoadedModel &model, const bamba_engine_options &options, const std::vector<LoadRequest> &load,
                  const bamba_sampling &sampling);

} // namespace bambac::run

#endif // BAMBAC_RUNTIME_RUN_BENCH_ENGINE_RUN_H
