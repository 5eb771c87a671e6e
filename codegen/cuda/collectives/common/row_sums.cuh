// Rows of a matrix that passes through registers once: accesses of its elements, and the sums of its rows over lanes.
#pragma once
#include "common/mma.cuh"

namespace bambac {

/// Neighbouring elements that are read or written once a step: the first to leave the caches.
template <int V, class T> __device__ __forceinline__ RawVector<T, V> loadRawStreaming(const T *from) {
  if constexpr (V * sizeof(T) == 16) {
    const uint4 words = __ldcs(reinterpret_cast<const uint4 *>(from));
    return *reinterpret_cast<const RawVector<T, V> *>(&words);
  } else {
    return loadRaw<V>(from);
  }
}

/// The same to shared memory, asynchronous where the vector is wide enough.
template <class Vector, class T> __device__ __forceinline__ void copyStreaming(Vector *to, const T *from) {
  if constexpr (sizeof(Vector) == 16)
    copyAsync16(sharedAddress(to), from);
  else if constexpr (sizeof(Vector) >= 4)
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2;" ::"r"(sharedAddress(to)), "l"(from), "n"(sizeof(Vector))
                 : "memory");
  else
    *to = *reinterpret_cast<const Vector *>(from);
}

template <int V, class T> __device__ __forceinline__ void storeStreaming(T *to, const float (&from)[V]) {
  if constexpr (V * sizeof(T) == 16) {
    uint4 words;
    storeVector<V>(reinterpret_cast<T *>(&words), from);
    __stcs(reinterpret_cast<uint4 *>(to), words);
  } else {
    storeVector<V>(to, from);
  }
}

/// Sums each of `Count` rows over groups of `Lanes` neighbouring lanes. Lanes exchange halves of the rows while their
/// number is even, so that a lane ends with some of the sums: kSums of them from the row returned, at the front of
/// `rows`.
template <int Count, int Lanes> struct RowSums {
  static constexpr bool kHalves = Lanes > 1 && Count % 2 == 0;
  using Next = RowSums<kHalves ? Count / 2 : Count, (Lanes > 1 ? Lanes / 2 : 1)>;
  static constexpr int kSums = Next::kSums;

  static __device__ __forceinline__ int run(float *rows, int lane) {
    constexpr int kMask = Lanes / 2;
    if constexpr (kHalves) {
      const bool isUpper = lane & kMask;
#pragma unroll
      for (int i = 0; i < Count / 2; ++i) {
        float kept = isUpper ? rows[i + Count / 2] : rows[i], given = isUpper ? rows[i] : rows[i + Count / 2];
        rows[i] = kept + __shfl_xor_sync(0xffffffffu, given, kMask);
      }
      return Next::run(rows, lane) + (isUpper ? Count / 2 : 0);
    } else {
#pragma unroll
      for (int i = 0; i < Count; ++i)
        rows[i] += __shfl_xor_sync(0xffffffffu, rows[i], kMask);
      return Next::run(rows, lane);
    }
  }
};

template <int Count> struct RowSums<Count, 1> {
  static constexpr int kSums = Count;
  static __device__ __forceinline__ int run(float *, int) { return 0; }
};

} // namespace bambac
