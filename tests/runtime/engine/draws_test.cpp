// Drawn tokens of an engine's requests: those that a session draws alone, whatever else runs, and what callers allow.

#include "tests/runtime/engine/engine_checks.h"
#include <cmath>
#include <optional>

using namespace bambac::rt;
using namespace bambac::rt::toy;

namespace {

constexpr bamba_logit_bias someBias[] = {{2, 12}, {7, -20}, {9, 8}};
constexpr uint32_t someAllowed[] = {0x36D};

bamba_sampling drawing(float temperature, uint64_t seed) {
  bamba_sampling sampling = {};
  sampling.struct_size = sizeof(sampling);
  sampling.temperature = temperature;
  sampling.seed = seed;
  return sampling;
}

/// Parameters of all sorts, alone and together.
std::vector<bamba_sampling> someSamplings() {
  std::vector<bamba_sampling> all = {drawing(12, 7), drawing(12, 8), drawing(0, 1)};
  auto add = [&](float temperature, const auto &change) {
    all.push_back(drawing(temperature, 5 + all.size()));
    change(all.back());
  };
  add(20, [](auto &s) { s.top_k = 4; });
  add(25, [](auto &s) { s.top_p = 0.7F, s.min_p = 0.05F; });
  add(12, [](auto &s) { s.repetition_penalty = 2; });
  add(0, [](auto &s) { s.frequency_penalty = 10, s.presence_penalty = 5; });
  add(10, [](auto &s) { s.bias = someBias, s.num_bias = 3; });
  add(0, [](auto &s) { s.bias = someBias, s.num_bias = 3, s.frequency_penalty = 7; });
  add(10, [](auto &s) { s.allowed = someAllowed; });
  add(15, [](auto &s) {
    s.allowed = someAllowed, s.bias = someBias, s.num_bias = 2, s.repetition_penalty = 1.5F, s.top_k = 5;
  });
  return all;
}

/// `count` tokens after a prompt, drawn by a session that does nothing else; `allow` may be null.
Numbers alone(const Model &model, const Numbers &prompt, bamba_sampling sampling, size_t count,
              bamba_allow_callback allow = nullptr, void *user = nullptr) {
  Session session(model, {.slots = 1, .threads = 1});
  bamba_sequence sequence = session.create();
  Numbers answer, last = prompt;
  while (answer.size() < count) {
    uint32_t allowed = 0;
    if (allow && allow(user, answer.empty() ? -1 : answer.back(), &allowed) == 0)
      sampling.allowed = &allowed;
    sampling.prompt = prompt.data();
    sampling.num_prompt = static_cast<uint32_t>(prompt.size());
    sampling.generated = answer.data();
    sampling.num_generated = static_cast<uint32_t>(answer.size());
    bamba_batch_item item = {
        sequence, static_cast<uint32_t>(last.size()), last.data(), BAMBA_LOGITS_LAST, 0, nullptr, 0, 0, &sampling};
    session.run({&item, 1});
    answer.push_back(session.sample(0, 0).token);
    last = {answer.back()};
  }
  return answer;
}

/// Allows what follows from the number of the token in the answer and the one before; notes what it is told.
struct Grammar {
  std::vector<int32_t> told;

  static int allow(void *user, int32_t token, uint32_t *allowed) {
    auto &own = *static_cast<Grammar *>(user);
    EXPECT_EQ(*allowed, 0u);
    own.told.push_back(token);
    *allowed = (own.told.size() % 2 == 0 ? 0x2AAU : 0x555U) & ~(token >= 0 ? 1U << token : 0U);
    return 0;
  }
};

class DrawsTest : public AheadOrNotTest {
protected:
  /// All parameters for some prompts, together in an engine, which must answer as a session does.
  void expectAnswersOfASession(Engine &engine, uint32_t count, size_t promptTokens, unsigned numPrompts) {
    std::map<bamba_request, Numbers> expected;
    std::optional<HeldEngine> held(std::in_place, engine);
    for (unsigned seed = 0; seed < numPrompts; ++seed)
      for (const bamba_sampling &sampling : someSamplings()) {
        Numbers prompt = someTokens(seed, promptTokens);
        bamba_request_options options = request(prompt, count);
        options.sampling = &sampling;
        expected[submit(engine, options)] = alone(*model, prompt, sampling, count);
      }
    held.reset();
    std::map<bamba_request, Answer> answers = waitAll(engine, expected.size());
    for (const auto &[id, tokens] : expected)
      EXPECT_EQ(answers[id].tokens, tokens) << id;
  }
};

INSTANTIATE_TEST_SUITE_P(Engine, DrawsTest, testing::Bool(), aheadOrNot);

} // namespace

TEST_P(DrawsTest, ParametersOfTheTestMakeADifference) {
  std::map<Numbers, int> answers;
  for (const bamba_sampling &sampling : someSamplings())
    ++answers[alone(*model, someTokens(1, 9), sampling, 12)];
  EXPECT_EQ(answers.size(), someSamplings().size());
}

TEST_P(DrawsTest, AreThoseOfASessionInAnyCompany) {
  Engine engine(*model, sized(engineOptions(3, 0, 5))); // prompts are cut, and most requests wait
  expectAnswersOfASession(engine, 12, 9, 3);
}

TEST_P(DrawsTest, GoOnAfterPreemption) {
  Engine engine(*model, sized(engineOptions(4, 12)));
  expectAnswersOfASession(engine, 24, 7, 1);
  EXPECT_GT(engine.counters().preemptions, 0u);
}

