// Where the vectors of a token lie in the paged KV cache.
#pragma once
#include "common/types.cuh"

namespace bambac {

/// The element of a cache [pages, kKvHeads, kPageTokens, kHeadDim] where a vector starts. It has 64 bits, since a pool
/// may have more than 2^31 elements.
template <class Cache> __host__ __device__ constexpr long long cacheOffset(long long page, int head, int slot) {
  return (page * Cache::kKvHeads + head) * (Cache::kPageTokens * Cache::kHeadDim) + slot * Cache::kHeadDim;
}

/// The place of a row's token in a cache: the element where its first head starts. Negative where it has none: at
/// position -1 and beyond the page table. Cache: kTokens, kKvHeads, kHeadDim, kPageTokens, kMaxPages; pages:
/// [sequences, kMaxPages].
template <class Cache> __device__ __forceinline__ long long cachePlace(const int *pages, int row, int position) {
  if (position < 0 || position >= Cache::kMaxPages * Cache::kPageTokens)
    return -1;
  int page = pages[row / Cache::kTokens * Cache::kMaxPages + position / Cache::kPageTokens];
  return cacheOffset<Cache>(page, 0, position % Cache::kPageTokens);
}

/// Writes the values of neighbouring columns, from `column` of all heads' on, of the token at `place`. They lie within
/// a head.
template <class Cache, int V, class T>
__device__ __forceinline__ void storeCached(T *cache, long long place, int column, const float (&values)[V]) {
  constexpr int kHeadElements = Cache::kPageTokens * Cache::kHeadDim;
  if (place >= 0)
    storeVector(cache + place + column / Cache::kHeadDim * kHeadElements + column % Cache::kHeadDim, values);
}

} // namespace bambac
