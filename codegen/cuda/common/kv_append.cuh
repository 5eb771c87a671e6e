// Writes the keys (rotated to their position) and values of new tokens to the paged KV cache.
#pragma once
#include "common/elementwise.cuh"
#include "common/rope.cuh"

namespace bambac {

/// Shape: kRows (sequences x kTokens), kTokens, kKvHeads, kHeadDim, kPageTokens, kMaxPages, kRotaryDim (0: keys are not
/// rotated), kTheta, kVector, kMultiprocessors.
template <class Shape>
struct KvAppend : VectorMap<Shape::kRows, Shape::kKvHeads * Shape::kHeadDim, ropeVector<Shape>(Shape::kVector),
                            Shape::kMultiprocessors> {
  using Map = VectorMap<Shape::kRows, Shape::kKvHeads * Shape::kHeadDim, ropeVector<Shape>(Shape::kVector),
                        Shape::kMultiprocessors>;

  /// kCache and vCache: [pages, kKvHeads, kPageTokens, kHeadDim]; pages: [sequences, kMaxPages]. Rows at position -1
  /// and positions beyond the page table write nothing.
  template <class Keys, class Values, class Cache>
  static __device__ __forceinline__ void run(Keys keys, Values values, const int *positions, const int *pages,
                                             Cache *kCache, Cache *vCache) {
    Map::run([&](int row, int column) {
      int position = positions[row];
      if (position < 0 || position >= Shape::kMaxPages * Shape::kPageTokens)
        return;
      int head = column / Shape::kHeadDim, dim = column % Shape::kHeadDim;
      float key[Map::kVector], value[Map::kVector];
      loadRotated<Shape>(keys[row] + column - dim, dim, position, key);
      loadVector(values[row] + column, value);
      long long page = pages[row / Shape::kTokens * Shape::kMaxPages + position / Shape::kPageTokens];
      long long token = (page * Shape::kKvHeads + head) * Shape::kPageTokens + position % Shape::kPageTokens;
      storeVector(kCache + token * Shape::kHeadDim + dim, key);
      storeVector(vCache + token * Shape::kHeadDim + dim, value);
    });
  }
};

} // namespace bambac
