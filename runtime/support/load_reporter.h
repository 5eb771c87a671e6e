// Tells the caller of a load how far it is, and the loading thread what went wrong on the others and what they have
// read.
#ifndef BAMBA_RUNTIME_SUPPORT_LOAD_REPORTER_H
#define BAMBA_RUNTIME_SUPPORT_LOAD_REPORTER_H

#include "runtime/include/bamba/bamba.h"
#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>

namespace bambac::rt {

/// Whom to tell about a load; `call` may be null. Called from the loading thread only.
struct Progress {
  bamba_progress call = nullptr;
  void *user = nullptr;
};

/// Counts bytes of weights. A callback that asks to stop, or throws, stops the load, and so does a thread that fails:
/// all threads look at stopped().
class LoadReporter {
public:
  LoadReporter(Progress progress, uint64_t total) : progress(progress), total(total) {}

  /// On any thread.
  void add(uint64_t bytes) { done.fetch_add(bytes, std::memory_order_relaxed); }
  void addSample(uint64_t sample) { samples.fetch_add(sample, std::memory_order_relaxed); }
  bool stopped() const { return stop.load(std::memory_order_relaxed); }

  /// Calls `work` on any thread. Where it throws, the load stops.
  template <typename Work> void attempt(const Work &work) noexcept {
    try {
      work();
    } catch (...) {
      std::lock_guard lock(mutex);
      if (!failure)
        failure = std::current_exception();
      stop = true;
    }
  }

  /// The sum of all samples, whatever thread they are of. Once all threads have ended.
  uint64_t sampleSum() const { return samples; }

  /// Throws what the first attempt() that failed has thrown. Once all threads have ended.
  void rethrow() const {
    if (failure)
      std::rethrow_exception(failure);
  }

  /// On the loading thread only.
  void report() noexcept {
    if (!progress.call || stopped())
      return;
    try {
      if (progress.call(progress.user, done.load(std::memory_order_relaxed), total) != 0)
        stop = true;
    } catch (...) {
      stop = true;
    }
  }

private:
  Progress progress;
  uint64_t total;
  std::atomic<uint64_t> done{0}, samples{0};
  std::atomic<bool> stop{false};
  std::mutex mutex; ///< of `failure`
  std::exception_ptr failure;
};

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_SUPPORT_LOAD_REPORTER_H
