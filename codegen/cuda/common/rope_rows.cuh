// Rotary position embedding as a kernel of its own.
#pragma once
#include "common/elementwise.cuh"
#include "common/rope.cuh"

namespace bambac {

/// Shape: kRows, kHeads, kHeadDim, kRotaryDim, kTheta, kVector, kMultiprocessors.
template <class Shape>
struct RopeRows : VectorMap<Shape::kRows, Shape::kHeads * Shape::kHeadDim, ropeVector<Shape>(Shape::kVector),
                            Shape::kMultiprocessors> {
  using Map = VectorMap<Shape::kRows, Shape::kHeads * Shape::kHeadDim, ropeVector<Shape>(Shape::kVector),
                        Shape::kMultiprocessors>;

  template <class Input, class Result>
  static __device__ __forceinline__ void run(Input input, const int *positions, Result result) {
    Map::run([&](int row, int column) {
      int dim = column % Shape::kHeadDim;
      float values[Map::kVector];
      loadRotated<Shape>(input[row] + column - dim, dim, positions[row], values);
      storeVector(result[row] + column, values);
    });
  }
};

} // namespace bambac
