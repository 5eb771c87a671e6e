// Rows of a matrix by their numbers.
#pragma once
#include "common/elementwise.cuh"

namespace bambac {

/// Shape: kRows, kColumns, kInputRows, kVector, kMultiprocessors.
template <class Shape>
struct TakeRows : VectorMap<Shape::kRows, Shape::kColumns, dividingVector(Shape::kVector, Shape::kColumns),
                            Shape::kMultiprocessors> {
  using Map = VectorMap<Shape::kRows, Shape::kColumns, dividingVector(Shape::kVector, Shape::kColumns),
                        Shape::kMultiprocessors>;

  /// result[k, :] = input[numbers[k], :] for the first `rows` of them. Numbers are clamped to the rows that there are.
  template <class Input, class Result>
  static __device__ __forceinline__ void run(Input input, const int *numbers, Result result,
                                             const int *rows = nullptr) {
    Map::run(
        [&](int row, int column) {
          float values[Map::kVector];
          loadFrom<Map::kVector>(input, min(max(numbers[row], 0), Shape::kInputRows - 1), column, values);
          storeVector(result[row] + column, values);
        },
        rows);
  }
};

} // namespace bambac
