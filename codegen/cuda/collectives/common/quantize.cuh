// Rows as codes and scales, after the norm or the gate before them. A block has a row, which it reads once and keeps in
// registers where it fits.
#pragma once
#include "common/e4m3.cuh"
#include "common/launch.cuh"
#include "common/row_views.cuh"
#include "geometry/quantize.h"

namespace bambac {

/// silu(gate) * up.
template <class Gate, class Up> struct GatedRows {
  Gate gate;
  Up up;
};
template <int V, class Gate, class Up>
__device__ __forceinline__ void loadFrom(const GatedRows<Gate, Up> &rows, int row, int column, float (&to)[V]) {
  float up[V];
  loadFrom<V>(rows.gate, row, column, to);
  loadFrom<V>(rows.up, row, column, up);
#pragma unroll
  for (int i = 0; i < V; ++i)
    to[i] = silu(to[i]) * up[i];
}

/// Rows under an RMS norm.
template <class Input> struct NormalizedRows {
  Input input;
  const float *weight;
};
template <class Source> inline constexpr bool kIsNormalized = false;
template <class Input> inline constexpr bool kIsNormalized<NormalizedRows<Input>> = true;

/// Shape: kRows, kColumns, kVector; kThreadVectors, what a thread takes of a row (geometry::quantizeVectors()); kGroup,
/// the columns that share a scale, 0 for all, and kFixedScales, the number of scales whose largest is that of all rows,
/// 0 where numbers decide; kEpsilon of a norm.
template <class Shape> class Quantize {
  static constexpr int kVector = Shape::kVector;
  static constexpr int kRowVectors = Shape::kColumns / kVector;
  static_assert(Shape::kColumns % kVector == 0, "a row is whole vectors");
  static constexpr int kGroup = Shape::kGroup ? Shape::kGroup : Shape::kColumns;
  static constexpr int kGroups = ceilDiv(Shape::kColumns, kGroup);

  static constexpr int kMostVectors = geometry::mostQuantizeVectors(kVector);

public:
  static constexpr int kThreads = geometry::quantizeThreads(kRowVectors, Shape::kThreadVectors);
  /// With the most vectors a few less, since more spill where chips do not convert to codes.
  static constexpr int kMinBlocks = maxOf(1, (Shape::kThreadVectors < kMostVectors ? 1024 : 896) / kThreads);
  static constexpr Launch kLaunch = {Shape::kRows, 1, 1, kThreads, 1, 0, 1, 0};

private:
  static constexpr int kWarps = kThreads / 32;
  static constexpr int kThreadVectors = ceilDiv(kRowVectors, kThreads);
  static constexpr bool kKept = kThreadVectors * kVector <= 32; ///< a thread's part of the row stays in registers
  /// Whether the weights of a norm have registers while the row is read.
  static constexpr bool kLoadsWeightsEarly = kThreadVectors * kVector <= 16;
  static_assert(kGroup % kVector == 0 || kGroups == 1, "a vector has one scale");

public:
  template <class Source, class Codes>
  static __device__ __forceinline__ void run(const Source &source, const float *fixedScales, Codes codes, float *scales,
                                             const int *rows = nullptr) {
    __shared__ uint32 largest[kGroups == 1 ? kWarps : kGroups]; // of the warps' parts of the row, or of the groups
    launchDependents();
    if constexpr (kGroups > 1)
      for (int group = threadIdx.x; group < kGroups; group += kThreads)
        largest[group] = 0;
    const int row = blockIdx.x, count = rowCount<Shape::kRows>(rows);
    float values[kKept ? kThreadVectors : 1][kVector], weights[kLoadsWeightsEarly ? kThreadVectors : 1][kVector];
    if constexpr (kIsNormalized<Source> && kLoadsWeightsEarly)
      forEachVector([&](int i, int column) { loadVector(source.weight + column, weights[i]); });
    waitForPredecessors();
    if (row >= count)
      return;
    float norm = 1.0f;
    if constexpr (kIsNormalized<Source>) {
      float squares = 0.0f;
      forEachVector([&](int i, int column) {
        auto &vector = values[kKept ? i : 0];
        loadFrom<kVector>(source.input, row, column, vector);
#pragma unroll
        for (int k = 0; k < kVector; ++k)
          squares += vector[k] * vector[k];
      });
      norm = normOf(squares);
    }
    const auto load = [&](int i, int column) {
      auto &vector = values[kKept ? i : 0];
      if constexpr (!kIsNormalized<Source>) {
        loadFrom<kVector>(source, row, column, vector);
      } else {
        if constexpr (!kKept)
          loadFrom<kVector>(source.input, row, column, vector);
        auto &factors = weights[kLoadsWeightsEarly ? i : 0];
        if constexpr (!kLoadsWeightsEarly)
          loadVector(source.weight + column, factors);
#pragma unroll
        for (int k = 0; k < kVector; ++k)
          vector[k] = vector[k] * norm * factors[k];
      }
    };
    if constexpr (kGroups > 1)
      __syncthreads(); // the zeros
    uint32 most = 0;
    forEachVector([&](int i, int column) {
      load(i, column);
      const uint32 bits = largestBits(values[kKept ? i : 0]);
      if constexpr (kGroups > 1)
        atomicMax(largest + column / kGroup, bits);
      else
        most = max(most, bits);
    });
    float scale; // of a row that has one
    if constexpr (Shape::kFixedScales > 0)
      scale = largestScale<Shape::kFixedScales>(fixedScales);
    else
      scale = scaleOfLargest(__uint_as_float(largestOfBlock(largest, most)));
    forEachVector([&](int i, int column) {
      if constexpr (!kKept)
        load(i, column);
      auto &vector = values[kKept ? i : 0];
      CodeDivider(kGroups == 1 ? scale : scaleOf(largest, column / kGroup)).divide(vector);
      storeVector(codes[row] + column, vector);
    });
    for (int group = threadIdx.x; group < kGroups; group += kThreads)
      scales[static_cast<long long>(row) * kGroups + group] = kGroups == 1 ? scale : scaleOf(largest, group);
  }

private:
  /// Calls `function(i, column)` for each vector of the thread, from number 0 on.
  template <class Function> static __device__ __forceinline__ void forEachVector(Function function) {
#pragma unroll(kKept ? kThreadVectors : 1)
    for (int i = 0; i < kThreadVectors; ++i) {
      const int column = (i * kThreads + threadIdx.x) * kVector;
      if (kRowVectors % kThreads == 0 || column < Shape::kColumns)
        function(i, column);
    }
  }

  static __device__ __forceinline__ float scaleOf(const uint32 *largest, int group) {
    return scaleOfLargest(__uint_as_float(largest[group]));
  }

  /// The largest `bits` of all threads, where the row has one scale.
  static __device__ __forceinline__ uint32 largestOfBlock(uint32 *largest, uint32 bits) {
    if constexpr (kGroups == 1) {
      bits = __reduce_max_sync(0xffffffffu, bits);
      if (threadIdx.x % 32 == 0)
        largest[threadIdx.x / 32] = bits;
    }
    __syncthreads();
    if constexpr (kGroups == 1)
      bits = __reduce_max_sync(0xffffffffu, threadIdx.x % 32 < kWarps ? largest[threadIdx.x % 32] : 0u);
    return bits;
  }

  /// rsqrt(mean + epsilon) from each thread's part of the sum of squares, in the order of RmsNorm.
  static __device__ __forceinline__ float normOf(float squares) {
    __shared__ float partial[kWarps];
    squares = warpSum(squares);
    if (threadIdx.x % 32 == 0)
      partial[threadIdx.x / 32] = squares;
    __syncthreads();
    squares = warpSum(threadIdx.x % 32 < kWarps ? partial[threadIdx.x % 32] : 0.0f);
    return rsqrtf(squares * (1.0f / Shape::kColumns) + Shape::kEpsilon);
  }
};

} // namespace bambac
