// Rows that are computed or gathered while they are read. `loadFrom<V>(view, row, column, to)` gives V neighbouring
// elements of any of them as f32.
#pragma once
#include "common/types.cuh"

namespace bambac {

template <int V, class T, int Stride>
__device__ __forceinline__ void loadFrom(Rows<T, Stride> rows, int row, int column, float (&to)[V]) {
  loadVector<V>(rows[row] + column, to);
}

/// value * silu(gate), as in front of a gated norm.
template <class Value, class Gate> struct GatedRows {
  Value value;
  Gate gate;
};

template <class Value, class Gate> __device__ __forceinline__ GatedRows<Value, Gate> gateRows(Value value, Gate gate) {
  return {value, gate};
}

template <int V, class Value, class Gate>
__device__ __forceinline__ void loadFrom(GatedRows<Value, Gate> rows, int row, int column, float (&to)[V]) {
  float gate[V];
  loadFrom<V>(rows.gate, row, column, gate);
  loadFrom<V>(rows.value, row, column, to);
#pragma unroll
  for (int i = 0; i < V; ++i)
    to[i] *= silu(gate[i]);
}

/// A matrix of `Columns` columns as the core matrices that linears read: 8 rows x 8 columns in 128 bytes.
template <class T, int Columns> struct PackedRows {
  const T *data;
};

template <int V, class T, int Columns>
__device__ __forceinline__ void loadFrom(PackedRows<T, Columns> matrix, int row, int column, float (&to)[V]) {
  static_assert(V <= 8, "a row of a core matrix has 8 elements");
  constexpr long long kGroupElements = alignTo(Columns, 64) * 8;
  loadVector<V>(matrix.data + row / 8 * kGroupElements + column / 8 * 64 + row % 8 * 8 + column % 8, to);
}

} // namespace bambac
