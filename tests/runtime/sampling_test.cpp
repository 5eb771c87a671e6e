// Sampled items: the same draws in any batch, lists that grow, and parameters that are refused.

#include "tests/runtime/cuda_toy.h"
#include "tests/runtime/session_checks.h"
#include <algorithm>
#include <cmath>
#include <functional>
#include <set>

using namespace bambac::rt;
using namespace bambac::rt::toy;

namespace {

bamba_sampling drawing(float temperature, uint64_t seed) {
  bamba_sampling sampling = {};
  sampling.struct_size = sizeof(sampling);
  sampling.temperature = temperature;
  sampling.seed = seed;
  return sampling;
}

bamba_batch_item sampled(bamba_sequence sequence, std::span<const int32_t> tokens, const bamba_sampling &sampling) {
  bamba_batch_item made = item(sequence, tokens);
  made.sampling = &sampling;
  return made;
}

/// `count` tokens after a prompt, drawn one by one; `others` prompts run in the same batches.
Numbers generate(Session &session, const Numbers &prompt, const bamba_sampling &sampling, size_t count,
                 size_t others = 0) {
  std::vector<bamba_sequence> sequences;
  for (size_t i = 0; i <= others; ++i)
    sequences.push_back(session.create());
  Numbers tokens, last = prompt, other = {1, 2, 3};
  const bamba_sampling theirs = drawing(2, 99);
  while (tokens.size() < count) {
    std::vector<bamba_batch_item> items;
    items.reserve(others + 1);
    for (size_t i = 0; i < others; ++i)
      items.push_back(i % 2 ? sampled(sequences[i], other, theirs) : item(sequences[i], other));
    items.push_back(sampled(sequences.back(), last, sampling));
    session.run(items);
    tokens.push_back(session.sample(others, 0).token);
    last = {tokens.back()};
    other.resize(1);
  }
  for (bamba_sequence sequence : sequences)
    session.free(sequence);
  return tokens;
}

class SamplingTest : public testing::Test {
protected:
  std::unique_ptr<Model> model = loadToy();
};

} // namespace

TEST_F(SamplingTest, TheSameSeedDrawsTheSameInAnyBatch) {
  Session session(*model, {.slots = 6, .threads = 2});
  Numbers prompt = {1, 2, 3, 4, 5};
  const bamba_sampling sampling = drawing(3, 7), another = drawing(3, 8);
  Numbers alone = generate(session, prompt, sampling, 20);
  EXPECT_NE(alone, generate(session, prompt, another, 20));
  for (size_t others : {1U, 3U, 5U})
    EXPECT_EQ(alone, generate(session, prompt, sampling, 20, others)) << others;
}

TEST_F(CudaTest, ADeviceOfItsOwnDrawsTheSame) {
  CudaToy toy;
  std::unique_ptr<Model> onHost = loadToy(), onDevice = toy.load();
  Session host(*onHost, {.slots = 6, .threads = 1}), device(*onDevice, {.slots = 6});
  const bamba_sampling sampling = drawing(3, 7);
  for (size_t others : {0U, 5U})
    EXPECT_EQ(generate(host, {1, 2, 3}, sampling, 20), generate(device, {1, 2, 3}, sampling, 20, others));
}

/// Where a sequence leaves a batch, all rows after its own have the parameters of another.
TEST_F(CudaTest, ParametersThatMoveGoToTheDeviceTogether) {
  CudaToy toy;
  std::unique_ptr<Model> onHost = loadToy(), onDevice = toy.load();
  Session host(*onHost, {.slots = 4, .threads = 1}), device(*onDevice, {.slots = 4});
  const Numbers tokens = {3};
  const bamba_sampling seeds[] = {drawing(3, 0), drawing(3, 1), drawing(3, 2), drawing(3, 3)};
  std::vector<bamba_batch_item> items;
  for (const bamba_sampling &sampling : seeds) {
    host.create();
    items.push_back(sampled(device.create(), tokens, sampling));
  }
  auto expectSame = [&] {
    host.run(items);
    device.run(items);
    for (size_t i = 0; i < items.size(); ++i)
      EXPECT_EQ(host.sample(i, 0).token, device.sample(i, 0).token);
  };
  expectSame();
  items.erase(items.begin());
  FakeCuda before = fake;
  expectSame();
  EXPECT_EQ(fake.uploads - before.uploads, 1) << "the parameters";
  EXPECT_EQ(fake.uploadsOfRows - before.uploadsOfRows, 2) << "the other inputs, and the page table";
  std::swap(items[0], items[2]); // the one between them stays
  before = fake;
  expectSame();
  EXPECT_EQ(fake.uploads - before.uploads, 1);
  before = fake;
  expectSame();
  EXPECT_EQ(fake.uploads, before.uploads);
}

