// Pieces of the wgmma scan: the copies that fill tiles of a chunk in shared memory, and what a chunk's tokens are
// scaled by.
#pragma once
#include "common/async.cuh"
#include "common/ssm_chunk.cuh"
#include "wgmma/panel_tile.cuh"

namespace bambac {

/// Four 8x8 matrices of 16-bit elements from registers to shared memory, the counterpart of ldmatrixX4.
__device__ __forceinline__ void stmatrixX4(uint32 address, const uint32 (&from)[4]) {
  asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(address), "r"(from[0]),
               "r"(from[1]), "r"(from[2]), "r"(from[3])
               : "memory");
}

/// Starts the copy of rows [row, row + present) and columns [column, column + columns) of `view` into the tile at
/// `shared`; the rest of the tile becomes zero. With `Wide`, column, columns and the view allow accesses of 16 bytes
/// and the copy is asynchronous. All of `Threads` threads call it.
template <class Operand, int Columns, int Threads, bool Wide, class View>
__device__ __forceinline__ void copyPanels(uint32 shared, const View &view, int row, int present, int column,
                                           int columns, int thread) {
  using Tile = PanelTile<Columns>;
  constexpr int kUnits = Columns / 8, kRows = Threads / kUnits; // of 16 bytes; in a pass of all threads
  static_assert(kRows % 8 == 0 && 64 % kRows == 0, "a thread's units all have the same place in the swizzle");
  int first = thread / kUnits, unit = thread % kUnits;
  uint32 to = shared + Tile::offset(first, unit);
  const Operand *from = view[row + first] + column + unit * 8;
#pragma unroll
  for (int i = 0; i < 64 / kRows; ++i) {
    bool valid = first + i * kRows < present;
    if constexpr (Wide) {
      copyAsync16(to + i * kRows * 128, from + i * kRows * View::kStride, valid && unit * 8 < columns);
    } else {
#pragma unroll 1
      for (int j = 0; j < 8; ++j)
        storeShared(to + i * kRows * 128 + j * 2,
                    valid && unit * 8 + j < columns ? from[i * kRows * View::kStride + j].bits : uint16(0));
    }
  }
}

/// What the 64 tokens of a chunk are scaled by, in shared memory. a[t] is log2 of the decay from the chunk's start
/// through token t.
struct ChunkFactors {
  float through[64]; ///< a[t]
  float source[64];  ///< log2(delta[s]) - a[s]: token s reaches token t with 2^(through[t] + source[s])
  float carried[64]; ///< 2^a[t]: what is left of the state before the chunk; the last one is the whole chunk's decay
  float kept[64];    ///< 2^(a[63] + source[s]): what of token s reaches the chunk's end

  /// By one warp.
  __device__ __forceinline__ void write(const ChunkDecay &decay, int lane) {
    float last = decay.last(), from[2];
#pragma unroll
    for (int i = 0; i < 2; ++i)
      from[i] = __log2f(decay.delta[i]) - decay.sum[i]; // no step: minus infinity
    storeVector<2>(through + 2 * lane, decay.sum);
    storeVector<2>(source + 2 * lane, from);
    storeVector<2>(carried + 2 * lane, {exp2Fast(decay.sum[0]), exp2Fast(decay.sum[1])});
    storeVector<2>(kept + 2 * lane, {exp2Fast(last + from[0]), exp2Fast(last + from[1])});
  }
};

} // namespace bambac
