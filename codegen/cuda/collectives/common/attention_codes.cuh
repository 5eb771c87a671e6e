// A warp's tile of attention over keys and values that stay codes (e4m3) in shared memory and become f16 in registers:
// shared memory, through which 16-bit keys pass twice, would be the bound, not the memory that they come from.
//
// Two neighbouring codes are a word, as wide as what ldmatrix moves. Of 16 dimensions of a key lane q of four gets two
// words, dimensions 4q to 4q + 3: what a fragment of mma calls 2q, 2q + 1, 2q + 8 and 2q + 9. A product does not depend
// on the order of its terms, so that queries are taken in the same one. Transposed, a lane gets a word of two keys
// each: the first codes are of one column of sums, the second ones of the column after it. They go to neighbouring
// tiles of sums, which so hold even and odd dimensions.
#pragma once
#include "common/attention_tile.cuh"

namespace bambac {

/// A tile of AttentionTile<f16, RowTiles, Keys, HeadDim>, of which the first `Rows` rows have queries.
template <int RowTiles, int Rows, int Keys, int HeadDim> class CodeAttention {
  using Tile = AttentionTile<f16, RowTiles, Keys, HeadDim>;
  using Layout = HeadRows<HeadDim>;
  using CodeLayout = HeadRows<HeadDim / 2>; ///< of words
  static constexpr int kSteps = HeadDim / 16;

  uint32 queries[RowTiles][maxOf(kSteps, 1)][4];

public:
  /// `from`: the queries, as HeadRows in shared memory.
  __device__ __forceinline__ void loadQueries(const f16 *from, int lane) {
    static_assert(HeadDim % 32 == 0, "ldmatrix brings 32 dimensions of 16 keys");
#pragma unroll
    for (int i = 0; i < RowTiles * 2; ++i) {
      const f16 *row = from + (i * 8 + lane / 4) * Layout::kStride + lane % 4 * 4;
#pragma unroll
      for (int step = 0; step < kSteps; ++step) {
        const uint2 pair = i * 8 < Rows ? *reinterpret_cast<const uint2 *>(row + step * 16) : make_uint2(0, 0);
        queries[i / 2][step][i % 2] = pair.x;
        queries[i / 2][step][i % 2 + 2] = pair.y;
      }
    }
  }

  /// scores = Q K^T. `keys`: words in shared memory.
  __device__ __forceinline__ void multiplyKeys(Tile &tile, const uint16 *keys, int lane) const {
    const uint32 address = sharedAddress(keys + (lane / 16 * 8 + lane % 8) * CodeLayout::kStride + lane / 8 % 2 * 8);
#pragma unroll
    for (int i = 0; i < RowTiles * Tile::kKeyTiles * 4; ++i)
      tile.scores[i / (Tile::kKeyTiles * 4)][i / 4 % Tile::kKeyTiles][i % 4] = 0.0f;
#pragma unroll
    for (int key = 0; key < Keys; key += 16)
#pragma unroll
      for (int step = 0; step < kSteps; step += 2) {
        uint32 codes[4]; // of keys 0-7 two steps, then of keys 8-15
        ldmatrixX4(codes, address + (key * CodeLayout::kStride + step * 8) * 2);
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          const uint32 first = expandTwoOrNan(codes[i]), second = expandTwoOrNan(codes[i] >> 16);
#pragma unroll
          for (int rows = 0; rows < RowTiles; ++rows)
            mma<f16>(tile.scores[rows][key / 8 + i / 2], queries[rows][step + i % 2], first, second);
        }
      }
  }

  /// sums += scores V, each dimension where columnOf() says. `values`: words in shared memory.
  static __device__ __forceinline__ void multiplyValues(Tile &tile, const uint16 *values, int lane) {
    const uint32 address = sharedAddress(values + lane % 16 * CodeLayout::kStride + lane / 16 * 8);
#pragma unroll
    for (int key = 0; key < Keys; key += 16) {
      uint32 weights[RowTiles][4];
#pragma unroll
      for (int rows = 0; rows < RowTiles; ++rows)
        tile.packWeights(weights[rows], rows, key);
#pragma unroll
      for (int step = 0; step < kSteps; step += 2) {
        uint32 codes[4]; // of a step keys 0-7 and 8-15, then of the next step
        ldmatrixX4Trans(codes, address + (key * CodeLayout::kStride + step * 8) * 2);
#pragma unroll
        for (int i = 0; i < 4; i += 2) {
          uint32 parts[2][2]; // [keys][even or odd dimensions]
#pragma unroll
          for (int half = 0; half < 2; ++half) {
            const uint32 sorted = __byte_perm(codes[i + half], 0, 0x3120);
            parts[half][0] = expandTwoOrNan(sorted), parts[half][1] = expandTwoOrNan(sorted >> 16);
          }
#pragma unroll
          for (int rows = 0; rows < RowTiles; ++rows)
#pragma unroll
            for (int odd = 0; odd < 2; ++odd)
              mma<f16>(tile.sums[rows][step * 2 + i + odd], weights[rows], parts[0][odd], parts[1][odd]);
        }
      }
    }
  }

  /// The dimension of column `column` of a tile of 8 columns of the sums.
  static __device__ __forceinline__ int columnOf(int tile, int column) { return tile / 2 * 16 + column * 2 + tile % 2; }
};

} // namespace bambac
