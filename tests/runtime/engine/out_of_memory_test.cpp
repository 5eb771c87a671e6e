// An engine whose thread gets no memory now and then, or for a while: no event is lost, and the process goes on.

#include "tests/runtime/engine/engine_checks.h"
#include <array>
#include <atomic>
#include <cstdlib>
#include <new>
#include <thread>

namespace {

/// Each allocation of this number fails, on all threads but that of the test; 0: none.
std::atomic<unsigned> failingPeriod = 0;
std::atomic<unsigned> allocations = 0;
thread_local bool isSpared = false;

} // namespace

void *operator new(std::size_t size) {
  unsigned period = failingPeriod;
  if (period > 0 && !isSpared && ++allocations % period == 0)
    throw std::bad_alloc();
  if (void *memory = std::malloc(size))
    return memory;
  throw std::bad_alloc();
}
void *operator new(std::size_t size, const std::nothrow_t &) noexcept { return std::malloc(size); }
void operator delete(void *memory) noexcept { std::free(memory); }
void operator delete(void *memory, std::size_t) noexcept { std::free(memory); }

using namespace bambac::rt;
using namespace bambac::rt::toy;

namespace {

class OutOfMemoryTest : public AheadOrNotTest {
protected:
  OutOfMemoryTest() { isSpared = true; }
  ~OutOfMemoryTest() override { failingPeriod = 0; }

  static bamba_engine_options options() {
    bamba_engine_options options = engineOptions(4, 14, 6); // some are preempted
    options.prefix_cache = BAMBA_PREFIX_CACHE_ON;
    options.snapshot_interval = 4;
    options.cache_host_bytes = 8 << 10;
    return options;
  }
};

/// Takes events without memory of its own.
struct Counted {
  std::atomic<int> tokens = 0, ends = 0;

  static void take(void *user, const bamba_engine_event *event) {
    auto &own = *static_cast<Counted *>(user);
    own.tokens += event->token >= 0;
    own.ends += event->finish != BAMBA_FINISH_NONE;
  }
};

INSTANTIATE_TEST_SUITE_P(Engine, OutOfMemoryTest, testing::Bool(), aheadOrNot);

} // namespace

TEST_P(OutOfMemoryTest, NoEventIsLost) {
  constexpr unsigned count = 120;
  uint64_t finished = 0, failed = 0;
  for (unsigned period : {3U, 20U, 150U}) {
    Engine engine(*model, sized(options()));
    std::array<Counted, count / 3> counted;
    failingPeriod = period;
    std::map<bamba_request, unsigned> seeds;
    for (unsigned i = 0; i < count; ++i) {
      Numbers prompt = someTokens(i % 20, 1 + i % 15);
      bamba_request_options asked = request(prompt, 12);
      asked.logprobs = 1;
      asked.top_logprobs = 3;
      if (i % 3 == 0) {
        asked.callback = Counted::take;
        asked.user = &counted[i / 3];
      }
      bamba_request id = submit(engine, asked);
      if (i % 3 != 0)
        seeds[id] = i;
    }
    std::map<bamba_request, Answer> answers = waitAll(engine, seeds.size());
    EXPECT_EQ(engine.drain(UINT32_MAX), 0u);
    failingPeriod = 0;
    for (const auto &[id, i] : seeds) {
      const Answer &answer = answers[id];
      Numbers expected = expectedAnswer(someTokens(i % 20, 1 + i % 15), 12);
      EXPECT_TRUE(std::ranges::equal(answer.tokens, std::span(expected).first(answer.tokens.size())));
      if (answer.last.finish == BAMBA_FINISH_ERROR)
        EXPECT_EQ(answer.last.status, BAMBA_OUT_OF_MEMORY);
      else
        EXPECT_EQ(answer.tokens.size(), 12u);
    }
    for (const Counted &one : counted)
      EXPECT_EQ(one.ends, 1);
    bamba_engine_counters counters = engine.counters();
    EXPECT_EQ(counters.finished + counters.failed, count);
    finished += counters.finished;
    failed += counters.failed;
  }
  EXPECT_GT(finished, 0u);
  EXPECT_GT(failed, 0u);
}

TEST_P(OutOfMemoryTest, AnEngineWaitsForMemory) {
  Engine engine(*model, sized(options()));
  Numbers prompt = someTokens(1, 9);
  failingPeriod = 1;
  std::map<bamba_request, Answer> answers;
  for (int i = 0; i < 12; ++i)
    answers[submit(engine, request(prompt, 12))];
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  failingPeriod = 0;
  answers = waitAll(engine, answers.size());
  EXPECT_EQ(wait(engine, submit(engine, request(prompt, 12))).tokens, expectedAnswer(prompt, 12));
}
