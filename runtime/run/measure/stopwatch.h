// Measures the time since its construction.
#ifndef BAMBAC_RUNTIME_RUN_MEASURE_STOPWATCH_H
#define BAMBAC_RUNTIME_RUN_MEASURE_STOPWATCH_H

#include <chrono>

namespace bambac::measure {

class Stopwatch {
public:
  double seconds() const { return std::chrono::duration<double>(Clock::now() - start).count(); }

private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point start = Clock::now();
};

} // namespace bambac::measure

#endif // BAMBAC_RUNTIME_RUN_MEASURE_STOPWATCH_H
