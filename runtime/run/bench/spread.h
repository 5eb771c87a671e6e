// The middle of what was measured several times, and how far the rest lies from it.
#ifndef BAMBAC_RUNTIME_RUN_BENCH_SPREAD_H
#define BAMBAC_RUNTIME_RUN_BENCH_SPREAD_H

#include "runtime/support/median.h"

#include <cmath>
#include <cstddef>
#include <vector>

namespace bambac::run {

/// Seconds. p10 and p90 are samples (the nearest rank), so that of few samples they are the smallest and the largest.
struct Spread {
  double median = 0;
  double min = 0, p10 = 0, p90 = 0, max = 0;
  size_t samples = 0;
};

/// Of at least one sample.
inline Spread spreadOf(std::vector<double> samples) {
  std::ranges::sort(samples);
  auto rank = [&](double share) {
    return samples[static_cast<size_t>(std::ceil(share * static_cast<double>(samples.size()))) - 1];
  };
  return {rt::medianOf(samples), samples.front(), rank(0.1), rank(0.9), samples.back(), samples.size()};
}

} // namespace bambac::run

#endif // BAMBAC_RUNTIME_RUN_BENCH_SPREAD_H
