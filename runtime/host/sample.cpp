// bamba.sample on the processor: what its kernel calls for each row. Passes over the row, as the GPU's kernel makes
// them, so that both keep the same tokens.
#include "runtime/contract/sampling.h"
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>

using namespace bambac::contract;

namespace {

constexpr float notAllowed = std::numeric_limits<float>::quiet_NaN();

/// Larger for a larger logit, 0 where the token does not take part.
uint32_t keyOf(float logit) { return std::isnan(logit) ? 0 : orderOf(std::bit_cast<uint32_t>(logit + 0.0F)); }

/// Finds the token of one row.
class Drawer {
public:
  /// `logits` are copied to `edited`, of as many.
  Drawer(const bamba_rt_sampling &sampling, std::span<const float> logits, std::span<float> edited)
      : sampling(sampling), logits(edited) {
    std::ranges::copy(logits, edited.begin());
    if (sampling.flags & BAMBA_RT_SAMPLING_EDITS)
      edit();
    if (sampling.flags & BAMBA_RT_SAMPLING_MASKS)
      mask();
    best = findLargest();
  }

  int draw(int position) {
    if (sampling.temperature == 0)
      return static_cast<int>(best);
    inverse = 1.0F / sampling.temperature;
    uint32_t least = 1;
    if (sampling.top_k > 0)
      least = select(least, [&](uint64_t) { return uint64_t{sampling.top_k}; }, [](float) { return uint64_t{1}; });
    if (sampling.top_p < 1)
      least = select(
          least, [&](uint64_t all) { return wantedWeight(sampling.top_p, all); },
          [&](float logit) { return uint64_t{weightOf(logit, logits[best], inverse)}; });
    return race(least, position);
  }

private:
  void edit() {
    const auto *edits = reinterpret_cast<const bamba_rt_edit *>(sampling.edits); // NOLINT(performance-no-int-to-ptr)
    const int awaited = awaitedToken(sampling);
    for (const bamba_rt_edit &edit : std::span(edits, sampling.num_edits))
      if (edit.token != awaited)
        logits[edit.token] = adjustLogit(sampling, edit, logits[edit.token]);
    if (awaited >= 0)
      logits[awaited] = adjustLogit(sampling, editOf(sampling, awaited), logits[awaited]);
  }

  void mask() {
    const auto *allowed = reinterpret_cast<const uint32_t *>(sampling.allowed); // NOLINT(performance-no-int-to-ptr)
    for (size_t token = 0; token < logits.size(); ++token)
      if (!(allowed[token / 32] >> token % 32 & 1))
        logits[token] = notAllowed;
  }

  size_t findLargest() const {
    size_t largest = 0;
    for (size_t token = 1; token < logits.size(); ++token)
      if (keyOf(logits[token]) > keyOf(logits[largest]))
        largest = token;
    return largest;
  }

  /// The smallest key of the tokens that are kept: of those from `least` on, as many of the largest as weigh `wanted`
  /// of the weight of all. `least` where they weigh less.
  template <typename Wanted, typename Weigh>
  uint32_t select(uint32_t least, const Wanted &getWanted, const Weigh &weigh) const {
    constexpr unsigned bits = 8, numBins = 1U << bits;
    uint64_t wanted = 0;
    uint32_t prefix = 0;
    for (int shift = 32 - bits; shift >= 0; shift -= bits) {
      uint64_t bins[numBins] = {}, all = 0;
      for (float logit : logits) {
        uint32_t key = keyOf(logit);
        if (key < least || (uint64_t{key} >> (shift + bits)) != prefix)
          continue;
        uint64_t weight = weigh(logit);
        bins[key >> shift & (numBins - 1)] += weight;
        all += weight;
      }
      if (shift == 32 - bits) {
        wanted = getWanted(all);
        if (all < wanted)
          return least;
      }
      unsigned bin = numBins - 1;
      for (; bins[bin] < wanted; --bin)
        wanted -= bins[bin];
      prefix = prefix << bits | bin;
    }
    return prefix;
  }

  /// The first of the tokens whose score is the largest.
  int race(uint32_t least, int position) const {
    const float lowest = sampling.min_p > 0 ? std::log(sampling.min_p) : -std::numeric_limits<float>::infinity();
    int winner = static_cast<int>(best);
    float highest = -std::numeric_limits<float>::infinity();
    bool isFirst = true;
    for (size_t first = 0; first < logits.size(); first += 4) {
      Philox noise = noiseOf(sampling, position, static_cast<int>(first / 4));
      for (size_t token = first; token < std::min(first + 4, logits.size()); ++token) {
        float logit = logits[token];
        if (keyOf(logit) < least || (logit != logits[best] && (logit - logits[best]) * inverse < lowest))
          continue;
        float score = logit * inverse + gumbel(noise.words[token - first]);
        if (isFirst || score > highest) {
          winner = static_cast<int>(token);
          highest = score;
          isFirst = false;
        }
      }
    }
    return winner;
  }

  const bamba_rt_sampling &sampling;
  std::span<float> logits; ///< after the edits; NaN where a token is not allowed
  size_t best = 0;         ///< the first of the largest
  float inverse = 1;       ///< of the temperature
};

/// Log-probabilities by softmax of the logits.
class Logprobs {
public:
  Logprobs(std::span<const float> logits, int32_t greedy) : logits(logits), largest(logits[greedy]) {
    double sum = 0;
    for (float logit : logits)
      sum += std::exp(below(logit));
    logOfSum = static_cast<float>(std::log(sum));
  }
  float operator()(int token) const { return below(logits[token]) - logOfSum; }

  /// The tokens of the largest logits, the first of equal ones first.
  void findBest(uint32_t count, bamba_rt_sample &sample) const {
    uint32_t found = 0;
    for (size_t token = 0; token < logits.size(); ++token) {
      if (found == count && (count == 0 || logits[token] <= logits[sample.best[count - 1]]))
        continue;
      uint32_t at = found < count ? found++ : count - 1;
      for (; at > 0 && logits[token] > logits[sample.best[at - 1]]; --at)
        sample.best[at] = sample.best[at - 1];
      sample.best[at] = static_cast<int>(token);
    }
    for (uint32_t i = 0; i < found; ++i)
      sample.best_logprobs[i] = (*this)(sample.best[i]);
  }

private:
  float below(float logit) const { return logit == largest ? 0 : logit - largest; }

  std::span<const float> logits;
  float largest, logOfSum = 0;
};

} // namespace

/// One row of bamba.sample: logits of `vocabulary` tokens, the greedy token, the position of the row's token,
/// the parameters, the result, and memory for as many floats as there are logits.
extern "C" void bambac_sample_row(const float *logits, int64_t vocabulary, int32_t greedy, int32_t position,
                                  const bamba_rt_sampling *sampling, bamba_rt_sample *result, float *scratch) {
  result->token = greedy;
  if (sampling->flags == 0 || greedy < 0)
    return;
  std::span<const float> row(logits, static_cast<size_t>(vocabulary));
  if (sampling->flags & BAMBA_RT_SAMPLING_DRAWS)
    result->token = Drawer(*sampling, row, {scratch, row.size()}).draw(position + 1);
  if (sampling->flags & BAMBA_RT_SAMPLING_LOGPROBS) {
    Logprobs logprobs(row, greedy);
    result->logprob = logprobs(result->token);
    logprobs.findBest(sampling->num_best, *result);
  }
}
