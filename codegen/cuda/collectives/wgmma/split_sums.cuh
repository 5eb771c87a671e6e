// Sums of tiles in two parts (large_tiles.cuh) on their way from the block of the first part to that of the second.
#pragma once
#include "common/async.cuh"
#include "common/launch.cuh"

namespace bambac {

/// `Count` sums of each thread of `Consumers` warpgroups, for each split tile. A tile's counter is zero between
/// launches:
///
///   each warpgroup of the first part, when its sums are stored   + 1
///   the second part, when it has waited in vain                  + kGaveUp
///
/// Whoever finds that all of them have come sets it to zero, and so does a second part that finds the sums there. A
/// first part is what a block begins with, so that its sums are there unless its block has not started: then the second
/// part computes the tile from the start, which gives the same bits.
template <int Consumers, int Count> class SplitSums {
  static constexpr uint32 kGaveUp = 2 * Consumers;
  static constexpr int kBarrier = 1; // and one more for each warpgroup

public:
  static constexpr uint32 kTileBytes = Consumers * 128 * Count * 4;

  __device__ __forceinline__ explicit SplitSums(void *workspace)
      : counters(static_cast<uint32 *>(workspace) + kSplitCounter),
        sums(reinterpret_cast<float4 *>(static_cast<uint32 *>(workspace) + kWorkspaceCounters)) {}

  /// By a warpgroup with the sums of a first part.
  template <int Blocks, int N>
  __device__ __forceinline__ void store(int part, int consumer, const float (&from)[Blocks][N]) {
    float4 *to = address(part, consumer);
#pragma unroll
    for (int i = 0; i < Blocks * N; i += 4)
      __stcg(to + i / 4 * 128,
             make_float4(from[i / N][i % N], from[i / N][i % N + 1], from[i / N][i % N + 2], from[i / N][i % N + 3]));
  }
  /// By a warpgroup of a first part, when what it has to store is stored.
  __device__ __forceinline__ void announce(int part, int consumer) {
    syncNamed(kBarrier + consumer, 128);
    if (threadIdx.x % 128 == 0) {
      __threadfence(); // of what all threads of the warpgroup have stored
      if (atomicAdd(counters + part, 1u) + 1 == Consumers + kGaveUp)
        counters[part] = 0;
    }
  }
  /// By the loading thread of a second part: whether the sums of the first are there.
  __device__ __forceinline__ bool await(int part) {
    constexpr int kTries = 4096;
    for (int i = 0; i < kTries && *const_cast<volatile uint32 *>(counters + part) != Consumers; ++i)
      __nanosleep(64);
    const bool arrived = *const_cast<volatile uint32 *>(counters + part) == Consumers ||
                         atomicAdd(counters + part, kGaveUp) == Consumers;
    if (arrived)
      counters[part] = 0;
    __threadfence();
    return arrived;
  }
  /// By a warpgroup of a second part, when the loading thread has seen them arrive.
  template <int Blocks, int N> __device__ __forceinline__ void load(int part, int consumer, float (&to)[Blocks][N]) {
    const float4 *from = address(part, consumer);
#pragma unroll
    for (int i = 0; i < Blocks * N; i += 4) {
      const float4 four = __ldcg(from + i / 4 * 128);
      to[i / N][i % N] = four.x;
      to[i / N][i % N + 1] = four.y;
      to[i / N][i % N + 2] = four.z;
      to[i / N][i % N + 3] = four.w;
    }
  }

private:
  uint32 *counters;
  float4 *sums;

  __device__ __forceinline__ float4 *address(int part, int consumer) const {
    return sums + size_t(part * Consumers + consumer) * (Count / 4 * 128) + threadIdx.x % 128;
  }
};

} // namespace bambac
