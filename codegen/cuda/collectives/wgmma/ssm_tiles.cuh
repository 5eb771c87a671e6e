// Pieces of the wgmma scan: swizzled tiles of a chunk in shared memory as wgmma and ldmatrix read them, the copies that
// fill them, and what a chunk's tokens are scaled by.
#pragma once
#include "common/async.cuh"
#include "common/ssm_chunk.cuh"
#include "wgmma/wgmma.cuh"

namespace bambac {

/// 64 rows of 16-bit elements in panels of 64 columns. A row of a panel is 128 bytes, its 16-byte units permuted by the
/// 128-byte swizzle; a panel starts at a multiple of 1024 bytes. As a wgmma operand a panel serves both ways: along the
/// columns (swizzledDescriptor) and along the rows (transposedDescriptor).
template <int Columns> struct PanelTile {
  static_assert(Columns % 64 == 0, "whole panels");
  static constexpr int kPanels = Columns / 64, kPanelBytes = 64 * 128, kBytes = kPanels * kPanelBytes;

  /// Byte offset of the 16-byte unit `unit` (eight columns) of a row.
  static __device__ __forceinline__ int offset(int row, int unit) {
    return unit / 8 * kPanelBytes + row * 128 + ((unit ^ row) & 7) * 16;
  }
};

/// A panel as operand b with its rows along the reduction: 64 columns of the product. Eight rows are 1024 bytes, so the
/// steps of 16 along the reduction are 2048 bytes apart.
__device__ __forceinline__ uint64 transposedDescriptor(uint32 address) {
  return uint64((address & 0x3ffffu) >> 4) | uint64(1024 >> 4) << 16 | uint64(1024 >> 4) << 32 | uint64(1) << 62;
}

/// Keeps the compiler from moving the making of register operands over this point.
template <int Steps> __device__ __forceinline__ void fenceOperands(uint32 (&operands)[Steps][4]) {
#pragma unroll
  for (int step = 0; step < Steps; ++step)
#pragma unroll
    for (int i = 0; i < 4; ++i)
      asm volatile("" : "+r"(operands[step][i])::"memory");
}

/// to = from, at this point and no earlier. Matrix instructions read their register operands until warpgroupWait: where
/// a plain copy after it is the only definition of the next operands, the compiler may compute them in the registers
/// that are still read.
template <int Steps>
__device__ __forceinline__ void replaceOperands(uint32 (&to)[Steps][4], const uint32 (&from)[Steps][4]) {
#pragma unroll
  for (int step = 0; step < Steps; ++step)
#pragma unroll
    for (int i = 0; i < 4; ++i)
      asm volatile("mov.b32 %0, %1;" : "=r"(to[step][i]) : "r"(from[step][i]) : "memory");
}

/// Four 8x8 matrices of 16-bit elements from registers to shared memory, the counterpart of ldmatrixX4.
__device__ __forceinline__ void stmatrixX4(uint32 address, const uint32 (&from)[4]) {
  asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(address), "r"(from[0]),
               "r"(from[1]), "r"(from[2]), "r"(from[3])
               : "memory");
}

/// Arrives at `barrier` once this thread's copyAsync16 so far are in. The barrier's count includes these arrivals.
__device__ __forceinline__ void arriveAfterCopies(uint32 barrier) {
  asm volatile("cp.async.mbarrier.arrive.noinc.shared::cta.b64 [%0];" ::"r"(barrier) : "memory");
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
