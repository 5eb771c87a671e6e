// Rotary position embedding as a kernel of its own.
#pragma once
#include "common/elementwise.cuh"
#include "common/rope.cuh"

namespace bambac {

/// Vectors of half-split heads as wide as they lie in memory; interleaved ones are read in whole pairs.
template <class Shape> __host__ __device__ constexpr int ropeRowsVector() {
  return Shape::kInterleaved ? dividingVector(maxOf(Shape::kVector, 2), Shape::kHeadDim)
                             : ropeVector<Shape>(Shape::kVector);
}

/// Shape: kRows, kHeads, kHeadDim, kRotaryDim, kRotationScale, kInterleaved (kHeadDim is then even), kVector,
/// kMultiprocessors.
template <class Shape>
struct RopeRows
    : VectorMap<Shape::kRows, Shape::kHeads * Shape::kHeadDim, ropeRowsVector<Shape>(), Shape::kMultiprocessors> {
  static constexpr int kV = ropeRowsVector<Shape>();
  using Map = VectorMap<Shape::kRows, Shape::kHeads * Shape::kHeadDim, kV, Shape::kMultiprocessors>;

  template <class Input, class Result>
  static __device__ __forceinline__ void run(Input input, const int *positions, const float *frequencies,
                                             Result result) {
    Map::run([&](int row, int column) {
      int dim = column % Shape::kHeadDim;
      float values[kV];
      if constexpr (Shape::kInterleaved) {
        constexpr int kAligned = minOf(kV, Shape::kVector);
        loadPieces<kAligned>(input[row] + column, values);
        rotatePairs<Shape>(values, dim, positions[row], frequencies);
        storePieces<kAligned>(result[row] + column, values);
      } else {
        loadRotated<Shape>(input[row] + column - dim, dim, positions[row], frequencies, values);
        storeVector(result[row] + column, values);
      }
    });
  }
};

} // namespace bambac
