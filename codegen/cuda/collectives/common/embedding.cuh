// Rows of an embedding table.
#pragma once
#include "common/elementwise.cuh"

namespace bambac {

/// Shape: kRows, kColumns, kVocabulary, kVector, kMultiprocessors.
template <class Shape>
struct Embedding : VectorMap<Shape::kRows, Shape::kColumns, dividingVector(Shape::kVector, Shape::kColumns),
                             Shape::kMultiprocessors> {
  using Map = VectorMap<Shape::kRows, Shape::kColumns, dividingVector(Shape::kVector, Shape::kColumns),
                        Shape::kMultiprocessors>;

  /// result[r, :] = table[tokens[r], :]. Tokens of padding rows may be anything: they are clamped into the table.
  template <class Table, class Result>
  static __device__ __forceinline__ void run(const int *tokens, Table table, Result result, const int *rows = nullptr) {
    Map::run(
        [&](int row, int column) {
          int token = min(max(tokens[row], 0), Shape::kVocabulary - 1);
          float values[Map::kVector];
          loadFrom<Map::kVector>(table, token, column, values);
          storeVector(result[row] + column, values);
        },
        rows);
  }
};

} // namespace bambac
