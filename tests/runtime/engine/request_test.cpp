// What an engine refuses, stop rules, and the numbers that it counts.

#include "runtime/engine/engine_size.h"
#include "runtime/engine/histogram.h"
#include "tests/runtime/engine/engine_checks.h"

using namespace bambac::rt;
using namespace bambac::rt::toy;

namespace {

/// Changes one field of a good request, and expects that it is refused.
template <typename Change>
void expectRefused(bamba_status status, const std::vector<std::string> &parts, const Change &change) {
  Numbers prompt = someTokens(1, 4);
  bamba_request_options options = request(prompt, 2);
  change(options);
  expectFailure(failureOf([&] { makeRequest(options, toyTable); }), status, parts);
}

} // namespace

TEST(RequestTest, WrongFieldsAreNamed) {
  const int32_t tokens[] = {1, 2, vocab};
  bamba_token_list none = {tokens, 0}, beyond = {tokens, 3}, missing = {nullptr, 2}, tooLong = {tokens, 65};
  expectRefused(BAMBA_INVALID_ARGUMENT, {"prompt", "none"}, [](auto &options) { options.num_prompt = 0; });
  expectRefused(BAMBA_INVALID_ARGUMENT, {"prompt", "NULL"}, [](auto &options) { options.prompt = nullptr; });
  expectRefused(BAMBA_OUT_OF_RANGE, {"prompt", "40", "41"}, [](auto &options) { options.num_prompt = 41; });
  expectRefused(BAMBA_OUT_OF_RANGE, {"prompt", "token 2", "11"}, [&](auto &options) {
    options.prompt = tokens;
    options.num_prompt = 3;
  });
  expectRefused(BAMBA_INVALID_ARGUMENT, {"ignore_eos", "2"}, [](auto &options) { options.ignore_eos = 2; });
  expectRefused(BAMBA_INVALID_ARGUMENT, {"logprobs", "3"}, [](auto &options) { options.logprobs = 3; });
  expectRefused(BAMBA_INVALID_ARGUMENT, {"top_logprobs", "logprobs"}, [](auto &options) { options.top_logprobs = 1; });
  expectRefused(BAMBA_INVALID_ARGUMENT, {"top_logprobs", "20", "21"}, [](auto &options) { options.top_logprobs = 21; });
  expectRefused(BAMBA_INVALID_ARGUMENT, {"no_prefix_cache"}, [](auto &options) { options.no_prefix_cache = 9; });
  expectRefused(BAMBA_INVALID_ARGUMENT, {"num_stop_tokens", "64"}, [](auto &options) { options.num_stop_tokens = 65; });
  expectRefused(BAMBA_INVALID_ARGUMENT, {"stop_sequences", "NULL"},
                [](auto &options) { options.num_stop_sequences = 1; });
  for (auto [list, part] : {std::pair{&none, "none"}, {&missing, "NULL"}, {&tooLong, "64"}})
    expectRefused(BAMBA_INVALID_ARGUMENT, {"stop_sequences", part}, [list = list](auto &options) {
      options.stop_sequences = list;
      options.num_stop_sequences = 1;
    });
  expectRefused(BAMBA_OUT_OF_RANGE, {"stop_sequences", "token 2"}, [&](auto &options) {
    options.stop_sequences = &beyond;
    options.num_stop_sequences = 1;
  });
}

