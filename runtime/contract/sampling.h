/* How the next token is drawn from a row of logits: the records that the runtime writes and kernels read, and the
 * arithmetic that both devices share, so that they mean the same by every parameter.
 *
 * With z(v) the logit of token v after the edits of its sequence (adjustLogit below) and T the temperature:
 *
 *   1. Tokens that the mask leaves out do not take part. Where T is 0, the largest z wins, the first of equal ones.
 *   2. top_k keeps the k largest z.
 *   3. top_p keeps, of those, the most likely tokens whose weights exp((z - max z) / T) add up to that share of theirs.
 *   4. min_p keeps tokens at least that many times as likely as the most likely one.
 *   5. Of what is left, the token with the largest z / T + g(v) wins, where g(v) is Gumbel noise: a draw from softmax
 * of z / T (the Gumbel-max trick; Maddison, Tarlow, Minka, "A* Sampling").
 *
 * Tokens as likely as the last one that step 2 or 3 keeps are kept too. Weights are rounded to multiples of 2^-27, and
 * their sums are integers: they depend on no order. The noise is Philox4x32-10 (Salmon et al., "Parallel Random
 * Numbers: As Easy as 1, 2, 3") of the seed, the token's position in its sequence and v: it depends on nothing else. */
#ifndef BAMBA_RUNTIME_CONTRACT_SAMPLING_H
#define BAMBA_RUNTIME_CONTRACT_SAMPLING_H

#include "runtime/contract/integers.h"

/* The most likely tokens that a row can give besides the one that was drawn. */
#define BAMBA_RT_MOST_BEST 20

enum bamba_rt_sampling_flags {
  BAMBA_RT_SAMPLING_DRAWS = 1,    /* the token is not simply the greedy one */
  BAMBA_RT_SAMPLING_LOGPROBS = 2, /* log-probabilities are wanted */
  BAMBA_RT_SAMPLING_EDITS = 4,    /* `edits` and the penalties count */
  BAMBA_RT_SAMPLING_MASKS = 8     /* `allowed` counts */
};

/* What changes the logit of one token. */
typedef struct bamba_rt_edit {
  int token;
  float bias;
  uint32_t prompt;    /* 1 where the token is in the prompt */
  uint32_t generated; /* how often it was generated */
} bamba_rt_edit;

/* The parameters of a row of logits. All zero: the greedy token, and the kernel leaves the row at once. */
typedef struct bamba_rt_sampling {
  uint32_t flags; /* bamba_rt_sampling_flags */
  float temperature;
  uint32_t top_k; /* 0: all */
  float top_p;    /* 1: all */
  float min_p;    /* 0: all */
  float repetition, presence, frequency;
  uint32_t seed[2];
  uint32_t num_best;
  uint32_t num_edits;
  uint64_t edits;   /* the address of num_edits bamba_rt_edit, ascending by token */
  uint64_t allowed; /* the address of a bit for each token, 32 a word */
  uint64_t awaited; /* with EDITS: the address of a token that was generated since; 0: of none */
} bamba_rt_sampling;
#define BAMBA_RT_SAMPLING_WORDS 18

/* What a row gives. */
typedef struct bamba_rt_sample {
  int token;     /* -1 where a logit is not a number */
  float logprob; /* of the token, by softmax of the logits as the model gives them */
  int best[BAMBA_RT_MOST_BEST];
  float best_logprobs[BAMBA_RT_MOST_BEST];
} bamba_rt_sample;
#define BAMBA_RT_SAMPLE_WORDS 42

#ifdef __cplusplus
static_assert(sizeof(bamba_rt_edit) == 16, "device memory has this layout");
static_assert(sizeof(bamba_rt_sampling) == sizeof(uint32_t) * BAMBA_RT_SAMPLING_WORDS, "device memory has this layout");
static_assert(sizeof(bamba_rt_sample) == sizeof(uint32_t) * BAMBA_RT_SAMPLE_WORDS, "device memory has this layout");

#ifdef __CUDACC__
#define BAMBAC_RT_DEVICE __host__ __device__
#else
#include <cmath>
#define BAMBAC_RT_DEVICE
#endif

namespace bambac::contract {

/// Four random words of a counter under a key.
struct Philox {
  uint32_t words[4];
};
BAMBAC_RT_DEVICE inline Philox philox(uint32_t c0, uint32_t c1, uint32_t c2, uint32_t c3, uint32_t k0, uint32_t k1) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t left = uint64_t{0xD2511F53u} * c0, right = uint64_t{0xCD9E8D57u} * c2;
    c0 = static_cast<uint32_t>(right >> 32) ^ c1 ^ k0;
    c1 = static_cast<uint32_t>(right);
    c2 = static_cast<uint32_t>(left >> 32) ^ c3 ^ k1;
    c3 = static_cast<uint32_t>(left);
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return {{c0, c1, c2, c3}};
}

