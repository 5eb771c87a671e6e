// Causal depthwise convolution of pieces of tokens with bias and SiLU, continuing from a ring of the last inputs.
#pragma once
#include "common/launch.cuh"
#include "common/pieces.cuh"
#include "common/row_views.cuh"

namespace bambac {

/// Shape: kPieces, kRows (of all), kChannels, kTaps, kConvRing (rows of the ring), kVector, kMultiprocessors.
///
/// A thread owns a vector of channels and a tile of rows, over which it slides a window of the last inputs. The
/// thread of a piece's first tile reads its channels of the ring and afterwards writes the piece's last inputs there,
/// which it takes from the input itself: nobody else touches these channels of the ring.
template <class Shape> struct CausalConv1d {
  static constexpr int kThreads = 128;
  /// Registers for the taps, the window and the bias of a thread's channels: those that four blocks a multiprocessor
  /// leave beside the inputs under way.
  static constexpr int kMostRegisters = 80;
  static __host__ __device__ constexpr int registers(int vector) { return vector * (2 * Shape::kTaps + 1); }
  /// As wide as they allow.
  static __host__ __device__ constexpr int chooseVector() {
    int vector = dividingVector(Shape::kVector, Shape::kChannels);
    while (vector > 1 && registers(vector) > kMostRegisters)
      vector /= 2;
    return vector;
  }
  static constexpr int kVector = chooseVector(), kMinBlocks = registers(kVector) > kMostRegisters ? 1 : 4;
  static constexpr int kRowVectors = Shape::kChannels / kVector;
  static constexpr int kHistory = Shape::kTaps - 1, kRing = Shape::kConvRing;
  static constexpr int kStep = 4; ///< rows whose inputs a thread has under way at a time

  /// Rows of a thread: long enough that few inputs are read twice, short enough that the device is full.
  static __host__ __device__ constexpr int chooseTile() {
    int tile = 32;
    while (tile < kHistory)
      tile *= 2;
    while (tile > kStep && tile / 2 >= kHistory &&
           ceilDiv(Shape::kRows, tile) * kRowVectors < Shape::kMultiprocessors * 512)
      tile /= 2;
    return tile;
  }
  static constexpr int kTile = chooseTile();
  using Tile = PieceTile<kTile>;
  static constexpr int kTiles = geometry::mostPieceTiles(Shape::kPieces, Shape::kRows, kTile);
  static constexpr Launch kLaunch = {ceilDiv(kTiles * kRowVectors, kThreads), 1, 1, kThreads, 1, 0, 1, 0};

  struct Weights {
    float taps[Shape::kTaps][kVector], bias[kVector];
  };
  /// The kHistory inputs before the current token, oldest first.
  struct Window {
    float inputs[kHistory + 1][kVector];
  };

  /// ring: [slots, kConvRing, kChannels] of f32 or of what the input is, the input at position p in row p % kConvRing.
  /// starts: as PieceTile has it; positions: of all rows, the first of each piece is used. bias: may be null.
  template <class Input, class Kept, class Result>
  static __device__ __forceinline__ void run(Input input, const float *weight, const float *bias, Kept *ring,
                                             const int *slots, const int *starts, const int *positions, Result result) {
    launchDependents();
    const int item = blockIdx.x * kThreads + threadIdx.x, channel = item % kRowVectors * kVector;
    const Tile tile(starts, Shape::kPieces, item / kRowVectors);
    const bool isWorking = item < kTiles * kRowVectors && tile.first < tile.end;
    Weights weights;
    if (isWorking)
      weights = loadWeights(weight, bias, channel);
    waitForPredecessors();
    if (!isWorking)
      return;
    const Kept *state = ringOf(ring, slots[tile.piece]) + channel;
    const bool isFirst = tile.first == tile.start;
    const int position = positions[tile.start];
    Window window;
    const int oldest = (position + kRing - kHistory) % kRing;
#pragma unroll
    for (int i = 0; i < kHistory; ++i) {
      if (isFirst)
        loadVector(state + wrapped(oldest + i) * Shape::kChannels, window.inputs[i]);
      else
        loadHistory(input, tile.first - kHistory + i, channel, window.inputs[i]);
    }
    convolve(input, result, tile.first, tile.end, channel, weights, window);
    if (isFirst) { // where the ring and the piece lie is read again: in registers it would be too much
      const int start = starts[tile.piece];
      keepLast(input, start, starts[tile.piece + 1], positions[start], channel,
               ringOf(ring, slots[tile.piece]) + channel);
    }
  }

private:
  template <class Kept> static __device__ __forceinline__ Kept *ringOf(Kept *ring, int slot) {
    return ring + static_cast<long long>(slot) * kRing * Shape::kChannels;
  }

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
  static __device__ __forceinline__ void loadHistory(Input input, int row, int channel, float (&to)[kVector]) {
    static_assert(kTile >= kHistory, "only the first tile reaches back to the ring");
    loadFrom<kVector>(input, row, channel, to);
  }

  template <class Input, class Result>
  static __device__ __forceinline__ void convolve(Input input, Result result, int first, int end, int channel,
                                                  const Weights &weights, Window &window) {
#pragma unroll 1
    for (int row = first; row < end; row += kStep) {
      float inputs[kStep][kVector];
#pragma unroll
      for (int i = 0; i < kStep; ++i)
        if (row + i < end)
          loadFrom<kVector>(input, row + i, channel, inputs[i]);
#pragma unroll
      for (int i = 0; i < kStep; ++i)
        if (row + i < end)
          storeVector(result[row + i] + channel, slide(inputs[i], weights, window).values);
    }
  }

  struct Outputs {
    float values[kVector];
  };

  /// The result at the row of `input`, which then becomes the newest of the window.
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

  /// Writes the last inputs of the piece with rows `start` to `end` to the ring: as many as a convolution reaches back.
  template <class Input, class Kept>
  static __device__ __forceinline__ void keepLast(Input input, int start, int end, int position, int channel,
                                                  Kept *state) {
    const int first = max(end - Shape::kTaps, start);
    int place = (position + first - start) % kRing;
#pragma unroll 1
    for (int row = first; row < end; ++row) {
      float values[kVector];
      loadFrom<kVector>(input, row, channel, values);
      storeVector(state + place * Shape::kChannels, values);
      place = wrapped(place + 1);
    }
  }
};

} // namespace bambac
