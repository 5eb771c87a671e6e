// Draws of one row: against an oracle in double, each parameter alone and together, and the edges.

#include "runtime/host/sample.h"
#include <algorithm>
#include <cmath>
#include <functional>
#include <gtest/gtest.h>
#include <limits>
#include <map>
#include <numeric>
#include <vector>

using namespace bambac;

namespace {

constexpr float inf = std::numeric_limits<float>::infinity();

using Logits = std::vector<float>;

bamba_rt_sampling drawing(float temperature, uint64_t seed = 1) {
  bamba_rt_sampling sampling = {};
  sampling.flags = BAMBA_RT_SAMPLING_DRAWS;
  sampling.temperature = temperature;
  sampling.top_p = 1;
  sampling.repetition = 1;
  sampling.seed[0] = static_cast<uint32_t>(seed);
  sampling.seed[1] = static_cast<uint32_t>(seed >> 32);
  return sampling;
}

int greedyOf(const Logits &logits) { return static_cast<int>(std::ranges::max_element(logits) - logits.begin()); }

bamba_rt_sample sample(const Logits &logits, const bamba_rt_sampling &sampling, int position = 0) {
  Logits scratch(logits.size());
  bamba_rt_sample result = {};
  bambac_sample_row(logits.data(), static_cast<int64_t>(logits.size()), greedyOf(logits), position, &sampling, &result,
                    scratch.data());
  return result;
}

/// Logits of a vocabulary that no vector width divides.
Logits someLogits() {
  Logits logits(37);
  for (size_t i = 0; i < logits.size(); ++i)
    logits[i] = static_cast<float>(std::sin(static_cast<double>(i) * 1.7) * 3 + static_cast<double>(i % 5) * 0.25);
  return logits;
}

/// What the parameters ask for, in double.
std::vector<double> oracle(const Logits &logits, const bamba_rt_sampling &sampling,
                           const std::vector<bamba_rt_edit> &edits = {}, const std::vector<uint32_t> &allowed = {}) {
  std::vector<double> z(logits.begin(), logits.end());
  for (const bamba_rt_edit &edit : edits) {
    double &value = z[edit.token];
    if (edit.prompt || edit.generated)
      value = value > 0 ? value / sampling.repetition : value * sampling.repetition;
    if (edit.generated)
      value -= sampling.presence + double{sampling.frequency} * edit.generated;
    value += edit.bias;
  }
  for (size_t token = 0; token < z.size() && !allowed.empty(); ++token)
    if (!(allowed[token / 32] >> token % 32 & 1))
      z[token] = -std::numeric_limits<double>::infinity();
  double top = *std::ranges::max_element(z);
  std::vector<double> p;
  p.reserve(z.size());
  for (double value : z)
    p.push_back(std::exp((value - top) / sampling.temperature));
  auto keepFrom = [&](double least) {
    for (double &value : p)
      value = value >= least ? value : 0;
  };
  std::vector<double> sorted = p;
  std::ranges::sort(sorted, std::greater());
  if (sampling.top_k > 0)
    keepFrom(sorted[std::min<size_t>(sampling.top_k, sorted.size()) - 1]);
  if (sampling.top_p < 1) {
    double wanted = sampling.top_p * std::accumulate(p.begin(), p.end(), 0.0), sum = 0;
    sorted = p;
    std::ranges::sort(sorted, std::greater());
    size_t last = 0;
    while ((sum += sorted[last]) < wanted)
      ++last;
    keepFrom(sorted[last]);
  }
  keepFrom(sampling.min_p);
  double sum = std::accumulate(p.begin(), p.end(), 0.0);
  for (double &value : p)
    value /= sum;
  return p;
}

/// Pearson's statistic of draws at `draws` positions. Tokens that are expected less than five times count as one. None
/// that the oracle leaves out may be drawn.
void expectDistribution(const Logits &logits, bamba_rt_sampling sampling, const std::vector<double> &expected,
                        int draws = 20000) {
  std::vector<int> counts(logits.size());
  for (int position = 0; position < draws; ++position)
    ++counts[sample(logits, sampling, position).token];
  double statistic = 0, rareExpected = 0;
  int rare = 0, bins = 0;
  auto add = [&](double wanted, double found) {
    statistic += (found - wanted) * (found - wanted) / wanted;
    ++bins;
  };
  for (size_t token = 0; token < counts.size(); ++token) {
    if (expected[token] == 0)
      ASSERT_EQ(counts[token], 0) << "token " << token << " is left out";
    else if (expected[token] * draws < 5)
      rare += counts[token], rareExpected += expected[token] * draws;
    else
      add(expected[token] * draws, counts[token]);
  }
  if (rareExpected >= 5)
    add(rareExpected, rare);
  // Wilson and Hilferty: the cube root of chi-squared over its degrees of freedom is nearly normal. 4.5 deviations: a
  // right sampler fails once in 300,000 seeds, and the seeds here are fixed.
  double freedom = std::max(bins - 1, 1);
  double deviation = (std::cbrt(statistic / freedom) - (1 - 2 / (9 * freedom))) / std::sqrt(2 / (9 * freedom));
  EXPECT_LT(deviation, 4.5) << "chi-squared " << statistic << " of " << bins << " bins";
}

} // namespace