/// The noise of tokens 4 * block to 4 * block + 3, as random words.
BAMBAC_RT_DEVICE inline Philox noiseOf(const bamba_rt_sampling &sampling, int position, int block) {
  return philox(static_cast<uint32_t>(block), static_cast<uint32_t>(position), 0, 0, sampling.seed[0],
                sampling.seed[1]);
}

/// Gumbel noise -log(E) of a random word, E exponential. The word stands for the middle of its 2^-32, and small E,
/// which win, come from small numbers, whose logarithm has all its bits.
BAMBAC_RT_DEVICE inline float gumbel(uint32_t word) {
  const float uniform = (static_cast<float>(word) + 0.5f) * 0x1p-32f;
  return -logf(-log1pf(-(uniform < 1.0f ? uniform : 0x1.fffffep-1f)));
}

/// A number that is larger for a larger logit; no number has 0. Both zeros are equal.
BAMBAC_RT_DEVICE inline uint32_t orderOf(uint32_t bits) { return bits >> 31 ? ~bits : bits | 0x80000000u; }

/// A logit after the edit of its token: the repetition penalty on tokens of the prompt and on generated ones, presence
/// and frequency penalties on generated ones, then the bias.
BAMBAC_RT_DEVICE inline float adjustLogit(const bamba_rt_sampling &sampling, const bamba_rt_edit &edit, float logit) {
  if (edit.prompt || edit.generated)
    logit = logit > 0.0f ? logit / sampling.repetition : logit * sampling.repetition;
  if (edit.generated)
    logit -= sampling.presence + sampling.frequency * static_cast<float>(edit.generated);
  return logit + edit.bias;
}

/// The edit of a token, null for none.
BAMBAC_RT_DEVICE inline const bamba_rt_edit *findEdit(const bamba_rt_sampling &sampling, int token) {
  // NOLINTNEXTLINE(performance-no-int-to-ptr): an address of the device is a number to the host
  const bamba_rt_edit *edits = reinterpret_cast<const bamba_rt_edit *>(sampling.edits);
  uint32_t first = 0, end = sampling.num_edits;
  while (first < end) {
    const uint32_t middle = (first + end) / 2;
    if (edits[middle].token < token)
      first = middle + 1;
    else
      end = middle;
  }
  return first < sampling.num_edits && edits[first].token == token ? edits + first : nullptr;
}

/// The token that was generated after those that the edits count: where the row is computed before the host knows it.
/// Negative for none.
BAMBAC_RT_DEVICE inline int awaitedToken(const bamba_rt_sampling &sampling) {
  // NOLINTNEXTLINE(performance-no-int-to-ptr): as above
  return sampling.awaited ? *reinterpret_cast<const int *>(sampling.awaited) : -1;
}

/// What changes the logit of a token: its edit, and that it is the awaited one.
BAMBAC_RT_DEVICE inline bamba_rt_edit editOf(const bamba_rt_sampling &sampling, int token) {
  const bamba_rt_edit *found = findEdit(sampling, token);
  bamba_rt_edit edit = {token, 0.0f, 0, 0};
  if (found)
    edit = *found;
  if (token == awaitedToken(sampling))
    ++edit.generated;
  return edit;
}

/// The weight of a logit below the largest one, in multiples of 2^-27; equal infinities are as likely as can be.
inline constexpr uint32_t kWholeWeight = 1u << 27;
BAMBAC_RT_DEVICE inline uint32_t weightOf(float logit, float largest, float inverseTemperature) {
  if (logit == largest)
    return kWholeWeight;
  // NOLINTNEXTLINE(bugprone-incorrect-roundings): not negative, and the same bits on each device
  return static_cast<uint32_t>(expf((logit - largest) * inverseTemperature) * static_cast<float>(kWholeWeight) + 0.5f);
}

/// What top_p of a sum of weights has to reach: at least the most likely token.
BAMBAC_RT_DEVICE inline uint64_t wantedWeight(float share, uint64_t all) {
  const uint64_t wanted = static_cast<uint64_t>(static_cast<double>(share) * static_cast<double>(all));
  return wanted > 0 ? wanted : 1;
}

} // namespace bambac::contract
#endif
#endif /* BAMBA_RUNTIME_CONTRACT_SAMPLING_H */
