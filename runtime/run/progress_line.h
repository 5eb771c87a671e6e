// A progress bar on stderr, drawn only where stderr is a terminal.
#ifndef BAMBAC_RUNTIME_RUN_PROGRESS_LINE_H
#define BAMBAC_RUNTIME_RUN_PROGRESS_LINE_H

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>

namespace bambac::run {

/// Any thread may report; the bar is redrawn a few times a second and wiped at the end.
class ProgressLine {
public:
  explicit ProgressLine(std::string what);
  ~ProgressLine();
  ProgressLine(const ProgressLine &) = delete;
  ProgressLine &operator=(const ProgressLine &) = delete;

  /// `done` of `total` bytes are there.
  void update(uint64_t done, uint64_t total);

private:
  using Clock = std::chrono::steady_clock;

  std::string what;
  bool visible;
  bool drawn = false;
  std::mutex mutex;
  Clock::time_point start = Clock::now();
  Clock::time_point lastDrawn = start;
};

} // namespace bambac::run

#endif // BAMBAC_RUNTIME_RUN_PROGRESS_LINE_H
