// Where the vectors of a token lie in the paged KV cache.
#pragma once
#include "common/e4m3.cuh"

namespace bambac {

/// The element of a cache [pages, kKvHeads, kPageTokens, kHeadDim] where a vector starts. It has 64 bits, since a pool
/// may have more than 2^31 elements.
template <class Cache> __host__ __device__ constexpr long long cacheOffset(long long page, int head, int slot) {
  return (page * Cache::kKvHeads + head) * (Cache::kPageTokens * Cache::kHeadDim) + slot * Cache::kHeadDim;
}

/// The place of a token of a piece in a cache: the element where its first head starts. Negative where it has none: at
/// position -1 and beyond the page table. Cache: kKvHeads, kHeadDim, kPageTokens, kMaxPages; pages: [pieces,
/// kMaxPages].
template <class Cache> __device__ __forceinline__ long long cachePlace(const int *pages, int piece, int position) {
  if (position < 0 || position >= Cache::kMaxPages * Cache::kPageTokens)
    return -1;
  int page = pages[piece * Cache::kMaxPages + position / Cache::kPageTokens];
  return cacheOffset<Cache>(page, 0, position % Cache::kPageTokens);
}

using contract::CacheScale, contract::kScaleOfKeys, contract::kScaleOfValues;

/// A scale of a cache; 1 where `scales` is null.
__device__ __forceinline__ float cacheScale(const float *scales, CacheScale which) {
  return scales ? scales[which] : 1.0f;
}

/// Writes the values of neighbouring columns, from `column` of all heads' on, of the token at `place`, to a cache of
/// codes divided by its scale. They lie within a head.
template <class Cache, int V, class T>
__device__ __forceinline__ void storeCached(T *cache, long long place, int column, const float (&values)[V],
                                            [[maybe_unused]] float scale = 1.0f) {
  constexpr int kHeadElements = Cache::kPageTokens * Cache::kHeadDim;
  if (place < 0)
    return;
  T *to = cache + place + column / Cache::kHeadDim * kHeadElements + column % Cache::kHeadDim;
  if constexpr (kIsSame<T, e4m3>) {
    float quotients[V];
#pragma unroll
    for (int i = 0; i < V; ++i)
      quotients[i] = __fdiv_rn(values[i], scale);
    storeVector(to, quotients);
  } else {
    storeVector(to, values);
  }
}

} // namespace bambac
