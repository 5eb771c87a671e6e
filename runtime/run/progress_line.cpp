#include "runtime/run/progress_line.h"
#include "runtime/run/format.h"

#include <cstdio>
#include <fmt/format.h>
#include <unistd.h>
#include <utility>

namespace bambac::run {

ProgressLine::ProgressLine(std::string what) : what(std::move(what)), visible(isatty(STDERR_FILENO)) {}

ProgressLine::~ProgressLine() {
  if (drawn)
    std::fputs("\r\033[K", stderr);
}

void ProgressLine::update(uint64_t done, uint64_t total) {
  constexpr auto interval = std::chrono::milliseconds(100);
  constexpr int width = 30;
  if (!visible || total == 0)
    return;
  // A thread that finds another one drawing has better things to do than to wait.
  std::unique_lock lock(mutex, std::try_to_lock);
  Clock::time_point now = Clock::now();
  if (!lock || now - lastDrawn < interval)
    return;
  lastDrawn = now;
  drawn = true;
  double part = static_cast<double>(done) / static_cast<double>(total);
  double seconds = std::chrono::duration<double>(now - start).count();
  int filled = static_cast<int>(part * width);
  std::string line = fmt::format("\r\033[K{} [{:#<{}}{:.<{}}] {:3.0f}%  {} of {}  {}/s", what, "", filled, "",
                                 width - filled, part * 100, formatBytes(done), formatBytes(total),
                                 formatBytes(static_cast<uint64_t>(static_cast<double>(done) / seconds)));
  std::fputs(line.c_str(), stderr); // what cannot be shown is no failure
  std::fflush(stderr);
}

} // namespace bambac::run
