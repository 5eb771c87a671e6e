// Causal depthwise convolution of a chunk of tokens with bias and SiLU, continuing from a ring of the last inputs.
#pragma once
#include "common/launch.cuh"
#include "common/row_views.cuh"

namespace bambac {

/// Shape: kSequences, kTokens (of a sequence), kChannels, kTaps, kConvRing (rows of the ring), kVector,
/// kMultiprocessors.
///
/// A thread owns a vector of channels and a tile of tokens, over which it slides a window of the last inputs. The
/// thread of the first tile reads its channels of the ring and afterwards writes the chunk's last inputs there, which
/// it takes from the input itself: nobody else touches these channels of the ring.
template <class Shape> struct CausalConv1d {
  static constexpr int kThreads = 128, kMinBlocks = 4;
  /// As wide as the registers for the taps and the window allow.
  static __host__ __device__ constexpr int chooseVector() {
    int vector = dividingVector(Shape::kVector, Shape::kChannels);
    while (vector > 1 && vector * (2 * Shape::kTaps + 1) > 90)
      vector /= 2;
    return vector;
  }
  static constexpr int kVector = chooseVector();
  static constexpr int kRowVectors = Shape::kChannels / kVector;
  static constexpr int kHistory = Shape::kTaps - 1, kRing = Shape::kConvRing;
  static constexpr int kStep = 4; ///< tokens whose inputs a thread has under way at a time

  /// Tokens of a thread: long enough that few inputs are read twice, short enough that the device is full.
  static __host__ __device__ constexpr int chooseTile() {
    int tile = 32;
    while (tile < kHistory)
      tile *= 2;
    while (tile > kStep && tile / 2 >= kHistory &&
           ceilDiv(Shape::kTokens, tile) * kRowVectors * Shape::kSequences < Shape::kMultiprocessors * 512)
      tile /= 2;
    return tile;
  }
  static constexpr int kTile = chooseTile();
  static constexpr int kTiles = ceilDiv(Shape::kTokens, kTile);
  static constexpr Launch kLaunch = {
      ceilDiv(kTiles * kRowVectors, kThreads), Shape::kSequences, 1, kThreads, 1, 0, 1, 0};

  struct Weights {
    float taps[Shape::kTaps][kVector], bias[kVector];
  };
  /// The kHistory inputs before the current token, oldest first.
  struct Window {
    float inputs[kHistory + 1][kVector];
  };

  /// ring: [slots, kConvRing, kChannels], the input at position p in row p % kConvRing. counts: tokens present in each
  /// sequence's chunk; positions: of all tokens, the first of each sequence is used. bias: may be null.
  template <class Input, class Result>
  static __device__ __forceinline__ void run(Input input, const float *weight, const float *bias, float *ring,
                                             const int *slots, const int *counts, const int *positions, Result result) {
    launchDependents();
    const int item = blockIdx.x * kThreads + threadIdx.x, sequence = blockIdx.y;
    const int tile = item / kRowVectors, channel = item % kRowVectors * kVector;
    const bool isWorking = item < kTiles * kRowVectors;
    Weights weights;
    if (isWorking)
      weights = loadWeights(weight, bias, channel);
    waitForPredecessors();
    if (!isWorking)
      return;
    const int firstRow = sequence * Shape::kTokens, count = min(counts[sequence], Shape::kTokens);
    if (tile * kTile >= count)
      return;
    float *state = ring + static_cast<long long>(slots[sequence]) * kRing * Shape::kChannels + channel;
    const int position = max(positions[firstRow], 0);
    Window window;
    const int oldest = (position + kRing - kHistory) % kRing;
#pragma unroll
    for (int i = 0; i < kHistory; ++i) {
      if (tile == 0)
        loadVector(state + wrapped(oldest + i) * Shape::kChannels, window.inputs[i]);
      else
        loadHistory(input, firstRow, tile * kTile - kHistory + i, channel, window.inputs[i]);
    }
    convolve(input, result, firstRow, tile * kTile, count, channel, weights, window);
    if (tile == 0)
      keepLast(input, firstRow, count, position, channel, state);
  }

private:
  /// A row of the ring from one below 2 * kRing.
  static __device__ __forceinline__ int wrapped(int row) { return row < kRing ? row : row - kRing; }

  static __device__ __forceinline__ Weights loadWeights(const float *weight, const float *bias, int channel) {
    Weights weights = {};
#pragma unroll
    for (int j = 0; j < Shape::kTaps; ++j)
      loadVector(weight + j * Shape::kChannels + channel, weights.taps[j]);
    if (bias)
      loadVector(bias + channel, weights.bias);
    return weights;
  }

  /// An input before a later tile.
  template <class Input>
  static __device__ __forceinline__ void loadHistory(Input input, int firstRow, int token, int channel,
                                                     float (&to)[kVector]) {
    static_assert(kTile >= kHistory, "only the first tile reaches back to the ring");
    loadFrom<kVector>(input, firstRow + token, channel, to);
  }

  template <class Input, class Result>
  static __device__ __forceinline__ void convolve(Input input, Result result, int firstRow, int firstToken, int count,
                                                  int channel, const Weights &weights, Window &window) {
    const int end = min(firstToken + kTile, count);
#pragma unroll 1
    for (int token = firstToken; token < end; token += kStep) {
      float inputs[kStep][kVector];
#pragma unroll
      for (int i = 0; i < kStep; ++i)
        if (token + i < end)
          loadFrom<kVector>(input, firstRow + token + i, channel, inputs[i]);
#pragma unroll
      for (int i = 0; i < kStep; ++i)
        if (token + i < end)
          storeVector(result[firstRow + token + i] + channel, slide(inputs[i], weights, window).values);
    }
  }

  struct Outputs {
    float values[kVector];
  };

  /// The result at the token of `input`, which then becomes the newest of the window.
  static __device__ __forceinline__ Outputs slide(const float (&input)[kVector], const Weights &weights,
                                                  Window &window) {
    Outputs outputs;
#pragma unroll
    for (int k = 0; k < kVector; ++k) {
      float sum = weights.bias[k];
      window.inputs[kHistory][k] = input[k];
#pragma unroll
      for (int j = 0; j < Shape::kTaps; ++j)
        sum += weights.taps[j][k] * window.inputs[j][k];
#pragma unroll
      for (int j = 0; j < kHistory; ++j)
        window.inputs[j][k] = window.inputs[j + 1][k];
      outputs.values[k] = silu(sum);
    }
    return outputs;
  }

  /// Writes the last inputs of the `count` present ones to the ring: as many as a convolution reaches back.
  template <class Input>
  static __device__ __forceinline__ void keepLast(Input input, int firstRow, int count, int position, int channel,
                                                  float *state) {
    const int first = max(count - Shape::kTaps, 0);
    int row = (position + first) % kRing;
#pragma unroll 1
    for (int token = first; token < count; ++token) {
      float values[kVector];
      loadFrom<kVector>(input, firstRow + token, channel, values);
      storeVector(state + row * Shape::kChannels, values);
      row = wrapped(row + 1);
    }
  }
};

} // namespace bambac
