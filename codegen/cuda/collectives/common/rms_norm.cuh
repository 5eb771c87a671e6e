// Root mean square normalization of rows. A row is read once and kept in registers where it fits.
#pragma once
#include "common/launch.cuh"
#include "common/row_views.cuh"

namespace bambac {

/// Shape: kRows, kColumns, kEpsilon, kVector. A warp normalizes a short row, a block a long one.
template <class Shape> struct RmsNorm {
  static constexpr int kVector = dividingVector(Shape::kVector, Shape::kColumns);
  static constexpr int kRowVectors = Shape::kColumns / kVector;
  static constexpr bool kWarpRow = kRowVectors <= 64;
  static constexpr int kRowThreads = kWarpRow ? 32 : minOf(512, alignTo(kRowVectors, 32));
  static constexpr int kThreads = kWarpRow ? 128 : kRowThreads, kMinBlocks = 2;
  static constexpr int kBlockRows = kThreads / kRowThreads;
  static constexpr int kThreadVectors = ceilDiv(kRowVectors, kRowThreads);
  static constexpr bool kKept = kThreadVectors * kVector <= 32; ///< a thread's part of the row stays in registers
  static_assert(kKept || !kWarpRow, "a short row is kept");
  static constexpr Launch kLaunch = {ceilDiv(Shape::kRows, kBlockRows), 1, 1, kThreads, 1, 0, 1, 0};

  /// result[r, :] = input[r, :] * rsqrt(mean(input[r, :]^2) + kEpsilon) * weight.
  template <class Input, class Result>
  static __device__ __forceinline__ void run(Input input, const float *weight, Result result,
                                             const int *rows = nullptr) {
    launchDependents();
    const int row = blockIdx.x * kBlockRows + threadIdx.x / kRowThreads;
    const bool isThere = row < rowCount<Shape::kRows>(rows);
    if constexpr (kKept)
      runKept(row, isThere, input, weight, result);
    else
      runTwice(row, isThere, input, weight, result);
  }

private:
  static __device__ __forceinline__ int columnOf(int i) {
    return (threadIdx.x % kRowThreads + i * kRowThreads) * kVector;
  }

  /// False for the last vectors of a thread that are after the end of the row.
  static __device__ __forceinline__ bool isInRow(int i) {
    return kRowVectors % kRowThreads == 0 || columnOf(i) < Shape::kColumns;
  }

  template <class Input, class Result>
  static __device__ __forceinline__ void runKept(int row, bool isThere, Input input, const float *weight,
                                                 Result result) {
    float values[kThreadVectors][kVector], weights[kThreadVectors][kVector];
    float squares = 0.0f;
#pragma unroll
    for (int i = 0; i < kThreadVectors; ++i)
      if (isInRow(i))
        loadVector(weight + columnOf(i), weights[i]);
    waitForPredecessors();
    if (!isThere)
      return;
#pragma unroll
    for (int i = 0; i < kThreadVectors; ++i)
      if (isInRow(i))
        loadFrom<kVector>(input, row, columnOf(i), values[i]);
#pragma unroll
    for (int i = 0; i < kThreadVectors; ++i)
      if (isInRow(i))
        squares += sumOfSquares(values[i]);
    const float scale = scaleOf(squares);
#pragma unroll
    for (int i = 0; i < kThreadVectors; ++i)
      if (isInRow(i))
        store(row, columnOf(i), values[i], weights[i], scale, result);
  }

  template <class Input, class Result>
  static __device__ __forceinline__ void runTwice(int row, bool isThere, Input input, const float *weight,
                                                  Result result) {
    float values[kVector], weights[kVector];
    float squares = 0.0f;
    waitForPredecessors();
    if (!isThere)
      return;
    for (int i = 0; i < kThreadVectors; ++i)
      if (isInRow(i)) {
        loadFrom<kVector>(input, row, columnOf(i), values);
        squares += sumOfSquares(values);
      }
    const float scale = scaleOf(squares);
    for (int i = 0; i < kThreadVectors; ++i)
      if (isInRow(i)) {
        loadFrom<kVector>(input, row, columnOf(i), values);
        loadVector(weight + columnOf(i), weights);
        store(row, columnOf(i), values, weights, scale, result);
      }
  }

  static __device__ __forceinline__ float sumOfSquares(const float (&values)[kVector]) {
    float sum = 0.0f;
#pragma unroll
    for (int k = 0; k < kVector; ++k)
      sum += values[k] * values[k];
    return sum;
  }

  /// rsqrt(mean + epsilon) from each thread's part of the sum of squares.
  static __device__ __forceinline__ float scaleOf(float squares) {
    squares = warpSum(squares);
    if constexpr (!kWarpRow) {
      constexpr int kWarps = kThreads / 32;
      __shared__ float partial[kWarps];
      if (threadIdx.x % 32 == 0)
        partial[threadIdx.x / 32] = squares;
      __syncthreads();
      squares = warpSum(threadIdx.x % 32 < kWarps ? partial[threadIdx.x % 32] : 0.0f);
    }
    return rsqrtf(squares * (1.0f / Shape::kColumns) + Shape::kEpsilon);
  }

  template <class Result>
  static __device__ __forceinline__ void store(int row, int column, const float (&values)[kVector],
                                               const float (&weights)[kVector], float scale, Result result) {
    float scaled[kVector];
#pragma unroll
    for (int k = 0; k < kVector; ++k)
      scaled[k] = values[k] * scale * weights[k];
    storeVector(result[row] + column, scaled);
  }
};

} // namespace bambac
