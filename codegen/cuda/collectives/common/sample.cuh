// Draws a token from each row of logits, as runtime/contract/sampling.h says, and finds log-probabilities. A block has
// a row; one that only wants the greedy token leaves at once.
//
// A block passes over its row, whose logits come from the L2 cache or from memory, as often as its parameters ask: once
// for the largest, three times for each of top_k and top_p (a histogram of 11, 11 and 10 bits of the keys, from which
// the bin of the last token that is kept is known), once for the draw itself.
#pragma once
#include "common/row_maxima.cuh"
#include "common/row_views.cuh"
#include "runtime/contract/sampling.h"

namespace bambac {

/// Shape: kRows, kColumns, kVector.
template <class Shape> class Sample {
  static constexpr int kColumns = Shape::kColumns, kBlocksOfFour = ceilDiv(kColumns, 4);
  static constexpr int kWords = ceilDiv(kColumns, 32); ///< of a bit for each token
  static constexpr int kBins = 2048, kLowBits = 14;    ///< of a weight, in one of two histograms
  static_assert(kColumns <= 1 << 18, "sums of the halves of weights fit 32 bits");

public:
  static constexpr int kThreads = minOf(1024, alignTo(kBlocksOfFour, 32)), kMinBlocks = 1;
  static constexpr Launch kLaunch = {Shape::kRows, 1, 1, kThreads, 1, (2 * kBins + kWords) * 4, 1, 0};

  /// `kept`: the rows of the step that the logits belong to; null where all are kept.
  template <class Logits>
  static __device__ __forceinline__ void run(Logits logits, const int *greedy, const int *positions, const int *kept,
                                             const int *sampling, int *result, const int *rows = nullptr) {
    extern __shared__ __align__(16) uint8 shared[];
    launchDependents();
    waitForPredecessors();
    const int row = blockIdx.x;
    if (row >= rowCount<Shape::kRows>(rows))
      return;
    const bamba_rt_sampling parameters = reinterpret_cast<const bamba_rt_sampling *>(sampling)[row];
    bamba_rt_sample *sample = reinterpret_cast<bamba_rt_sample *>(result) + row;
    const int best = greedy[row];
    if (parameters.flags == 0 || best < 0) {
      if (threadIdx.x == 0)
        sample->token = best;
      return;
    }
    Sample block(logits[row], parameters, reinterpret_cast<uint32 *>(shared));
    int token = best;
    if (parameters.flags & BAMBA_RT_SAMPLING_DRAWS)
      token = block.draw(positions[kept ? kept[row] : row] + 1);
    if (threadIdx.x == 0)
      sample->token = token;
    if (parameters.flags & BAMBA_RT_SAMPLING_LOGPROBS)
      block.findLogprobs(token, best, *sample);
  }

private:
  const float *const logits;
  const bamba_rt_sampling &parameters;
  uint32 *const lowBins, *const highBins, *const edited;
  float largest = 0.0f, inverse = 1.0f;

  __device__ __forceinline__ Sample(const float *logits, const bamba_rt_sampling &parameters, uint32 *shared)
      : logits(logits), parameters(parameters), lowBins(shared), highBins(shared + kBins), edited(shared + 2 * kBins) {}

  // --- a pass over the row ------------------------------------------------------------------------------------------

  /// Calls `function(block, values)` for each four tokens 4 * block to 4 * block + 3; -infinity after the last.
  template <class Function> __device__ __forceinline__ void forEachFour(Function function) const {
    constexpr int kVector = dividingVector(minOf(Shape::kVector, 4), kColumns);
    for (int block = threadIdx.x; block < kBlocksOfFour; block += kThreads) {
      float values[4];
      if constexpr (kVector == 4) {
        loadVector(logits + block * 4, values);
      } else {
#pragma unroll
        for (int i = 0; i < 4; ++i)
          values[i] = block * 4 + i < kColumns ? logits[block * 4 + i] : __int_as_float(0xff800000);
      }
      function(block, values);
    }
  }

  /// Few tokens have edits: as a function of its own this is compiled once, and not in each pass.
  static __device__ __noinline__ float adjusted(const bamba_rt_sampling &parameters, int token, float value) {
    return contract::adjustLogit(parameters, contract::editOf(parameters, token), value);
  }

  /// Calls `function(block, values, keys)` with logits after the edits, and keys that are larger for larger ones and 0
  /// for tokens that do not take part.
  template <class Function> __device__ __forceinline__ void forEachEdited(Function function) const {
    const uint32 *allowed = reinterpret_cast<const uint32 *>(parameters.allowed);
    forEachFour([&](int block, float (&values)[4]) {
      uint32 part = 15, edits = 0, keys[4];
      if (parameters.flags & BAMBA_RT_SAMPLING_MASKS)
        part = allowed[block / 8] >> block % 8 * 4;
      if (parameters.flags & BAMBA_RT_SAMPLING_EDITS)
        edits = edited[block / 8] >> block % 8 * 4 & 15;
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        if (edits >> i & 1)
          values[i] = adjusted(parameters, block * 4 + i, values[i]);
        const bool takesPart = part >> i & 1 && block * 4 + i < kColumns;
        keys[i] = takesPart ? contract::orderOf(__float_as_uint(values[i] + 0.0f)) : 0;
      }
      function(block, values, keys);
    });
  }

