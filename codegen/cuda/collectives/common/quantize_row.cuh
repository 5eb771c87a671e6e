// A row as codes and scales, after the norm or the gate before them: by some threads, which read it once and keep it in
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

/// Shape: kColumns, kVector; kGroup, the columns that share a scale, 0 for all, and kFixedScales, the number of scales
/// whose largest is that of all rows, 0 where numbers decide; kEpsilon of a norm. Team: kThreads, thread() and sync().
/// `KeptColumns`: how many a thread may have in registers.
template <class Shape, class Team, int KeptColumns> class QuantizeRow {
public:
  /// Vectors of a thread: as many parts of a row have something to store.
  static constexpr int kThreadVectors = ceilDiv(Shape::kColumns / Shape::kVector, Team::kThreads);

private:
  static constexpr int kVector = Shape::kVector, kThreads = Team::kThreads, kWarps = kThreads / 32;
  static constexpr int kRowVectors = Shape::kColumns / kVector;
  static_assert(Shape::kColumns % kVector == 0, "a row is whole vectors");
  static_assert(kThreads % 32 == 0 && kWarps <= 32, "whole warps, whose maxima one warp compares");
  static constexpr int kGroup = Shape::kGroup ? Shape::kGroup : Shape::kColumns;
  static constexpr int kGroups = ceilDiv(Shape::kColumns, kGroup);
  static constexpr bool kKept = kThreadVectors * kVector <= KeptColumns;
  /// Whether the weights of a norm have registers while the row is read.
  static constexpr bool kLoadsWeightsEarly = kThreadVectors * kVector <= 16;
  static_assert(kGroup % kVector == 0 || kGroups == 1, "a vector has one scale");

public:
  /// By all threads, before run(): needs nothing of the row. No thread is still in the run() before.
  template <class Source> __device__ __forceinline__ void begin(const Source &source) {
    if constexpr (kGroups > 1)
      for (int group = Team::thread(); group < kGroups; group += kThreads)
        largest()[group] = 0;
    if constexpr (kIsNormalized<Source> && kLoadsWeightsEarly)
      forEachVector([&](int i, int column) { loadVector(source.weight + column, weights[i]); });
  }

  /// Reads the whole row and stores part `part` of `Parts` of its codes; the scales go with the first.
  template <int Parts = 1, class Source, class Codes>
  __device__ __forceinline__ void run(const Source &source, int row, const float *fixedScales, Codes codes,
                                      float *scales, int part = 0) {
    const float norm = findNorm(source, row);
    if constexpr (kGroups > 1)
      Team::sync(); // the zeros
    uint32 most = 0;
    forEachVector([&](int i, int column) {
      load(source, row, norm, i, column);
      const uint32 bits = largestBits(values[kKept ? i : 0]);
      if constexpr (kGroups > 1)
        atomicMax(largest() + column / kGroup, bits);
      else
        most = max(most, bits);
    });
    float scale; // of a row that has one
    if constexpr (Shape::kFixedScales > 0)
      scale = largestScale<Shape::kFixedScales>(fixedScales);
    else
      scale = scaleOfLargest(__uint_as_float(largestOfTeam(most)));
    forEachVector([&](int i, int column) {
      if (Parts > 1 && i * Parts / kThreadVectors != part)
        return;
      if constexpr (!kKept)
        load(source, row, norm, i, column);
      auto &vector = values[kKept ? i : 0];
      CodeDivider(kGroups == 1 ? scale : scaleOf(column / kGroup)).divide(vector);
      storeVector(codes[row] + column, vector);
    });
    for (int group = Team::thread(); group < kGroups && part == 0; group += kThreads)
      scales[static_cast<long long>(row) * kGroups + group] = kGroups == 1 ? scale : scaleOf(group);
  }

private:
  float values[kKept ? kThreadVectors : 1][kVector], weights[kLoadsWeightsEarly ? kThreadVectors : 1][kVector];

  /// The largest magnitudes of the warps' parts of the row, or of the groups.
  static __device__ __forceinline__ uint32 *largest() {
    __shared__ uint32 magnitudes[kGroups == 1 ? kWarps : kGroups];
    return magnitudes;
  }

  /// What a norm multiplies the row by. Leaves it in the registers.
  template <class Source> __device__ __forceinline__ float findNorm(const Source &source, int row) {
    if constexpr (kIsNormalized<Source>) {
      float squares = 0.0f;
      forEachVector([&](int i, int column) {
        auto &vector = values[kKept ? i : 0];
        loadFrom<kVector>(source.input, row, column, vector);
#pragma unroll
        for (int k = 0; k < kVector; ++k)
          squares += vector[k] * vector[k];
      });
      return normOf(squares);
    }
    return 1.0f;
  }

  template <class Source>
  __device__ __forceinline__ void load(const Source &source, int row, float norm, int i, int column) {
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
  }

  /// Calls `function(i, column)` for each vector of the thread, from number 0 on.
  template <class Function> static __device__ __forceinline__ void forEachVector(Function function) {
#pragma unroll(kKept ? kThreadVectors : 1)
    for (int i = 0; i < kThreadVectors; ++i) {
      const int column = (i * kThreads + Team::thread()) * kVector;
      if (kRowVectors % kThreads == 0 || column < Shape::kColumns)
        function(i, column);
    }
  }

  static __device__ __forceinline__ float scaleOf(int group) {
    return scaleOfLargest(__uint_as_float(largest()[group]));
  }

  /// The largest `bits` of all threads, where the row has one scale.
  static __device__ __forceinline__ uint32 largestOfTeam(uint32 bits) {
    if constexpr (kGroups == 1) {
      bits = __reduce_max_sync(0xffffffffu, bits);
      if (Team::thread() % 32 == 0)
        largest()[Team::thread() / 32] = bits;
    }
    Team::sync();
    if constexpr (kGroups == 1)
      bits = __reduce_max_sync(0xffffffffu, Team::thread() % 32 < kWarps ? largest()[Team::thread() % 32] : 0u);
    return bits;
  }

  /// rsqrt(mean + epsilon) from each thread's part of the sum of squares, in the order of RmsNorm.
  static __device__ __forceinline__ float normOf(float squares) {
    __shared__ float partial[kWarps];
    squares = warpSum(squares);
    if (Team::thread() % 32 == 0)
      partial[Team::thread() / 32] = squares;
    Team::sync();
    squares = warpSum(Team::thread() % 32 < kWarps ? partial[Team::thread() % 32] : 0.0f);
    return rsqrtf(squares * (1.0f / Shape::kColumns) + Shape::kEpsilon);
  }
};

} // namespace bambac
