// Maps over the elements of a matrix, in vectors of neighbouring columns: the frame of all kernels without reductions.
#pragma once
#include "common/launch.cuh"
#include "common/row_views.cuh"

namespace bambac {

/// Calls `apply(row, column)` once for each vector of V columns of a matrix; V divides Columns. `rows`: see rowCount.
template <int MostRows, int Columns, int V, int Multiprocessors> struct VectorMap {
  static constexpr int kThreads = 256, kMinBlocks = 4;
  static constexpr int kVector = V, kRowVectors = Columns / V;
  static_assert(Columns % V == 0, "vectors end within a row");
  static constexpr Launch kLaunch = {
      minOf(ceilDiv(MostRows * kRowVectors, kThreads), Multiprocessors * 8), 1, 1, kThreads, 1, 0, 1, 0};

  template <class Function> static __device__ __forceinline__ void run(Function apply, const int *rows = nullptr) {
    launchDependents();
    const int vectors = rowCount<MostRows>(rows) * kRowVectors;
    waitForPredecessors();
    for (int i = blockIdx.x * kThreads + threadIdx.x; i < vectors; i += gridDim.x * kThreads)
      apply(i / kRowVectors, i % kRowVectors * V);
  }
};

/// Shape: kRows, kColumns, kVector, kMultiprocessors. Body: `template <int V> void apply(int row, int column) const`.
template <class Shape, class Body>
struct Elementwise : VectorMap<Shape::kRows, Shape::kColumns, dividingVector(Shape::kVector, Shape::kColumns),
                               Shape::kMultiprocessors> {
  using Map = VectorMap<Shape::kRows, Shape::kColumns, dividingVector(Shape::kVector, Shape::kColumns),
                        Shape::kMultiprocessors>;

  static __device__ __forceinline__ void run(const Body &body, const int *rows = nullptr) {
    Map::run([&](int row, int column) { body.template apply<Map::kVector>(row, column); }, rows);
  }
};

} // namespace bambac