  /// Notes which tokens have edits.
  __device__ __forceinline__ void markEdits() const {
    for (int i = threadIdx.x; i < kWords; i += kThreads)
      edited[i] = 0;
    __syncthreads();
    const bamba_rt_edit *edits = reinterpret_cast<const bamba_rt_edit *>(parameters.edits);
    for (int i = threadIdx.x; i < int(parameters.num_edits); i += kThreads)
      atomicOr(edited + edits[i].token / 32, 1u << edits[i].token % 32);
    const int awaited = contract::awaitedToken(parameters);
    if (threadIdx.x == 0 && awaited >= 0)
      atomicOr(edited + awaited / 32, 1u << awaited % 32);
    __syncthreads();
  }

  // --- of all threads -----------------------------------------------------------------------------------------------

  /// The largest of all threads' keys, in all threads.
  static __device__ __forceinline__ uint64 blockMax(uint64 key) {
    __shared__ uint64 warps[kThreads / 32];
    __syncthreads(); // the last maximum has been read
#pragma unroll
    for (int mask = 16; mask; mask >>= 1)
      key = max(key, __shfl_xor_sync(0xffffffffu, key, mask));
    if (threadIdx.x % 32 == 0)
      warps[threadIdx.x / 32] = key;
    __syncthreads();
#pragma unroll 4
    for (int i = 0; i < kThreads / 32; ++i)
      key = max(key, warps[i]);
    return key;
  }

  /// The sum of all threads' numbers, in a fixed order.
  static __device__ __forceinline__ float blockSum(float value) {
    __shared__ float warps[kThreads / 32];
    value = warpSum(value);
    if (threadIdx.x % 32 == 0)
      warps[threadIdx.x / 32] = value;
    __syncthreads();
    float sum = 0.0f;
#pragma unroll 4
    for (int i = 0; i < kThreads / 32; ++i)
      sum += warps[i];
    return sum;
  }

  // --- the draw -----------------------------------------------------------------------------------------------------

  __device__ __forceinline__ int draw(int position) {
    if (parameters.flags & BAMBA_RT_SAMPLING_EDITS)
      markEdits();
    const bool filters = parameters.top_k > 0 || parameters.top_p < 1.0f || parameters.min_p > 0.0f;
    uint32 least = 1;
    if (parameters.temperature == 0.0f || filters) {
      const uint64 first = findLargest();
      if (parameters.temperature == 0.0f)
        return columnOfKey(first);
      const uint32 order = uint32(first >> 32);
      largest = __uint_as_float(order >> 31 ? order & 0x7fffffffu : ~order);
    }
    inverse = 1.0f / parameters.temperature;
#pragma unroll 1 // one after the other in the same code
    for (int i = 0; i < 2; ++i) {
      const bool isTopP = i == 1;
      if (isTopP ? parameters.top_p < 1.0f : parameters.top_k > 0)
        least = select(
            least,
            [&](uint64 all) {
              return isTopP ? contract::wantedWeight(parameters.top_p, all) : uint64(parameters.top_k);
            },
            [&](float logit) { return isTopP ? contract::weightOf(logit, largest, inverse) : 1u; });
    }
    return race(least, position);
  }

  /// The key of the first of the largest logits after the edits.
  __device__ __forceinline__ uint64 findLargest() const {
    uint64 best = 0;
    forEachEdited([&](int block, const float (&values)[4], const uint32(&keys)[4]) {
#pragma unroll
      for (int i = 0; i < 4; ++i)
        if (keys[i])
          best = max(best, maximumKey(values[i], block * 4 + i));
    });
    return blockMax(best);
  }

  /// The smallest key of the tokens that are kept: of those from `least` on, as many of the largest as weigh `wanted`
  /// of the weight of all; `least` where they weigh less.
  template <class Wanted, class Weigh>
  __device__ __forceinline__ uint32 select(uint32 least, Wanted getWanted, Weigh weigh) const {
    uint64 wanted = 0;
    uint32 prefix = 0;
#pragma unroll 1
    for (int level = 0; level < 3; ++level) {
      const int shift = level == 0 ? 21 : level == 1 ? 10 : 0, bits = level == 2 ? 10 : 11;
      fillBins(least, level == 0 ? 32 : shift + bits, prefix, shift, (1u << bits) - 1, weigh);
      uint32 bin;
      if (!findBin(level == 0, getWanted, wanted, bin))
        return least;
      prefix = prefix << bits | bin;
    }
    return prefix;
  }