TEST_P(DrawsTest, FollowPrefixes) {
  bamba_engine_options options = engineOptions(3, 0, 5);
  options.prefix_cache = BAMBA_PREFIX_CACHE_ON;
  options.snapshot_interval = 4;
  Engine engine(*model, sized(options));
  expectAnswersOfASession(engine, 10, 13, 2);
  EXPECT_GT(engine.counters().cache_hits, 0u);
}

TEST_P(DrawsTest, CallersAllowTokens) {
  constexpr size_t count = 20;
  Engine engine(*model, sized(engineOptions(4, 12))); // some are preempted
  const bamba_sampling samplings[] = {drawing(0, 0), drawing(15, 3), drawing(15, 4)};
  Grammar grammars[6], expectedGrammars[6];
  std::map<bamba_request, Numbers> expected;
  std::optional<HeldEngine> held(std::in_place, engine);
  for (size_t i = 0; i < 6; ++i) {
    Numbers prompt = someTokens(static_cast<unsigned>(i), 6);
    bamba_request_options options = request(prompt, count);
    options.sampling = i == 0 ? nullptr : &samplings[i % 3];
    options.allow = Grammar::allow;
    options.user = &grammars[i];
    expected[submit(engine, options)] =
        alone(*model, prompt, samplings[i % 3], count, Grammar::allow, &expectedGrammars[i]);
  }
  held.reset();
  std::map<bamba_request, Answer> answers = waitAll(engine, 6);
  for (const auto &[id, tokens] : expected)
    EXPECT_EQ(answers[id].tokens, tokens) << id;
  for (size_t i = 0; i < 6; ++i)
    EXPECT_EQ(grammars[i].told, expectedGrammars[i].told) << "once before each token";
  EXPECT_GT(engine.counters().preemptions, 0u);
}

TEST_P(DrawsTest, TokensAreAllowedByBoth) {
  Engine engine(*model, sized(engineOptions()));
  Numbers prompt = someTokens(1, 5);
  const uint32_t mine = 1U << 4 | 1U << 6;
  bamba_sampling sampling = drawing(5, 1);
  sampling.allowed = &mine;
  bamba_request_options options = request(prompt, 5);
  options.sampling = &sampling;
  options.allow = [](void *, int32_t, uint32_t *allowed) {
    *allowed = 1U << 6 | 1U << 7;
    return 0;
  };
  EXPECT_EQ(wait(engine, submit(engine, options)).tokens, Numbers(5, 6));
}

TEST_P(DrawsTest, ACallerThatAllowsNothingEndsItsRequestOnly) {
  Engine engine(*model, sized(engineOptions(4)));
  Numbers prompt = someTokens(1, 5);
  bamba_request_options good = request(prompt, 8), refuses = request(prompt, 8), empty = request(prompt, 8);
  refuses.allow = [](void *, int32_t token, uint32_t *allowed) {
    *allowed = ~0U;
    return token < 0 ? 0 : 17;
  };
  empty.allow = [](void *, int32_t, uint32_t *allowed) {
    *allowed = 1U << vocab; // no token
    return 0;
  };
  bamba_request ids[] = {submit(engine, good), submit(engine, refuses), submit(engine, empty), submit(engine, good)};
  std::map<bamba_request, Answer> answers = waitAll(engine, 4);
  for (size_t i : {0U, 3U})
    EXPECT_EQ(answers[ids[i]].tokens, expectedAnswer(prompt, 8));
  for (size_t i : {1U, 2U}) {
    EXPECT_EQ(answers[ids[i]].last.finish, BAMBA_FINISH_ERROR);
    EXPECT_EQ(answers[ids[i]].last.status, BAMBA_INVALID_ARGUMENT);
    EXPECT_EQ(answers[ids[i]].last.token, -1);
    EXPECT_EQ(answers[ids[i]].tokens.size(), i == 1 ? 1u : 0u);
  }
  EXPECT_STREQ(answers[ids[1]].last.message, "allow: expected 0, found 17 from the request's callback");
  EXPECT_STREQ(answers[ids[2]].last.message, "allow: expected at least one allowed token, found none");
  bamba_engine_counters counters = engine.counters();
  EXPECT_EQ(counters.failed, 2u);
  EXPECT_EQ(counters.free_pages, counters.pages);
}

TEST_P(DrawsTest, LogProbabilitiesAreThoseOfASession) {
  Engine engine(*model, sized(engineOptions(2, 0, 4)));
  Numbers prompt = someTokens(4, 9);
  for (const bamba_sampling &sampling : {drawing(0, 0), drawing(3, 2)}) {
    bamba_request_options options = request(prompt, 6);
    options.sampling = &sampling;
    options.logprobs = 1;
    options.top_logprobs = BAMBA_MAX_TOP_LOGPROBS;
    bamba_request id = submit(engine, options);
    Numbers tokens = prompt;
    for (bool ended = false; !ended;)
      for (const bamba_engine_event &event : engine.poll(id, 1, UINT32_MAX)) {
        std::vector<float> logits = expectedLogits(tokens).back();
        double sum = 0;
        for (float logit : logits)
          sum += std::exp(double{logit});
        EXPECT_NEAR(event.logprob, logits[event.token] - std::log(sum), 1e-5);
        ASSERT_EQ(event.num_top_logprobs, uint32_t{vocab}) << "as many as there are";
        EXPECT_EQ(event.top_logprobs[0].token, argmax(logits));
        for (uint32_t i = 0; i < vocab; ++i)
          EXPECT_NEAR(event.top_logprobs[i].logprob, logits[event.top_logprobs[i].token] - std::log(sum), 1e-5);
        tokens.push_back(event.token);
        ended = event.finish != BAMBA_FINISH_NONE;
      }
  }
}
