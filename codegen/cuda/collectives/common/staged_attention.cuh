// How decode has keys and values in shared memory, and how a warp multiplies them: as what mma takes, or as codes
// (e4m3) that become f16 in registers, since shared memory would be the bound if they passed through it as f16.
//
// Two neighbouring codes are a word, as wide as what ldmatrix moves. Of 16 dimensions of a key lane q of four gets two
// words, dimensions 4q to 4q + 3: what a fragment of mma calls 2q, 2q + 1, 2q + 8 and 2q + 9. A product does not depend
// on the order of its terms, so that queries are taken in the same one. Transposed, a lane gets a word of two keys
// each: the first codes are of one column of sums, the second ones of the column after it. They go to neighbouring
// tiles of sums, which so hold even and odd dimensions.
#pragma once
#include "common/attention_tile.cuh"

namespace bambac {

/// Vectors of keys or values in shared memory, `Keys` rows, for a tile of AttentionTile<Operand, RowTiles, Keys,
/// HeadDim>, of which the first `Rows` rows have queries.
template <bool KeepsCodes, class Operand, int RowTiles, int Rows, int Keys, int HeadDim> class StagedAttention {
  using Tile = AttentionTile<Operand, RowTiles, Keys, HeadDim>;
  const Operand *queries;

public:
  using Layout = HeadRows<HeadDim>; ///< of the vectors

  /// Starts the copy of vectors that lie one after another at `from`, by a warp; those from `valid` on become zeros.
  template <class Cached>
  static __device__ __forceinline__ void copyAsync(Operand *to, const Cached *from, int valid, int lane) {
    copyRowsAsync<Layout, Keys, 32>(to, from, valid, lane);
  }
  /// `from`: the queries, as HeadRows in shared memory.
  __device__ __forceinline__ void loadQueries(const Operand *from, int) { queries = from; }
  /// scores = Q K^T.
  __device__ __forceinline__ void multiplyKeys(Tile &tile, const Operand *keys, int lane) const {
    tile.multiplyKeys(queries, keys, lane);
  }
  /// sums += scores V.
  static __device__ __forceinline__ void multiplyValues(Tile &tile, const Operand *values, int lane) {
    tile.multiplyValues(values, lane);
  }
  /// The dimension of column `column` of a tile of 8 columns of the sums.
  static __device__ __forceinline__ int columnOf(int tile, int column) { return tile * 8 + column; }
};

/// The same with codes. A row has half as many words as it has dimensions.
template <int RowTiles, int Rows, int Keys, int HeadDim>
class StagedAttention</*KeepsCodes=*/true, f16, RowTiles, Rows, Keys, HeadDim> {
  static_assert(HeadDim % 32 == 0, "ldmatrix brings 32 dimensions of 16 keys");
  using Tile = AttentionTile<f16, RowTiles, Keys, HeadDim>;
  static constexpr int kSteps = HeadDim / 16;

  static constexpr bool kHolds = geometry::holdsQueries(RowTiles, HeadDim);

  const f16 *from; ///< the queries, as HeadRows in shared memory
  uint32 queries[RowTiles][kHolds ? kSteps : 1][4];

public:
  using Layout = HeadRows<HeadDim / 2>;

  static __device__ __forceinline__ void copyAsync(f16 *to, const e4m3 *from, int valid, int lane) {
    copyRowsAsync<Layout, Keys, 32>(reinterpret_cast<uint16 *>(to), reinterpret_cast<const uint16 *>(from), valid,
                                    lane);
  }

  __device__ __forceinline__ void loadQueries(const f16 *from, int lane) {
    this->from = from;
#pragma unroll
    for (int i = 0; i < RowTiles * 2 && kHolds; ++i)
#pragma unroll
      for (int step = 0; step < kSteps; ++step)
        loadHalf(from, step, i, lane, queries[i / 2][kHolds ? step : 0]);
  }

  __device__ __forceinline__ void multiplyKeys(Tile &tile, const f16 *keys, int lane) const {
    const uint32 address = sharedAddress(keys + (lane / 16 * 8 + lane % 8) * Layout::kStride + lane / 8 % 2 * 8);
#pragma unroll
    for (int i = 0; i < RowTiles * Tile::kKeyTiles * 4; ++i)
      tile.scores[i / (Tile::kKeyTiles * 4)][i / 4 % Tile::kKeyTiles][i % 4] = 0.0f;
#pragma unroll
    for (int key = 0; key < Keys; key += 16)
#pragma unroll
      for (int step = 0; step < kSteps; step += 2) {
        uint32 loaded[RowTiles][2][4]; // where they are not held
#pragma unroll
        for (int i = 0; i < RowTiles * 4 && !kHolds; ++i)
          loadHalf(from, step + i % 2, i / 2, lane, loaded[i / 4][i % 2]);
        uint32 codes[4]; // of keys 0-7 two steps, then of keys 8-15
        ldmatrixX4(codes, address + (key * Layout::kStride + step * 8) * 2);
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          const uint32 first = expandTwoOrNan(codes[i]), second = expandTwoOrNan(codes[i] >> 16);
#pragma unroll
          for (int rows = 0; rows < RowTiles; ++rows)
            mma<f16>(tile.scores[rows][key / 8 + i / 2], fragmentOf(loaded, rows, step, i % 2), first, second);
        }
      }
  }

  static __device__ __forceinline__ void multiplyValues(Tile &tile, const f16 *values, int lane) {
    const uint32 address = sharedAddress(values + lane % 16 * Layout::kStride + lane / 16 * 8);
#pragma unroll
    for (int key = 0; key < Keys; key += 16) {
      uint32 weights[RowTiles][4];
#pragma unroll
      for (int rows = 0; rows < RowTiles; ++rows)
        tile.packWeights(weights[rows], rows, key);
#pragma unroll
      for (int step = 0; step < kSteps; step += 2) {
        uint32 codes[4]; // of a step keys 0-7 and 8-15, then of the next step
        ldmatrixX4Trans(codes, address + (key * Layout::kStride + step * 8) * 2);
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

private:
  /// The queries of a tile of rows in step `step` + `i`.
  __device__ __forceinline__ const uint32 (&fragmentOf(const uint32 (&loaded)[RowTiles][2][4], int tile, int step,
                                                       int i) const)[4] {
    if constexpr (kHolds)
      return queries[tile][step + i];
    else
      return loaded[tile][i];
  }

  /// A step of 8 rows of queries, the i-th, from shared memory. Rows without queries are zero.
  static __device__ __forceinline__ void loadHalf(const f16 *from, int step, int i, int lane, uint32 (&to)[4]) {
    const f16 *row = from + (i * 8 + lane / 4) * HeadRows<HeadDim>::kStride + lane % 4 * 4;
    const uint2 pair = i * 8 < Rows ? *reinterpret_cast<const uint2 *>(row + step * 16) : make_uint2(0, 0);
    to[i % 2] = pair.x;
    to[i % 2 + 2] = pair.y;
  }
};

} // namespace bambac