TEST_F(SamplingTest, ItemsWithoutParametersAreGreedy) {
  Session session(*model, {.slots = 3, .threads = 1});
  Numbers tokens = someTokens(3, 6);
  const bamba_sampling zeros = drawing(0, 5), hot = drawing(5, 5);
  bamba_batch_item items[] = {item(session.create(), tokens), sampled(session.create(), tokens, zeros),
                              sampled(session.create(), tokens, hot)};
  session.run(items);
  for (size_t i : {0U, 1U}) {
    EXPECT_EQ(session.sample(i, 0).token, session.greedy(i));
    EXPECT_EQ(session.sample(i, 0).num_best, 0U);
    EXPECT_EQ(session.sample(i, 0).best_tokens, nullptr);
  }
  session.run({items, 1}); // no row is sampled
  EXPECT_EQ(session.sample(0, 0).token, session.greedy(0));
  expectFailure(failureOf([&] { session.sample(0, 1); }), BAMBA_INVALID_ARGUMENT, {"row", "from 0 to 0, found 1"});
  expectFailure(failureOf([&] { session.sample(1, 0); }), BAMBA_INVALID_ARGUMENT, {"item"});
}

TEST_F(SamplingTest, EachKeptRowIsDrawn) {
  Session session(*model, {.slots = 2, .threads = 1});
  Numbers tokens = someTokens(4, 11);
  bamba_sampling sampling = drawing(2, 3);
  sampling.wants_logprobs = 1;
  sampling.num_best = 3;
  bamba_batch_item all = sampled(session.create(), tokens, sampling), one = sampled(session.create(), {}, sampling);
  all.logits = BAMBA_LOGITS_ALL;
  session.run({&all, 1});
  std::vector<int32_t> drawn;
  for (size_t row = 0; row < tokens.size(); ++row) {
    bamba_sample sample = session.sample(0, row);
    drawn.push_back(sample.token);
    std::span<const float> logits = session.logits(0).subspan(row * vocab, vocab);
    double sum = 0;
    for (float logit : logits)
      sum += std::exp(double{logit});
    EXPECT_NEAR(sample.logprob, logits[sample.token] - std::log(sum), 1e-5);
    ASSERT_EQ(sample.num_best, 3U);
    EXPECT_EQ(sample.best_tokens[0], argmax({logits.begin(), logits.end()}));
    EXPECT_NEAR(sample.best_logprobs[2], logits[sample.best_tokens[2]] - std::log(sum), 1e-5);
  }
  for (size_t t = 0; t < tokens.size(); ++t) { // and the same token by token
    one.tokens = &tokens[t];
    one.num_tokens = 1;
    session.run({&one, 1});
    EXPECT_EQ(session.sample(0, 0).token, drawn[t]) << t;
  }
}

TEST_F(SamplingTest, TheBestTokensAreAtMostAllOfThem) {
  Session session(*model, {.slots = 1, .threads = 1});
  bamba_sampling sampling = drawing(0, 0);
  sampling.wants_logprobs = 1;
  sampling.num_best = BAMBA_MAX_BEST;
  Numbers tokens = someTokens(2, 5);
  bamba_batch_item run = sampled(session.create(), tokens, sampling);
  session.run({&run, 1});
  bamba_sample sample = session.sample(0, 0);
  ASSERT_EQ(sample.num_best, uint32_t{vocab});
  std::set<int32_t> all(sample.best_tokens, sample.best_tokens + vocab);
  EXPECT_EQ(all.size(), size_t{vocab});
  EXPECT_EQ(*all.begin(), 0);
  EXPECT_TRUE(std::is_sorted(sample.best_logprobs, sample.best_logprobs + vocab, std::greater()));
}

