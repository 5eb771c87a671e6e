// Reading rows of a matrix: `loadFrom<V>(rows, row, column, to)` gives V neighbouring elements as f32.
#pragma once
#include "common/types.cuh"

namespace bambac {

template <int V, class T, int Stride>
__device__ __forceinline__ void loadFrom(Rows<T, Stride> rows, int row, int column, float (&to)[V]) {
  loadVector<V>(rows[row] + column, to);
}

} // namespace bambac
