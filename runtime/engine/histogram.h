// The numbers that an engine counts over time: histograms of seconds, and a rate over the last ten.
#ifndef BAMBA_RUNTIME_ENGINE_HISTOGRAM_H
#define BAMBA_RUNTIME_ENGINE_HISTOGRAM_H

#include "runtime/include/bamba/engine.h"
#include <algorithm>
#include <array>
#include <cstdint>

namespace bambac::rt {

/// Counts one measurement.
inline void observe(bamba_histogram &histogram, double seconds) {
  unsigned bucket = 0;
  double bound = 1e-4;
  while (seconds > bound && bucket < BAMBA_HISTOGRAM_BUCKETS - 1) {
    ++bucket;
    bound *= 2;
  }
  ++histogram.buckets[bucket];
  ++histogram.count;
  histogram.sum += seconds;
}

/// How much came in over the last ten seconds.
class RecentRate {
public:
  /// `now` is in seconds and never less than before.
  void add(double now, uint64_t amount) {
    advance(now);
    amounts[second % window] += amount;
  }

  /// Amount a second: over the last ten, or since 0 where that is less.
  double perSecond(double now) {
    advance(now);
    uint64_t sum = 0;
    for (uint64_t amount : amounts)
      sum += amount;
    double begin = second < window ? 0 : static_cast<double>(second - window + 1);
    return now > begin ? static_cast<double>(sum) / (now - begin) : 0;
  }

private:
  static constexpr uint64_t window = 10;

  void advance(double now) {
    uint64_t next = std::max(second, static_cast<uint64_t>(now));
    for (uint64_t gone = second + 1; gone <= std::min(next, second + window); ++gone)
      amounts[gone % window] = 0;
    second = next;
  }

  std::array<uint64_t, window> amounts = {}; ///< of each of the last seconds
  uint64_t second = 0;
};

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_ENGINE_HISTOGRAM_H
