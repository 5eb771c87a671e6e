// Sums of a tile whose depth the blocks of a cluster share, read from the shared memory of all of them.
#pragma once
#include "common/types.cuh"

namespace bambac {

/// Neighbouring floats at the address `address` of another block of the cluster.
template <int Count> __device__ __forceinline__ void loadRemote(uint32 address, int rank, float (&to)[Count]) {
  uint32 remote;
  asm("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(remote) : "r"(address), "r"(rank));
  if constexpr (Count % 4 == 0) {
#pragma unroll
    for (int i = 0; i < Count; i += 4)
      asm volatile("ld.shared::cluster.v4.f32 {%0, %1, %2, %3}, [%4];"
                   : "=f"(to[i]), "=f"(to[i + 1]), "=f"(to[i + 2]), "=f"(to[i + 3])
                   : "r"(remote + i * 4));
  } else {
#pragma unroll
    for (int i = 0; i < Count; ++i)
      asm volatile("ld.shared::cluster.f32 %0, [%1];" : "=f"(to[i]) : "r"(remote + i * 4));
  }
}

/// The sums at `address` in the tiles of all `Blocks` blocks of the cluster, added in the order of the depth.
template <int Blocks, int Count> __device__ __forceinline__ void addShares(uint32 address, float (&total)[Count]) {
  float share[Blocks][Count];
#pragma unroll
  for (int rank = 0; rank < Blocks; ++rank)
    loadRemote(address, rank, share[rank]);
#pragma unroll
  for (int i = 0; i < Count; ++i)
    total[i] = share[0][i];
#pragma unroll
  for (int rank = 1; rank < Blocks; ++rank)
#pragma unroll
    for (int i = 0; i < Count; ++i)
      total[i] += share[rank][i];
}

} // namespace bambac
