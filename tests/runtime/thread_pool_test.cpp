// The thread pool: every index once, pools at the same time, and visibility of what helpers wrote.

#include "runtime/support/thread_pool.h"
#include <gtest/gtest.h>
#include <numeric>
#include <thread>

using namespace bambac::rt;

namespace {

/// Runs many regions of different sizes and counts how often each index came.
void exercise(ThreadPool &pool, int regions) {
  for (int region = 0; region < regions; ++region) {
    std::vector<int> seen(static_cast<size_t>(region % 97));
    pool.forEach(seen.size(), [&](uint64_t index, unsigned thread) {
      ASSERT_LT(thread, pool.size());
      ++seen[index];
    });
    ASSERT_EQ(std::accumulate(seen.begin(), seen.end(), 0), region % 97);
    for (int count : seen)
      ASSERT_EQ(count, 1);
  }
}

} // namespace

TEST(ThreadPool, RunsEveryIndexOnce) {
  for (unsigned threads : {1u, 2u, 5u}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.size(), threads);
    exercise(pool, 2000);
  }
}

TEST(ThreadPool, WakesHelpersThatSleep) {
  ThreadPool pool(3);
  for (int i = 0; i < 5; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    exercise(pool, 3);
  }
}

TEST(ThreadPool, HelpersTakePart) {
  ThreadPool pool(2);
  std::atomic<bool> helped = false;
  // The caller stays in the region until the helper has come; it comes, because nothing else ends the wait.
  pool.forEach(2, [&](uint64_t, unsigned thread) {
    if (thread == 0)
      spinUntil([&] { return helped.load(); });
    helped = true;
  });
  EXPECT_TRUE(helped);
}

TEST(ThreadPool, TwoPoolsWorkSideBySide) {
  std::thread other([] {
    ThreadPool pool(2);
    exercise(pool, 1000);
  });
  ThreadPool pool(2);
  exercise(pool, 1000);
  other.join();
}

TEST(ThreadPool, StartsAndStopsWithoutWork) {
  for (int i = 0; i < 50; ++i)
    ThreadPool pool(4);
}
