// The largest batch that fits into the memory of a device.
#ifndef BAMBAC_RUNTIME_RUN_BENCH_FIT_H
#define BAMBAC_RUNTIME_RUN_BENCH_FIT_H

#include "runtime/run/bench/timings.h"

#include <functional>

namespace bambac::run {

/// The largest number from 1 to `most` for which `fits` is true, where it is true for all that are smaller; 0: none.
uint32_t findLargest(uint32_t most, const std::function<bool(uint32_t)> &fits);

/// Sequences that can hold `context` tokens each and be continued as timeDecode does: as many as a session has memory
/// for, up to what the library was compiled for. 1 where there is no memory for one: timing it says why.
uint32_t findLargestBatch(const Bench &bench, uint32_t context, uint32_t steps);

} // namespace bambac::run

#endif // BAMBAC_RUNTIME_RUN_BENCH_FIT_H
