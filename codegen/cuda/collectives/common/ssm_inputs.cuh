// What a decode step of the state space recurrence takes x, B and C from: three views, or the input of a causal
// convolution that is computed on the way.
#pragma once
#include "common/row_views.cuh"

namespace bambac {

/// A few neighbouring channels that one thread brings to shared memory.
struct SsmChannels {
  enum Part { kX, kB, kC };
  int sequence;
  Part part;
  int column;  ///< within the part
  bool isKept; ///< this block writes these channels of the convolution's state
};

/// x, B and C as they are.
template <class X, class B, class C> struct SsmInput {
  X x;
  B b;
  C c;

  template <int V> struct Piece {
    float values[V];
  };
  template <int V> __device__ __forceinline__ void prefetch(const SsmChannels &, Piece<V> &) const {}
  template <int V> __device__ __forceinline__ void load(const SsmChannels &channels, Piece<V> &piece) const {
    if (channels.part == SsmChannels::kX)
      loadFrom<V>(x, channels.sequence, channels.column, piece.values);
    else if (channels.part == SsmChannels::kB)
      loadFrom<V>(b, channels.sequence, channels.column, piece.values);
    else
      loadFrom<V>(c, channels.sequence, channels.column, piece.values);
  }
  template <int V> __device__ __forceinline__ void stage(const SsmChannels &, const Piece<V> &piece, float *to) const {
    storeVector(to, piece.values);
  }
};

/// silu(convolution) of the rows `xBC`, whose columns are x | B | C, continuing from a ring [slots, kConvRing,
/// channels] of `Kept` with the input at position p in row p % kConvRing. A step reads the rows of the kTaps - 1
/// positions before it and writes another one, so that blocks may read channels that a different block writes. Results
/// are rounded to Shape::Operand, as those of a convolution kernel are.
template <class Shape, class XBC, class Kept> struct ConvolvedInput {
  static constexpr int kX = Shape::kHeads * Shape::kHeadDim, kBC = Shape::kGroups * Shape::kStateSize;
  static constexpr int kChannels = kX + 2 * kBC, kTaps = Shape::kTaps, kRing = Shape::kConvRing;
  static_assert(kRing >= kTaps, "a step writes a row that none of its blocks reads");

  XBC xBC;
  const float *weight; ///< [kTaps, channels]
  const float *bias;   ///< may be null
  Kept *ring;
  const int *slots, *positions; ///< one a sequence

  /// Inputs stay as they lie in memory: to widen one waits for it, and so would what is loaded after it.
  template <int V> struct Piece {
    float weights[kTaps][V], bias[V];
    RawVector<Kept, V> inputs[maxOf(kTaps - 1, 1)]; ///< oldest first
    RawVector<typename ElementOf<XBC>::Type, V> input;
    int slot, position;
    Kept *kept; ///< where the new input goes in the ring
  };

  /// What no earlier kernel writes: weights, and the inputs of the step as a whole.
  template <int V> __device__ __forceinline__ void prefetch(const SsmChannels &channels, Piece<V> &piece) const {
    const int channel = channelOf(channels);
#pragma unroll
    for (int j = 0; j < kTaps; ++j)
      loadVector(weight + j * kChannels + channel, piece.weights[j]);
#pragma unroll
    for (int k = 0; k < V; ++k)
      piece.bias[k] = 0.0f;
    if (bias)
      loadVector(bias + channel, piece.bias);
    piece.slot = slots[channels.sequence];
    piece.position = positions[channels.sequence];
  }

  template <int V> __device__ __forceinline__ void load(const SsmChannels &channels, Piece<V> &piece) const {
    const int channel = channelOf(channels);
    const int position = max(piece.position, 0);
    Kept *state = ring + static_cast<long long>(piece.slot) * kRing * kChannels + channel;
#pragma unroll
    for (int j = 0; j < kTaps - 1; ++j)
      piece.inputs[j] = loadRaw<V>(state + (position + kRing - (kTaps - 1) + j) % kRing * kChannels);
    piece.input = loadRaw<V>(xBC[channels.sequence] + channel);
    piece.kept = state + position % kRing * kChannels;
  }

  template <int V>
  __device__ __forceinline__ void stage(const SsmChannels &channels, const Piece<V> &piece, float *to) const {
    float results[V], input[V];
#pragma unroll
    for (int k = 0; k < V; ++k) {
      input[k] = piece.input[k];
      float sum = piece.bias[k];
#pragma unroll
      for (int j = 0; j < kTaps - 1; ++j)
        sum += piece.weights[j][k] * piece.inputs[j][k];
      sum += piece.weights[kTaps - 1][k] * input[k];
      results[k] = toFloat(fromFloat<typename Shape::Operand>(silu(sum)));
    }
    storeVector(to, results);
    if (channels.isKept)
      storeVector(piece.kept, input);
  }

private:
  static __device__ __forceinline__ int channelOf(const SsmChannels &channels) {
    return channels.part * kBC + (channels.part == SsmChannels::kX ? 0 : kX - kBC) + channels.column;
  }
};

} // namespace bambac