TEST(RequestTest, WrongParametersOfDrawsAreNamed) {
  auto refuse = [](bamba_status status, const std::vector<std::string> &parts, const auto &change) {
    bamba_sampling sampling = {};
    sampling.struct_size = sizeof(sampling);
    change(sampling);
    expectRefused(status, parts, [&](auto &options) { options.sampling = &sampling; });
  };
  const int32_t tokens[] = {1};
  const uint32_t none[] = {1U << vocab};
  const bamba_logit_bias unknown[] = {{vocab, 1}};
  auto invalid = BAMBA_INVALID_ARGUMENT;
  refuse(invalid, {"sampling: prompt", "the engine knows"}, [&](auto &s) { s.prompt = tokens, s.num_prompt = 1; });
  refuse(invalid, {"sampling: prompt"}, [](auto &s) { s.num_prompt = 1; });
  refuse(invalid, {"sampling: generated", "the engine knows"},
         [&](auto &s) { s.generated = tokens, s.num_generated = 1; });
  refuse(invalid, {"sampling: wants_logprobs", "`logprobs`"}, [](auto &s) { s.wants_logprobs = 1; });
  refuse(invalid, {"sampling: num_best", "`top_logprobs`"}, [](auto &s) { s.num_best = 1; });
  refuse(invalid, {"sampling: temperature", "from 0 to", "-1"}, [](auto &s) { s.temperature = -1; });
  refuse(invalid, {"sampling: top_p", "from 0 to 1", "2"}, [](auto &s) { s.top_p = 2; });
  refuse(invalid, {"sampling: min_p", "-2"}, [](auto &s) { s.min_p = -2; });
  refuse(invalid, {"sampling: repetition_penalty"}, [](auto &s) { s.repetition_penalty = -1; });
  refuse(invalid, {"sampling: presence_penalty"}, [](auto &s) { s.presence_penalty = 1e7F; });
  refuse(invalid, {"sampling: frequency_penalty"}, [](auto &s) { s.frequency_penalty = -1e7F; });
  refuse(invalid, {"sampling: bias", "null"}, [](auto &s) { s.num_bias = 1; });
  refuse(BAMBA_OUT_OF_RANGE, {"sampling: bias 0", "11"}, [&](auto &s) { s.bias = unknown, s.num_bias = 1; });
  refuse(invalid, {"sampling: allowed", "at least one token"}, [&](auto &s) { s.allowed = none; });
}

TEST(RequestTest, StopRulesLookAtTheEnd) {
  StopRule rule({7, 3}, {{1, 2}, {5}, {2}});
  EXPECT_EQ(rule.check(Numbers{1, 4}).reason, BAMBA_FINISH_NONE);
  EXPECT_EQ(rule.check(Numbers{1, 7}).reason, BAMBA_FINISH_STOP_TOKEN);
  Stop stop = rule.check(Numbers{9, 1, 2});
  EXPECT_EQ(stop.reason, BAMBA_FINISH_STOP_SEQUENCE);
  EXPECT_EQ(stop.tokens, 2u);
  EXPECT_EQ(stop.sequence, 0u);
  EXPECT_EQ(rule.check(Numbers{2}).sequence, 2u) << "the first is longer than the answer";
  EXPECT_EQ(rule.check(Numbers{1, 2, 4}).reason, BAMBA_FINISH_NONE);
}

TEST(RequestTest, EngineSizes) {
  auto size = [](const bamba_engine_options &options) { return EngineSize(options, toyTable); };
  EXPECT_EQ(size(engineOptions()).slots, uint32_t{maxBatch});
  EXPECT_EQ(size(engineOptions()).maxStepRows, 8u);
  EXPECT_EQ(size(engineOptions(20)).maxStepRows, 20u);
  expectFailure(failureOf([&] { size(engineOptions(4, maxPages - 1)); }), BAMBA_INVALID_ARGUMENT, {"pages", "10", "9"});
  expectFailure(failureOf([&] { size(engineOptions(4, 0, 3)); }), BAMBA_INVALID_ARGUMENT, {"max_step_rows", "4", "3"});
}

TEST(RequestTest, HistogramBucketsHaveTheirBounds) {
  bamba_histogram histogram = {};
  observe(histogram, 0);
  observe(histogram, 0.0001);
  observe(histogram, 0.00011);
  observe(histogram, 1e9);
  EXPECT_EQ(histogram.buckets[0], 2u);
  EXPECT_EQ(histogram.buckets[1], 1u);
  EXPECT_EQ(histogram.buckets[BAMBA_HISTOGRAM_BUCKETS - 1], 1u);
  EXPECT_EQ(histogram.count, 4u);
}

TEST(RequestTest, RatesForgetWhatIsLongAgo) {
  RecentRate rate;
  rate.add(0.5, 10);
  EXPECT_DOUBLE_EQ(rate.perSecond(1.0), 10);
  rate.add(4.0, 30);
  EXPECT_DOUBLE_EQ(rate.perSecond(5.0), 8);
  EXPECT_DOUBLE_EQ(rate.perSecond(12.0), 30.0 / 9);
  EXPECT_DOUBLE_EQ(rate.perSecond(1000.0), 0);
}
