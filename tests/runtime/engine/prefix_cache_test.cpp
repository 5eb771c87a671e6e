// Prompts with a common beginning: what is not run again, what that takes, and that answers stay the same.

#include "runtime/host/sample.h"
#include "tests/runtime/engine/engine_checks.h"

using namespace bambac::rt;
using namespace bambac::rt::toy;

namespace {

Numbers operator+(Numbers a, const Numbers &b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

/// The logarithm of the probability of the greedy token after a prompt.
float expectedLogprob(const Numbers &prompt) {
  std::vector<float> logits = expectedLogits(prompt).back(), scratch(vocab);
  bamba_rt_sampling sampling = {};
  sampling.flags = BAMBA_RT_SAMPLING_LOGPROBS;
  bamba_rt_sample sample = {};
  bambac_sample_row(logits.data(), vocab, argmax(logits), 0, &sampling, &sample, scratch.data());
  return sample.logprob;
}

class PrefixCacheTest : public AheadOrNotTest {
protected:
  /// An engine whose states are eight tokens apart.
  Engine &start(uint64_t deviceBytes = 0, uint64_t hostBytes = 0, uint32_t slots = 2, uint64_t pages = 0) {
    bamba_engine_options options = engineOptions(slots, pages);
    options.prefix_cache = BAMBA_PREFIX_CACHE_ON;
    options.snapshot_interval = 8;
    options.cache_device_bytes = deviceBytes;
    options.cache_host_bytes = hostBytes;
    engine.emplace(*model, sized(options));
    return *engine;
  }

  /// Expects the right answer, with the right log-probability of its first token, and so many tokens from the cache.
  void expectCached(const Numbers &prompt, uint32_t cached) {
    bamba_request_options options = request(prompt, 3);
    options.logprobs = 1;
    bamba_request id = submit(*engine, options);
    float first = 0;
    Answer answer;
    while (answer.last.finish == BAMBA_FINISH_NONE)
      for (const bamba_engine_event &event : engine->poll(id, 1, UINT32_MAX)) {
        if (event.index == 0)
          first = event.logprob;
        take(answer, event);
      }
    EXPECT_EQ(answer.tokens, expectedAnswer(prompt, 3));
    EXPECT_EQ(first, expectedLogprob(prompt));
    EXPECT_EQ(answer.last.cached_tokens, cached);
  }

  const uint64_t slotBytes = stateBytes(toyTable, BAMBA_RT_STATE_SLOT),
                 pageBytes = stateBytes(toyTable, BAMBA_RT_STATE_PAGE);
  std::optional<Engine> engine;
};

INSTANTIATE_TEST_SUITE_P(Engine, PrefixCacheTest, testing::Bool(), aheadOrNot);

} // namespace

TEST_P(PrefixCacheTest, TheLongestStoredPrefixIsTaken) {
  start();
  Numbers shared = someTokens(1, 19);
  expectCached(shared + Numbers{3, 4}, 0);
  expectCached(shared + Numbers{5}, 16);          // a multiple of the interval; now there is a state where both part
  expectCached(shared + Numbers{6, 7}, 19);       // at its exact length
  expectCached(shared + Numbers{3, 4, 9, 9}, 21); // the end of the first prompt
  expectCached(Numbers{10, 10}, 0);
  bamba_engine_counters counters = engine->counters();
  EXPECT_EQ(counters.cache_lookups, 5u);
  EXPECT_EQ(counters.cache_hits, 3u);
  EXPECT_EQ(counters.cached_tokens, 16u + 19 + 21);
}

TEST_P(PrefixCacheTest, AnswersAreContinued) {
  start();
  Numbers prompt = someTokens(2, 6), answer = expectedAnswer(prompt, 3);
  expectCached(prompt, 0);
  // The last token of an answer was not run.
  expectCached(prompt + answer + Numbers{1}, 8);
}

TEST_P(PrefixCacheTest, AnswersThatStopAreContinued) {
  start();
  Numbers prompt = someTokens(2, 6), answer = expectedAnswer(prompt, 1);
  bamba_request_options options = request(prompt, 5);
  options.stop_tokens = answer.data();
  options.num_stop_tokens = 1;
  EXPECT_EQ(wait(*engine, submit(*engine, options)).last.finish, BAMBA_FINISH_STOP_TOKEN);
  // The step that was launched ahead has run the stop token, too, and nothing after it.
  expectCached(prompt + answer + Numbers{1}, GetParam() ? 7 : 6);
}

TEST_P(PrefixCacheTest, TheSamePromptAgain) {
  start();
  Numbers prompt = someTokens(4, 15);
  expectCached(prompt, 0);
  expectCached(prompt, 8);  // all but the last token are run, and kept
  expectCached(prompt, 14); // the last token is always run
}

TEST_P(PrefixCacheTest, ARequestCanDoWithout) {
  start();
  Numbers prompt = someTokens(1, 20);
  bamba_request_options options = request(prompt, 2);
  options.no_prefix_cache = 1;
  wait(*engine, submit(*engine, options));
  EXPECT_EQ(engine->counters().cache_entries, 0u);
  expectCached(prompt, 0);
  EXPECT_EQ(wait(*engine, submit(*engine, options)).last.cached_tokens, 0u);
  EXPECT_EQ(engine->counters().cache_lookups, 1u);
}

TEST_P(PrefixCacheTest, TheBudgetOfTheDeviceIsKept) {
  uint64_t budget = 3 * (slotBytes + 2 * pageBytes);
  start(budget);
  for (unsigned i = 0; i < 12; ++i) {
    expectCached(Numbers{static_cast<int32_t>(i % 11)} + someTokens(i, 20), 0);
    EXPECT_LE(engine->counters().cache_device_bytes, budget);
  }
  bamba_engine_counters counters = engine->counters();
  EXPECT_GT(counters.cache_evictions, 0u);
  EXPECT_GT(counters.cache_entries, 0u);
  EXPECT_EQ(counters.cache_host_bytes, 0u);
}

TEST_P(PrefixCacheTest, StatesGoToTheHostAndComeBack) {
  uint64_t budget = 8 << 10;
  start(slotBytes + 2 * pageBytes, budget, 1); // one short state on the device
  Numbers first = someTokens(1, 21), second = someTokens(2, 21);
  expectCached(first, 0);
  expectCached(second, 0);
  expectCached(first + Numbers{5}, 21);
  expectCached(second + Numbers{5}, 21);
  bamba_engine_counters counters = engine->counters();
  EXPECT_GT(counters.cache_moves_to_host + counters.cache_host_bytes, 0u);
  EXPECT_LE(counters.cache_host_bytes, budget);
}

TEST_P(PrefixCacheTest, RequestsThatRunComeBeforePrefixes) {
  // Ten pages for one request of the whole context, and few for prefixes, which have taken some of both.
  start(4 * (slotBytes + 2 * pageBytes), 0, 1, 10);
  for (unsigned i = 0; i < 3; ++i)
    expectCached(someTokens(3 * i, 24), 0);
  Numbers prompt = someTokens(7, 30);
  Answer answer = wait(*engine, submit(*engine, request(prompt, 11)));
  EXPECT_EQ(answer.last.finish, BAMBA_FINISH_LENGTH);
  EXPECT_EQ(answer.tokens, expectedAnswer(prompt, 11));
  EXPECT_EQ(engine->counters().preemptions, 0u);
}

TEST_P(PrefixCacheTest, ManyPromptsShareWhatTheyCan) {
  start(0, 64 << 10, 4, 14); // pages for little more than one whole context: requests are preempted too
  std::map<bamba_request, Numbers> prompts;
  for (unsigned i = 0; i < 60; ++i) {
    Numbers prompt = someTokens(i % 3, 8 + i % 13) + someTokens(i, i % 5 + 1);
    prompts[submit(*engine, request(prompt, 4 + i % 7))] = prompt;
  }
  std::map<bamba_request, Answer> answers = waitAll(*engine, 60);
  for (const auto &[id, prompt] : prompts)
    EXPECT_EQ(answers[id].tokens, expectedAnswer(prompt, 4 + (id - 1) % 7)) << id;
  EXPECT_GT(engine->counters().cache_hits, 10u);
}