  template <class Weigh>
  __device__ __forceinline__ void fillBins(uint32 least, int prefixShift, uint32 prefix, int shift, uint32 mask,
                                           Weigh weigh) const {
    __syncthreads(); // the bins before have been read
    for (int i = threadIdx.x; i < 2 * kBins; i += kThreads)
      lowBins[i] = 0;
    __syncthreads();
    forEachEdited([&](int, const float (&values)[4], const uint32(&keys)[4]) {
#pragma unroll
      for (int i = 0; i < 4; ++i)
        if (keys[i] >= least && uint64(keys[i]) >> prefixShift == prefix) {
          const uint32 weight = weigh(values[i]), bin = keys[i] >> shift & mask;
          atomicAdd(lowBins + bin, weight & ((1u << kLowBits) - 1));
          if (weight >> kLowBits)
            atomicAdd(highBins + bin, weight >> kLowBits);
        }
    });
    __syncthreads();
  }

  __device__ __forceinline__ uint64 weightOfBin(int bin) const {
    return (uint64(highBins[bin]) << kLowBits) + lowBins[bin];
  }

  /// The bin, from the last on, with which the sum of weights reaches `wanted`, which then is what is left for the bin.
  /// False where all together do not. At the first level `wanted` is still to be found.
  template <class Wanted>
  __device__ __forceinline__ bool findBin(bool isFirst, Wanted getWanted, uint64 &wanted, uint32 &bin) const {
    __shared__ uint64 left;
    __shared__ int found;
    constexpr int kLaneBins = kBins / 32;
    if (threadIdx.x < 32) {
      const int last = kBins - 1 - int(threadIdx.x) * kLaneBins; // of the lane, which goes down
      uint64 own = 0;
#pragma unroll 4
      for (int i = 0; i < kLaneBins; ++i)
        own += weightOfBin(last - i);
      uint64 upTo = own; // the weight of the lanes up to this one
#pragma unroll
      for (int step = 1; step < 32; step *= 2) {
        const uint64 before = __shfl_up_sync(0xffffffffu, upTo, step);
        if (int(threadIdx.x) >= step)
          upTo += before;
      }
      const uint64 all = __shfl_sync(0xffffffffu, upTo, 31);
      if (isFirst)
        wanted = getWanted(all);
      if (threadIdx.x == 0)
        found = -1;
      __syncwarp();
      if (upTo - own < wanted && wanted <= upTo) {
        uint64 rest = wanted - (upTo - own);
        int at = last;
        while (weightOfBin(at) < rest)
          rest -= weightOfBin(at--);
        left = rest;
        found = at;
      }
    }
    __syncthreads();
    wanted = left;
    bin = uint32(found);
    return found >= 0;
  }

  /// The first of the tokens with the largest score.
  __device__ __forceinline__ int race(uint32 least, int position) const {
    const float lowest = parameters.min_p > 0.0f ? logf(parameters.min_p) : __int_as_float(0xff800000);
    uint64 best = 0;
    forEachEdited([&](int block, const float (&values)[4], const uint32(&keys)[4]) {
      uint32 part = 0;
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const bool isLikely =
            parameters.min_p == 0.0f || values[i] == largest || (values[i] - largest) * inverse >= lowest;
        part |= uint32(keys[i] >= least && isLikely) << i;
      }
      if (!part)
        return;
      const contract::Philox noise = contract::noiseOf(parameters, position, block);
#pragma unroll
      for (int i = 0; i < 4; ++i)
        if (part >> i & 1)
          best = max(best, maximumKey(values[i] * inverse + contract::gumbel(noise.words[i]), block * 4 + i));
    });
    return columnOfKey(blockMax(best));
  }

  // --- log-probabilities --------------------------------------------------------------------------------------------

  static __device__ __forceinline__ float below(float logit, float top) { return logit == top ? 0.0f : logit - top; }

  __device__ __forceinline__ void findLogprobs(int token, int greedy, bamba_rt_sample &sample) const {
    const float top = logits[greedy];
    float sum = 0.0f;
    forEachFour([&](int, const float (&values)[4]) {
#pragma unroll
      for (int i = 0; i < 4; ++i)
        sum += expf(below(values[i], top));
    });
    const float logOfSum = logf(blockSum(sum));
    if (threadIdx.x == 0)
      sample.logprob = below(logits[token], top) - logOfSum;
    uint64 previous = ~uint64(0);
    for (int number = 0; number < minOf(int(parameters.num_best), kColumns); ++number) {
      uint64 best = 0;
      forEachFour([&](int block, const float (&values)[4]) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          const uint64 key = block * 4 + i < kColumns ? maximumKey(values[i], block * 4 + i) : 0;
          if (key < previous)
            best = max(best, key);
        }
      });
      previous = blockMax(best);
      if (threadIdx.x == 0) {
        sample.best[number] = columnOfKey(previous);
        sample.best_logprobs[number] = below(logits[columnOfKey(previous)], top) - logOfSum;
      }
    }
  }
};

} // namespace bambac
