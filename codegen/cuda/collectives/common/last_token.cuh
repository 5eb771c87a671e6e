// The row of each sequence's last token.
#pragma once
#include "common/elementwise.cuh"

namespace bambac {

/// Shape: kSequences, kTokens, kColumns, kVector, kMultiprocessors.
template <class Shape>
struct LastToken : VectorMap<Shape::kSequences, Shape::kColumns, dividingVector(Shape::kVector, Shape::kColumns),
                             Shape::kMultiprocessors> {
  using Map = VectorMap<Shape::kSequences, Shape::kColumns, dividingVector(Shape::kVector, Shape::kColumns),
                        Shape::kMultiprocessors>;

  /// result[b, :] = input[b * kTokens + max(counts[b], 1) - 1, :].
  template <class Input, class Result>
  static __device__ __forceinline__ void run(Input input, const int *counts, Result result) {
    Map::run([&](int sequence, int column) {
      int last = min(max(counts[sequence], 1), Shape::kTokens) - 1;
      float values[Map::kVector];
      loadFrom<Map::kVector>(input, sequence * Shape::kTokens + last, column, values);
      storeVector(result[sequence] + column, values);
    });
  }
};

} // namespace bambac
