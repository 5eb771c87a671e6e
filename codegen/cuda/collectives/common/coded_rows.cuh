// What a decode step does with the rows of a state of codes on tensor cores: their sums with C, and the rows after the
// tokens of a full ring.
//
// With the factor f = exp(a) scale of a row's codes, the row after tokens of weights w[j] and inputs x[j] and B[j] is
//
//   f codes + sum_j w[j] x[j] B[j]  =  f (codes + sum_j (w[j] x[j] / f) B[j])
//
// so that a product [columns, tokens] x [tokens, channels] begins with the codes as they are. B is exact in tf32, and
// w x / f is the sum of two numbers of tf32 to 21 bits. Where f is below 2^-64 that is the unit in its place, and codes
// are scaled: quotients stay finite.
#pragma once
#include "common/ssm_ring.cuh"
#include "common/ssm_state_rows.cuh"

namespace bambac {

/// The rows of a block of SsmStateRows. `Tokens`: its RingTile. Lanes take other parts of the rows here than those that
/// SsmStateRows gives them.
template <class StateRows, class Tokens> class CodedRows {
  using Block = typename StateRows::Block;
  using Landing = typename StateRows::Landing;
  using Geometry = geometry::SsmStep;
  static constexpr int kStateSize = StateRows::kStateSize, kTile = StateRows::kTile, kWarps = StateRows::kThreads / 32;
  static constexpr int kChunk = Geometry::kChunk, kChunks = kStateSize / kChunk; ///< codes; those of a row

public:
  /// The sums with `factors`, C in fixed point, without the decays. A warp takes 16 rows at a time.
  static __device__ __forceinline__ void sum(const FixedVector<kStateSize> &factors, const Block &block,
                                             const Landing &loaded, float *sums) {
    const FixedFactors<kStateSize> c(factors);
    const int lane = threadIdx.x % 32;
#pragma unroll 1
    for (int first = threadIdx.x / 32 * 16; first < kTile; first += kWarps * 16) {
      const float sum = c.multiply([&](int row, int chunk) { return chunkOf(loaded, first + row, chunk); });
      const int row = first + lane / 4 + lane % 4 * 8;
      if (lane % 4 < 2 && row < block.channels)
        sums[row] = sum;
    }
  }

  /// Writes the rows after the first `count` tokens, at least one. `decays`: exp(a) of each head.
  static __device__ __forceinline__ void update(const Block &block, const StateRows &rows, const Landing &loaded,
                                                const Tokens &tokens, int count, const float *decays) {
#pragma unroll 1
    for (int first = threadIdx.x / 32 * kChannels; first < block.channels; first += kWarps * kChannels) {
      const Factor factor(block, loaded, decays, first);
      Values values;
      values.widen(loaded, factor, first);
#pragma unroll 1
      for (int token = 0; token < count; token += kTokens)
        addTokens(tokens, token, count, factor, values);
      write(block, rows, factor, first, values);
    }
  }

private:
  /// Of an instruction. Its 16 columns are two of each of eight chunks.
  static constexpr int kChannels = 8, kTokens = 8;
  /// A lane has chunk lane / 4 of each group.
  static constexpr int kGroups = StateRows::kGeometry.chunkGroups(StateRows::kShape);
  static __device__ __forceinline__ int chunkOfLane(int group) {
    return threadIdx.x % 32 / 4 + group * Geometry::kGroupChunks;
  }
  static __device__ __forceinline__ bool hasChunk(int group) {
    return kChunks % Geometry::kGroupChunks == 0 || chunkOfLane(group) < kChunks;
  }
  static __device__ __forceinline__ uint4 chunkOf(const Landing &loaded, int row, int chunk) {
    const int exists = kTile % 16 == 0 ? row : minOf(row, kTile - 1);
    return *reinterpret_cast<const uint4 *>(&loaded.vectors[exists * StateRows::kRowVectors + chunk]);
  }

  /// What the codes of eight channels are multiplied by.
  struct Factor {
    int channel;   ///< lane / 4 of the eight, or the last that there is
    float inverse; ///< of that one's unit
    float both[2]; ///< the factors of the channels of Values

    __device__ __forceinline__ Factor(const Block &block, const Landing &loaded, const float *decays, int first)
        : channel(minOf(first + int(threadIdx.x) % 32 / 4, block.channels - 1)) {
      const float own = decays[Block::headOf(channel)] * loaded.scaleOf(channel);
      inverse = __fdividef(1.0f, unitOf(own));
#pragma unroll
      for (int i = 0; i < 2; ++i)
        both[i] = __shfl_sync(0xffffffffu, own, (threadIdx.x % 4 * 2 + i) * 4);
    }
    static constexpr float kLeastUnit = 0x1p-64f;
    /// What a row with this factor is counted in, and its codes in that unit.
    static __device__ __forceinline__ float unitOf(float factor) { return factor < kLeastUnit ? kLeastUnit : factor; }
    static __device__ __forceinline__ float scaleOf(float factor) {
      return factor < kLeastUnit ? factor * (1.0f / kLeastUnit) : 1.0f;
    }
  };

  /// The lane's chunks of channels lane % 4 * 2 and the next, in their units.
  struct Values {
    float products[kGroups][kChunk / 2][4]; ///< of columns 2 i and 2 i + 1 of the chunk
    __device__ __forceinline__ float &at(int group, int channel, int column) {
      return products[group][column / 2][column % 2 * 2 + channel];
    }
    __device__ __forceinline__ void widen(const Landing &loaded, const Factor &factor, int first) {
#pragma unroll
      for (int channel = 0; channel < 2; ++channel)
#pragma unroll
        for (int group = 0; group < kGroups; ++group) {
          float codes[kChunk] = {};
          if (hasChunk(group)) {
            const uint4 chunk = chunkOf(loaded, first + threadIdx.x % 4 * 2 + channel, chunkOfLane(group));
            bambac::widen(reinterpret_cast<const RawVector<int8, kChunk> &>(chunk), codes);
            if (const float scale = Factor::scaleOf(factor.both[channel]); scale != 1.0f)
#pragma unroll
              for (int i = 0; i < kChunk; ++i)
                codes[i] *= scale;
          }
#pragma unroll
          for (int i = 0; i < kChunk; ++i)
            at(group, channel, i) = codes[i];
        }
    }
  };

  /// Adds kTokens tokens from the `first` on; those from `count` on do not exist.
  static __device__ __forceinline__ void addTokens(const Tokens &tokens, int first, int count, const Factor &factor,
                                                   Values &values) {
    const int head = Block::headOf(factor.channel), token = first + int(threadIdx.x) % 4, own[2] = {token, token + 4};
    uint32 high[2], low[2];
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      float input = 0.0f;
      if (own[i] < count)
        input = tokens.weightOf(own[i], head) * tokens.inputOf(own[i], factor.channel) * factor.inverse;
      high[i] = __float_as_uint(input) & kTf32Bits;
      low[i] = __float_as_uint(input - __uint_as_float(high[i])) & kTf32Bits;
    }
#pragma unroll
    for (int group = 0; group < kGroups; ++group)
#pragma unroll
      for (int part = 0; part < 2; ++part) { // of the chunk
        RawVector<typename Tokens::Element, kChunk / 2> columns[2] = {};
#pragma unroll
        for (int i = 0; i < 2; ++i)
          if (own[i] < count && hasChunk(group))
            columns[i] =
                loadRaw<kChunk / 2>(tokens.columnsOf(own[i]) + chunkOfLane(group) * kChunk + part * kChunk / 2);
#pragma unroll
        for (int pair = 0; pair < kChunk / 4; ++pair) {
          uint32 b[4];
#pragma unroll
          for (int i = 0; i < 4; ++i)
            b[i] = __float_as_uint(columns[i / 2][pair * 2 + i % 2]);
          float (&products)[4] = values.products[group][part * kChunk / 4 + pair];
          mmaTf32(products, b, high[0], high[1]);
          mmaTf32(products, b, low[0], low[1]);
        }
      }
  }

