// Reading rows of a matrix: `loadFrom<V>(rows, row, column, to)` gives V neighbouring elements as f32.
#pragma once
#include "common/types.cuh"

namespace bambac {

/// The type of a view's elements.
template <class View> struct ElementOf;
template <class T, int Stride> struct ElementOf<Rows<const T, Stride>> {
  using Type = T;
};

template <int V, class T, int Stride>
__device__ __forceinline__ void loadFrom(Rows<T, Stride> rows, int row, int column, float (&to)[V]) {
  loadVector<V>(rows[row] + column, to);
}

} // namespace bambac
