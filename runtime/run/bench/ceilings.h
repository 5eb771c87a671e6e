// Measures what the machine that a model runs on can do at best.
#ifndef BAMBAC_RUNTIME_RUN_BENCH_CEILINGS_H
#define BAMBAC_RUNTIME_RUN_BENCH_CEILINGS_H

#include "runtime/run/bench/floor.h"
#include "runtime/run/measure/cublas.h"

namespace bambac::run {

/// Bandwidths, on top of those that `machine` has already: neighbours take bandwidth away, never add to it, so that the
/// best of several measurements is nearest to the truth. `gpu` is null for the processor.
void measureMemory(Machine &machine, const Metadata &metadata, const measure::Gpu *gpu);

/// What can be multiplied a second; `cublas` may be null. Competes for processors, so no model should be open.
void measureArithmetic(Machine &machine, const measure::Gpu *gpu, const measure::Cublas *cublas);

/// The matrix products of `plan`: every packed weight once a run with the run's tokens, the head with its last one.
std::vector<measure::Gemm> listGemms(const Metadata &metadata, const PlannedRun &run);

} // namespace bambac::run

#endif // BAMBAC_RUNTIME_RUN_BENCH_CEILINGS_H
