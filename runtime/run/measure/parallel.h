// Runs one function on several threads at once, the caller's among them.
#ifndef BAMBAC_RUNTIME_RUN_MEASURE_PARALLEL_H
#define BAMBAC_RUNTIME_RUN_MEASURE_PARALLEL_H

#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace bambac::measure {

/// Calls work(0), ..., work(count - 1), each on its own thread, and waits for all of them. Throws what the first that
/// failed has thrown.
template <typename Work> void onThreads(unsigned count, Work work) {
  std::mutex mutex;
  std::exception_ptr failure;
  auto guarded = [&](unsigned index) {
    try {
      work(index);
    } catch (...) {
      std::lock_guard lock(mutex);
      if (!failure)
        failure = std::current_exception();
    }
  };
  {
    std::vector<std::jthread> threads;
    for (unsigned index = 1; index < count; ++index)
      threads.emplace_back(guarded, index);
    guarded(0);
  }
  if (failure)
    std::rethrow_exception(failure);
}

} // namespace bambac::measure

#endif // BAMBAC_RUNTIME_RUN_MEASURE_PARALLEL_H