TEST(Philox, KnownAnswers) {
  // From the authors' Random123, kat_vectors.
  contract::Philox zeros = contract::philox(0, 0, 0, 0, 0, 0);
  EXPECT_EQ(std::vector(zeros.words, zeros.words + 4),
            (std::vector<uint32_t>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  contract::Philox pi = contract::philox(0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0);
  EXPECT_EQ(std::vector(pi.words, pi.words + 4),
            (std::vector<uint32_t>{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Sample, ARowWithoutParametersIsGreedy) {
  Logits logits = someLogits();
  EXPECT_EQ(sample(logits, bamba_rt_sampling{}).token, greedyOf(logits));
}

TEST(Sample, DrawsBySoftmax) {
  Logits logits = someLogits();
  for (float temperature : {0.25F, 1.0F, 3.0F}) {
    bamba_rt_sampling sampling = drawing(temperature);
    expectDistribution(logits, sampling, oracle(logits, sampling));
  }
}

TEST(Sample, LeavesOutUnlikelyTokens) {
  Logits logits = someLogits();
  for (auto [topK, topP, minP] :
       {std::tuple(5U, 1.0F, 0.0F), std::tuple(0U, 0.7F, 0.0F), std::tuple(0U, 1.0F, 0.2F), std::tuple(12U, 0.8F, 0.0F),
        std::tuple(20U, 0.9F, 0.1F), std::tuple(1U, 1.0F, 0.0F)}) {
    bamba_rt_sampling sampling = drawing(1.5F, 7);
    sampling.top_k = topK;
    sampling.top_p = topP;
    sampling.min_p = minP;
    expectDistribution(logits, sampling, oracle(logits, sampling));
  }
}

/// In the prompt, biased, generated, all of these.
std::vector<bamba_rt_edit> someEdits() {
  return {{0, 0, 1, 0}, {3, 1.5F, 0, 0}, {6, 0, 0, 2}, {7, -1, 1, 1}, {36, 4, 0, 3}};
}

/// A draw with all penalties; `edits` must outlive it.
bamba_rt_sampling penalizing(const std::vector<bamba_rt_edit> &edits) {
  bamba_rt_sampling sampling = drawing(1);
  sampling.flags |= BAMBA_RT_SAMPLING_EDITS;
  sampling.num_edits = edits.size();
  sampling.edits = reinterpret_cast<uint64_t>(edits.data());
  sampling.repetition = 1.3F;
  sampling.presence = 0.5F;
  sampling.frequency = 0.25F;
  return sampling;
}

TEST(Sample, EditsLogits) {
  Logits logits = someLogits();
  const std::vector<bamba_rt_edit> edits = someEdits();
  bamba_rt_sampling sampling = penalizing(edits);
  expectDistribution(logits, sampling, oracle(logits, sampling, edits));
  // Without a draw the largest of them wins.
  sampling.temperature = 0;
  std::vector<bamba_rt_edit> large = edits;
  large[3].bias = 50;
  sampling.edits = reinterpret_cast<uint64_t>(large.data());
  EXPECT_EQ(sample(logits, sampling).token, 7);
}

/// A token that was generated since the edits were counted counts as if it were one of them.
TEST(Sample, CountsTheAwaitedToken) {
  Logits logits = someLogits();
  const std::vector<bamba_rt_edit> edits = someEdits();
  bamba_rt_sampling sampling = penalizing(edits);
  int32_t awaited = 0;
  sampling.awaited = reinterpret_cast<uint64_t>(&awaited);
  for (size_t i = 0; i < edits.size(); ++i) {
    std::vector<bamba_rt_edit> counted = edits;
    ++counted[i].generated;
    awaited = counted[i].token;
    expectDistribution(logits, sampling, oracle(logits, sampling, counted));
  }
  for (int32_t other : {5, 35}) {
    std::vector<bamba_rt_edit> counted = edits;
    counted.push_back({other, 0, 0, 1});
    awaited = other;
    expectDistribution(logits, sampling, oracle(logits, sampling, counted));
  }
  awaited = -1; // no token: a logit was not a number
  expectDistribution(logits, sampling, oracle(logits, sampling, edits));
  sampling.num_edits = 0;
  awaited = 4;
  expectDistribution(logits, sampling, oracle(logits, sampling, {{4, 0, 0, 1}}));
}

TEST(Sample, LeavesOutWhatIsNotAllowed) {
  Logits logits = someLogits();
  const std::vector<uint32_t> allowed = {0x80010412, 0x11};
  bamba_rt_sampling sampling = drawing(2);
  sampling.flags |= BAMBA_RT_SAMPLING_MASKS;
  sampling.allowed = reinterpret_cast<uint64_t>(allowed.data());
  expectDistribution(logits, sampling, oracle(logits, sampling, {}, allowed));
  sampling.top_k = 30; // more than there are
  expectDistribution(logits, sampling, oracle(logits, sampling, {}, allowed));
  const std::vector<uint32_t> one = {0, 1U << 3};
  sampling.allowed = reinterpret_cast<uint64_t>(one.data());
  for (int position = 0; position < 50; ++position)
    EXPECT_EQ(sample(logits, sampling, position).token, 35);
  // Also where the model gives it no chance.
  logits[35] = -inf;
  EXPECT_EQ(sample(logits, sampling).token, 35);
}

TEST(Sample, TheSmallestTopPLeavesTheMostLikelyToken) {
  Logits logits = someLogits();
  bamba_rt_sampling sampling = drawing(5);
  sampling.top_p = 1e-30F;
  for (int position = 0; position < 50; ++position)
    EXPECT_EQ(sample(logits, sampling, position).token, greedyOf(logits));
}

TEST(Sample, TiesStayTogether) {
  const Logits logits = {1, 3, 3, 0, 3, 2, 3, -1};
  for (auto [topK, topP] : {std::pair(2U, 1.0F), std::pair(0U, 0.3F)}) {
    bamba_rt_sampling sampling = drawing(1, 3);
    sampling.top_k = topK;
    sampling.top_p = topP;
    expectDistribution(logits, sampling, {0, 0.25, 0.25, 0, 0.25, 0, 0.25, 0}, 4000);
  }
  bamba_rt_sampling first = drawing(0);
  EXPECT_EQ(sample(logits, first).token, 1);
}

TEST(Sample, InfinitiesAreNumbers) {
  bamba_rt_sampling sampling = drawing(1);
  sampling.top_p = 0.9F;
  EXPECT_EQ(sample({0, inf, 2}, sampling).token, 1);
  EXPECT_EQ(sample({-inf, -inf, 2}, sampling).token, 2);
  EXPECT_EQ(sample({-inf, -inf}, sampling).token, 0);
}

TEST(Sample, ARowWithoutNumbersGivesNone) {
  Logits logits = someLogits(), scratch(logits.size());
  bamba_rt_sampling sampling = drawing(1);
  bamba_rt_sample result = {};
  bambac_sample_row(logits.data(), static_cast<int64_t>(logits.size()), -1, 0, &sampling, &result, scratch.data());
  EXPECT_EQ(result.token, -1);
}

TEST(Sample, DependsOnSeedAndPositionAlone) {
  Logits logits(1000);
  for (size_t i = 0; i < logits.size(); ++i)
    logits[i] = static_cast<float>(std::sin(static_cast<double>(i)));
  std::map<int, int> found;
  for (int position = 0; position < 20; ++position)
    for (uint64_t seed : {uint64_t{1}, uint64_t{2}, uint64_t{1} << 32}) {
      int token = sample(logits, drawing(1, seed), position).token;
      ++found[token];
      EXPECT_EQ(sample(logits, drawing(1, seed), position).token, token);
    }
  EXPECT_GT(found.size(), 50U) << "of 60 draws";
}

TEST(Sample, LogProbabilities) {
  Logits logits = someLogits();
  logits[4] = logits[20] = 3.9F; // the first of equal ones comes first
  bamba_rt_sampling sampling = drawing(0.7F);
  sampling.flags |= BAMBA_RT_SAMPLING_LOGPROBS;
  sampling.num_best = BAMBA_RT_MOST_BEST;
  bamba_rt_sample result = sample(logits, sampling);
  double sum = 0;
  for (float logit : logits)
    sum += std::exp(double{logit});
  auto expected = [&](int token) { return double{logits[token]} - std::log(sum); };
  EXPECT_NEAR(result.logprob, expected(result.token), 1e-6);
  std::vector<int> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, std::greater(), [&](int token) { return logits[token]; });
  for (int i = 0; i < BAMBA_RT_MOST_BEST; ++i) {
    EXPECT_EQ(result.best[i], order[i]) << i;
    EXPECT_NEAR(result.best_logprobs[i], expected(order[i]), 1e-6) << i;
  }
  // Of the greedy token too.
  sampling.flags = BAMBA_RT_SAMPLING_LOGPROBS;
  sampling.num_best = 0;
  result = sample(logits, sampling);
  EXPECT_EQ(result.token, greedyOf(logits));
  EXPECT_NEAR(result.logprob, expected(result.token), 1e-6);
}

TEST(Sample, LogProbabilitiesOfAnyTokenAndOfLargeLogits) {
  Logits logits = someLogits();
  double sum = 0;
  for (float logit : logits)
    sum += std::exp(double{logit});
  const std::vector<uint32_t> one = {1U << 9, 0};
  bamba_rt_sampling sampling = drawing(0);
  sampling.flags |= BAMBA_RT_SAMPLING_MASKS | BAMBA_RT_SAMPLING_LOGPROBS;
  sampling.allowed = reinterpret_cast<uint64_t>(one.data());
  bamba_rt_sample result = sample(logits, sampling);
  ASSERT_EQ(result.token, 9);
  ASSERT_NE(result.token, greedyOf(logits));
  EXPECT_NEAR(result.logprob, double{logits[9]} - std::log(sum), 1e-6) << "by all logits, not only those allowed";

  sampling.flags = BAMBA_RT_SAMPLING_LOGPROBS;
  sampling.num_best = 2;
  result = sample({1000, 0}, sampling);
  EXPECT_NEAR(result.logprob, 0, 1e-6) << "large logits do not overflow";
  EXPECT_NEAR(result.best_logprobs[1], -1000, 1e-3);
}
