// Threads that are ready to compute: the caller and its helpers work through one region of work at a time.
#ifndef BAMBA_RUNTIME_SUPPORT_THREAD_POOL_H
#define BAMBA_RUNTIME_SUPPORT_THREAD_POOL_H

#include <atomic>
#include <cstdint>
#include <sys/types.h>
#include <thread>
#include <vector>

namespace bambac::rt {

/// Tells the processor that the thread is spinning.
inline void pauseThread() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

/// Spins until `done()`; on a machine with more threads than processors it gives way to the one it waits for.
template <typename Done> void spinUntil(const Done &done) {
  for (unsigned i = 0; !done(); ++i) {
    if (i < 4000)
      pauseThread();
    else
      std::this_thread::yield();
  }
}

/// A pool of `size() - 1` helpers and the thread that calls run(). Used by one thread at a time; several pools can
/// work at the same time. Helpers spin for some microseconds after a region and then sleep.
///
/// In a region the caller and every helper that wakes up in time run the same body, which hands out its work by an
/// atomic counter. The caller does not wait for a helper that has not arrived: a helper that the system gave no
/// processor delays nobody, and what is computed must not depend on how many came. A launch takes no lock and allocates
/// nothing.
///
/// Helpers do not come along into a child that the process forks while no region runs: there the pool starts new ones
/// for its first region, and waits for none where it is destroyed.
class ThreadPool {
public:
  /// `thread` is below size(); 0 is the caller. A helper may run the body twice in one region.
  using Body = void (*)(void *context, unsigned thread) noexcept;

  /// Throws std::system_error where the system refuses a thread; `threads` is at least 1. Signals are blocked in
  /// helpers.
  explicit ThreadPool(unsigned threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool &) = delete;
  ThreadPool &operator=(const ThreadPool &) = delete;

  unsigned size() const { return static_cast<unsigned>(helpers.size()) + 1; }

  /// Runs one region; returns when every thread has left it. All that they wrote is then visible to the caller.
  void run(Body body, void *context) noexcept;

  /// Calls function(index, thread) once for each index below `count`, in any order. `function` must not throw.
  template <typename Function> void forEach(uint64_t count, const Function &function) noexcept;

private:
  void help(unsigned thread) noexcept;
  void startHelpers();
  void stopHelpers() noexcept;
  void forgetHelpers() noexcept;
  void restart() noexcept;

  Body body = nullptr;
  void *context = nullptr;
  /// Bit 31: the region is open; below it, how many helpers are inside.
  alignas(64) std::atomic<uint32_t> gate{0};
  /// Counts the regions; sleeping helpers wait for it to change.
  alignas(64) std::atomic<uint32_t> regions{0};
  std::atomic<bool> stop{false};
  std::vector<std::thread> helpers;
  pid_t owner; ///< the process that the helpers are threads of
};

template <typename Function> void ThreadPool::forEach(uint64_t count, const Function &function) noexcept {
  struct Work {
    const Function &function;
    uint64_t count;
    alignas(64) std::atomic<uint64_t> next{0};
  } work{function, count};
  // NOLINTNEXTLINE(bugprone-exception-escape): a function that throws ends the program, as forEach says
  auto drain = [](void *context, unsigned thread) noexcept {
    Work &work = *static_cast<Work *>(context);
    while (work.next.load(std::memory_order_relaxed) < work.count) {
      uint64_t index = work.next.fetch_add(1, std::memory_order_relaxed);
      if (index < work.count)
        work.function(index, thread);
    }
  };
  if (count > 1)
    run(drain, &work);
  else
    drain(&work, 0);
}

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_SUPPORT_THREAD_POOL_H
