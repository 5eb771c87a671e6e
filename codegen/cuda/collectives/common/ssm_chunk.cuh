// Pieces of the chunked scan that know nothing of its schedule: tiles of a chunk in shared memory, the step sizes and
// decays of a chunk's tokens.
#pragma once
#include "common/mma.cuh"
#include "geometry/ssm.h"

namespace bambac {

/// The sizes of a scan as its geometry wants them.
template <class Shape, class State>
inline constexpr geometry::SsmShape kSsmShape = {Shape::kPieces,    Shape::kRows,   Shape::kHeads,      Shape::kHeadDim,
                                                 Shape::kStateSize, Shape::kGroups, int(sizeof(State)), 0};

/// To an address of the shared window.
__device__ __forceinline__ void storeShared(uint32 address, uint16 value) {
  asm volatile("st.shared.u16 [%0], %1;" ::"r"(address), "h"(value) : "memory");
}
__device__ __forceinline__ void storeShared(uint32 address, uint32 value) {
  asm volatile("st.shared.u32 [%0], %1;" ::"r"(address), "r"(value) : "memory");
}

/// Tokens of a chunk by columns, 16-bit elements, in shared memory. Rows are an odd number of 16-byte units apart, so
/// that any eight neighbouring rows that ldmatrix reads at one column lie in different banks.
template <int Tokens, int Columns> struct ChunkTile {
  static_assert(Columns % 16 == 0, "whole fragments");
  static constexpr int kColumns = Columns, kStride = Columns + 8;
  static constexpr int kBytes = Tokens * kStride * 2;

  /// Byte offset of an element.
  static __device__ __forceinline__ int offset(int token, int column) { return (token * kStride + column) * 2; }
  /// What a lane adds to a 16x16 block's address for the ldmatrixX4 forms: matrix 1 is eight rows below
  /// matrix 0 and matrix 2 is eight columns to its right ...
  static __device__ __forceinline__ int laneRowsFirst(int lane) { return offset(lane % 16, lane / 16 * 8); }
  /// ... or matrix 1 is eight columns to the right and matrix 2 is eight rows below.
  static __device__ __forceinline__ int laneColumnsFirst(int lane) {
    return offset(lane / 16 * 8 + lane % 8, lane / 8 % 2 * 8);
  }
};

/// Starts the copy of rows [row, row + present) and columns [column, column + columns) of `view` into the tile at
/// `shared`; `columns` <= `Columns`. The tile's further rows are zeroed (what lies there may be NaN), its further
/// columns are left. With `Wide`, column, columns and the view allow accesses of 16 bytes and the copy is asynchronous.
/// All of `Threads` threads call it.
template <class Operand, int Tokens, int Columns, int Threads, bool Wide, class View>
__device__ __forceinline__ void copyTile(uint32 shared, const View &view, int row, int present, int column, int columns,
                                         int thread) {
  using Tile = ChunkTile<Tokens, Columns>;
  constexpr int kUnit = Wide ? 8 : 1, kUnits = Columns / kUnit;
#pragma unroll Wide ? 4 : 1
  for (int i = thread; i < Tokens * kUnits; i += Threads) {
    int token = i / kUnits, unit = i % kUnits * kUnit;
    if (unit >= columns)
      continue;
    bool valid = token < present;
    const Operand *from = view[row + (valid ? token : 0)] + column + unit;
    uint32 to = shared + Tile::offset(token, unit);
    if constexpr (Wide) {
      copyAsync16(to, from, valid);
    } else {
      storeShared(to, valid ? from->bits : uint16(0));
    }
  }
}

/// Step sizes and decays of a chunk of up to 64 tokens; lane l of a warp holds tokens 2 l and 2 l + 1.
struct ChunkDecay {
  float delta[2]; ///< softplus(dt + bias), clamped; 0 for tokens beyond the piece
  float sum[2];   ///< log2 of the decay from the chunk's start through the token: the running sum of delta * A / ln 2

  /// `raw` are the tokens' dt plus bias, the first `present` of them valid; `rate` is A / ln 2.
  __device__ __forceinline__ ChunkDecay(const float (&raw)[2], int present, float rate, float minimum, float maximum,
                                        int lane) {
#pragma unroll
    for (int i = 0; i < 2; ++i)
      delta[i] = 2 * lane + i < present ? fminf(fmaxf(softplus(raw[i]), minimum), maximum) : 0.0f;
    float before = delta[0] * rate, through = before + delta[1] * rate;
#pragma unroll
    for (int distance = 1; distance < 32; distance *= 2) {
      float left = __shfl_up_sync(0xffffffffu, through, distance);
      if (lane >= distance)
        through += left;
    }
    float previous = __shfl_up_sync(0xffffffffu, through, 1);
    sum[0] = before + (lane > 0 ? previous : 0.0f);
    sum[1] = through;
  }

  /// The values of one token or of a pair of tokens, for all lanes. Every lane of the warp calls them.
  __device__ __forceinline__ float sumOf(int token) const {
    float even = __shfl_sync(0xffffffffu, sum[0], token / 2), odd = __shfl_sync(0xffffffffu, sum[1], token / 2);
    return token % 2 ? odd : even;
  }
  __device__ __forceinline__ float2 sumsOfPair(int pair) const {
    return make_float2(__shfl_sync(0xffffffffu, sum[0], pair), __shfl_sync(0xffffffffu, sum[1], pair));
  }
  __device__ __forceinline__ float2 deltasOfPair(int pair) const {
    return make_float2(__shfl_sync(0xffffffffu, delta[0], pair), __shfl_sync(0xffffffffu, delta[1], pair));
  }
  /// log2 of the decay over the whole chunk.
  __device__ __forceinline__ float last() const { return __shfl_sync(0xffffffffu, sum[1], 31); }
};

} // namespace bambac
