// Writes the keys and values of new tokens to the paged KV cache.
#pragma once
#include "common/elementwise.cuh"
#include "common/kv_cache.cuh"

namespace bambac {

/// Shape: kRows, kKvHeads, kHeadDim, kPageTokens, kMaxPages, kVector, kMultiprocessors.
template <class Shape>
struct KvAppend : VectorMap<Shape::kRows, Shape::kKvHeads * Shape::kHeadDim,
                            dividingVector(Shape::kVector, Shape::kHeadDim), Shape::kMultiprocessors> {
  using Map = VectorMap<Shape::kRows, Shape::kKvHeads * Shape::kHeadDim,
                        dividingVector(Shape::kVector, Shape::kHeadDim), Shape::kMultiprocessors>;

  /// kCache and vCache: [pages, kKvHeads, kPageTokens, kHeadDim]; pages: [pieces, kMaxPages]; pieces: that of each row,
  /// or null where each is one; scales: of a cache of codes, or null.
  template <class Keys, class Values, class Cache>
  static __device__ __forceinline__ void run(Keys keys, Values values, const int *positions, const int *pages,
                                             const int *pieces, Cache *kCache, Cache *vCache,
                                             const float *scales = nullptr) {
    Map::run([&](int row, int column) {
      float key[Map::kVector], value[Map::kVector];
      loadVector(keys[row] + column, key);
      loadVector(values[row] + column, value);
      long long place = cachePlace<Shape>(pages, pieces ? pieces[row] : row, positions[row]);
      storeCached<Shape>(kCache, place, column, key, cacheScale(scales, kScaleOfKeys));
      storeCached<Shape>(vCache, place, column, value, cacheScale(scales, kScaleOfValues));
    });
  }
};

} // namespace bambac