  static __device__ __forceinline__ void write(const Block &block, const StateRows &rows, const Factor &factor,
                                               int first, Values &values) {
    const int lane = threadIdx.x % 32, firstOfLane = first + lane % 4 * 2;
    float most[2];
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      most[i] = 0.0f;
#pragma unroll
      for (int group = 0; group < kGroups; ++group)
#pragma unroll
        for (int k = 0; k < kChunk; ++k)
          most[i] = largerMagnitude(most[i], values.at(group, i, k));
      most[i] = laneMagnitude<4, 32>(most[i]);
    }
    // Lanes of even chunks make the scale of the first channel, those of odd ones that of the second.
    const int own = lane / 4 % 2;
    const float unit = Factor::unitOf(own ? factor.both[1] : factor.both[0]);
    const CodeScale scale((own ? most[1] : most[0]) * unit);
    if (lane / 4 < 2 && firstOfLane + own < block.channels)
      rows.scales[firstOfLane + own] = scale.scale;
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const float inverse = __shfl_sync(0xffffffffu, scale.inverse * unit, lane % 4 + i * 4);
#pragma unroll
      for (int group = 0; group < kGroups; ++group) {
        float elements[kChunk];
#pragma unroll
        for (int k = 0; k < kChunk; ++k)
          elements[k] = values.at(group, i, k);
        if (firstOfLane + i < block.channels && hasChunk(group))
          storeCodes(rows.tile + (firstOfLane + i) * kStateSize + chunkOfLane(group) * kChunk, elements, inverse);
      }
    }
  }
};

} // namespace bambac
