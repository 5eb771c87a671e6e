#include "runtime/support/thread_pool.h"
#include "runtime/support/blocked_signals.h"
#include <algorithm>
#include <memory>
#include <sched.h>
#include <unistd.h>

namespace bambac::rt {
namespace {

constexpr uint32_t open = uint32_t{1} << 31;

/// Some tens of microseconds: longer than the gap between two launches, shorter than a user's pause.
constexpr unsigned spinsBeforeSleep = 2000;

} // namespace

ThreadPool::ThreadPool(unsigned threads) : helpers(threads - 1), owner(getpid()) {
  try {
    startHelpers();
  } catch (...) {
    stopHelpers();
    throw;
  }
}

ThreadPool::~ThreadPool() {
  if (owner == getpid())
    stopHelpers();
  else
    forgetHelpers();
}

void ThreadPool::startHelpers() {
  BlockedSignals blocked;
  for (unsigned i = 0; i < helpers.size(); ++i)
    helpers[i] = std::thread([this, i] { help(i + 1); });
}

void ThreadPool::stopHelpers() noexcept {
  stop.store(true);
  regions.fetch_add(1);
  regions.notify_all();
  for (std::thread &helper : helpers)
    if (helper.joinable())
      helper.join();
}

/// The objects name threads of another process: nothing may be done with them but to let go of them.
void ThreadPool::forgetHelpers() noexcept {
  for (std::thread &helper : helpers)
    std::construct_at(&helper);
}

void ThreadPool::restart() noexcept {
  forgetHelpers();
  owner = getpid();
  gate.store(0);
  regions.store(0);
  try {
    startHelpers();
  } catch (...) { // NOLINT(bugprone-empty-catch): with fewer helpers everything is done as well, only later
  }
}

void ThreadPool::run(Body regionBody, void *regionContext) noexcept {
  if (helpers.empty()) {
    regionBody(regionContext, 0);
    return;
  }
  if (owner != getpid())
    restart();
  // Nobody is inside: the last region was left by all. Opening the gate publishes body and context.
  body = regionBody;
  context = regionContext;
  gate.store(open, std::memory_order_release);
  regions.fetch_add(1);
  regions.notify_all();
  regionBody(regionContext, 0);
  gate.fetch_and(~open, std::memory_order_acq_rel);
  spinUntil([this] { return gate.load(std::memory_order_acquire) == 0; });
}

void ThreadPool::help(unsigned thread) noexcept {
  uint32_t seen = 0;
  while (true) {
    for (unsigned i = 0; i < spinsBeforeSleep && regions.load(std::memory_order_relaxed) == seen; ++i)
      pauseThread();
    regions.wait(seen, std::memory_order_acquire);
    seen = regions.load(std::memory_order_acquire);
    if (stop.load(std::memory_order_acquire))
      return;
    // Enter only while the gate is open: once it is closed, the caller may be gone.
    uint32_t state = gate.load(std::memory_order_acquire);
    while ((state & open) && !gate.compare_exchange_weak(state, state + 1, std::memory_order_acq_rel))
      ;
    if (!(state & open))
      continue;
    body(context, thread);
    gate.fetch_sub(1, std::memory_order_release);
  }
}

} // namespace bambac::rt