TEST_F(SamplingTest, BiasMaskAndPenaltiesChangeTheToken) {
  Session session(*model, {.slots = 1, .threads = 1});
  Numbers prompt = {1, 2};
  bamba_sampling sampling = drawing(0, 0);
  bamba_sequence sequence = session.create();
  auto next = [&](const Numbers &tokens) {
    bamba_batch_item run = sampled(sequence, tokens, sampling);
    session.run({&run, 1});
    return session.sample(0, 0).token;
  };
  const bamba_logit_bias bias[] = {{4, 100}, {5, 50}};
  sampling.bias = bias;
  sampling.num_bias = 2;
  EXPECT_EQ(next(prompt), 4);
  const uint32_t allowed[] = {1U << 5 | 1U << 6};
  sampling.allowed = allowed;
  EXPECT_EQ(next({4}), 5);
  sampling.allowed = nullptr;
  // Each time that it was generated costs token 4 so much that after two others take their turn.
  sampling.frequency_penalty = 30;
  Numbers generated = {4};
  for (int32_t expected : {4, 5, 4}) {
    sampling.generated = generated.data();
    sampling.num_generated = static_cast<uint32_t>(generated.size());
    generated.push_back(next({generated.back()}));
    EXPECT_EQ(generated.back(), expected) << generated.size();
  }
  // After a reset the lists are those of another text.
  session.reset(sequence);
  Numbers other = {5, 5, 5, 5};
  sampling.generated = other.data();
  sampling.num_generated = 4;
  EXPECT_EQ(next(prompt), 4);
}

TEST_F(SamplingTest, ParametersThatCannotBeAreRefused) {
  Session session(*model, {.slots = 1, .threads = 1});
  Numbers tokens = {1};
  bamba_sequence sequence = session.create();
  auto refuse = [&](auto change, bamba_status status, const std::vector<std::string> &parts) {
    bamba_sampling sampling = drawing(1, 1);
    change(sampling);
    bamba_batch_item run = sampled(sequence, tokens, sampling);
    expectFailure(failureOf([&] { session.run({&run, 1}); }), status, parts);
    EXPECT_EQ(session.length(sequence), 0U);
  };
  const bamba_logit_bias unknown[] = {{3, 1}, {vocab, 1}}, endless[] = {{3, INFINITY}};
  const int32_t negative[] = {-1};
  const uint32_t none[] = {~((1U << vocab) - 1)};
  refuse([](auto &s) { s.temperature = -1; }, BAMBA_INVALID_ARGUMENT, {"item 0", "temperature", "found -1"});
  refuse([](auto &s) { s.temperature = NAN; }, BAMBA_INVALID_ARGUMENT, {"temperature", "nan"});
  refuse([](auto &s) { s.top_p = 1.5F; }, BAMBA_INVALID_ARGUMENT, {"top_p", "from 0 to 1", "1.5"});
  refuse([](auto &s) { s.min_p = 2; }, BAMBA_INVALID_ARGUMENT, {"min_p"});
  refuse([](auto &s) { s.num_best = 21, s.wants_logprobs = 1; }, BAMBA_INVALID_ARGUMENT, {"num_best", "at most 20"});
  refuse([](auto &s) { s.wants_logprobs = 2; }, BAMBA_INVALID_ARGUMENT, {"wants_logprobs", "0 or 1", "found 2"});
  refuse([](auto &s) { s.num_best = 2; }, BAMBA_INVALID_ARGUMENT, {"num_best", "without wants_logprobs"});
  refuse([](auto &s) { s.num_bias = 1; }, BAMBA_INVALID_ARGUMENT, {"bias", "null"});
  refuse([&](auto &s) { s.bias = unknown, s.num_bias = 2; }, BAMBA_OUT_OF_RANGE, {"bias 1", "found 11"});
  refuse([&](auto &s) { s.bias = endless, s.num_bias = 1; }, BAMBA_INVALID_ARGUMENT, {"bias", "inf"});
  refuse([&](auto &s) { s.generated = negative, s.num_generated = 1, s.presence_penalty = 1; }, BAMBA_OUT_OF_RANGE,
         {"generated 0", "found -1"});
  refuse([&](auto &s) { s.allowed = none; }, BAMBA_INVALID_ARGUMENT, {"allowed", "at least one token"});
}
