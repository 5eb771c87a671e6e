// What both regimes of the sm_80 linear share: reading rows of x, the layout of the weights, the width of the results.
#pragma once
#include "common/core_matrices.cuh"
#include "common/epilogue.cuh"
#include "common/mma.cuh"
#include "geometry/mma_linear.h"

namespace bambac::mma_sync {

/// Columns of the linear (rows of W) in a core matrix.
inline constexpr int kGroupColumns = geometry::kMmaColumns;

/// The weights are core matrices: 8 rows x `words` of K lie in one run of this many bytes.
__host__ __device__ constexpr long long groupBytes(int words) { return alignTo(words, geometry::kTileDepth) * 16ll; }

/// What 16 bytes of operands are.
template <class Operand> inline constexpr int kPiece = 16 / int(sizeof(Operand));

/// The widest V, at most `limit`, to call Epilogue::store<V> with.
template <class Epilogue> __host__ __device__ constexpr int storeVector(int limit) {
  int vector = 1;
  while (vector * 2 <= minOf(Epilogue::kVector, limit))
    vector *= 2;
  return vector;
}

/// Whether eight elements of a row of x may be read in accesses of 16 bytes: row 0 is aligned, so the stride decides.
template <class Input> inline constexpr bool kWideRows = Input::kStride * sizeof(typename Input::Element) % 16 == 0;

/// Elements k .. k + 7 of one row as f32, zero from `Depth` on. k is a multiple of 8.
template <int Depth, bool Wide, class T>
__device__ __forceinline__ void loadEight(const T *row, int k, float (&to)[8]) {
  if constexpr (Wide && Depth % 8 == 0) {
    if (k < Depth) {
      loadVector(row + k, to);
      return;
    }
  } else if constexpr (Wide) {
    if (k + 8 <= Depth) {
      loadVector(row + k, to);
      return;
    }
  }
#pragma unroll
  for (int i = 0; i < 8; ++i)
    to[i] = !(Wide && Depth % 8 == 0) && k + i < Depth ? toFloat(row[k + i]) : 0.0f;
}

/// A piece of operands.
template <class Operand> __device__ __forceinline__ uint4 packPiece(const float (&from)[kPiece<Operand>]) {
  if constexpr (kIsSame<Operand, e4m3>)
    return make_uint4(packCodes(from[0], from[1], from[2], from[3]), packCodes(from[4], from[5], from[6], from[7]),
                      packCodes(from[8], from[9], from[10], from[11]),
                      packCodes(from[12], from[13], from[14], from[15]));
  else
    return make_uint4(pack<Operand>(from[0], from[1]), pack<Operand>(from[2], from[3]), pack<Operand>(from[4], from[5]),
                      pack<Operand>(from[6], from[7]));
}

/// Codes k .. k + 15 of one row as they are, zero from `Depth` on. k is a multiple of 16.
template <int Depth, bool Wide> __device__ __forceinline__ uint4 loadCodes(const e4m3 *row, int k) {
  if constexpr (Wide)
    if (k + 16 <= Depth)
      return *reinterpret_cast<const uint4 *>(row + k);
  uint32 words[4] = {};
#pragma unroll
  for (int i = 0; i < 16; ++i)
    if (k + i < Depth)
      words[i / 4] |= uint32(row[k + i].bits) << (i % 4 * 8);
  return make_uint4(words[0], words[1], words[2], words[3]);
}

} // namespace bambac::mma_sync
