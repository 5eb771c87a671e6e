// What both regimes of the sm_80 linear share: reading rows of x, the layout of the weights, the width of the results.
#pragma once
#include "common/core_matrices.cuh"
#include "common/epilogue.cuh"
#include "common/mma.cuh"
#include "geometry/mma_linear.h"

namespace bambac::mma_sync {

/// Columns of the linear (rows of W) in a core matrix.
inline constexpr int kGroupColumns = geometry::kMmaColumns;

/// The weights are core matrices: 8 rows x all of K lie in one run of this many bytes.
__host__ __device__ constexpr long long groupBytes(int depth) { return alignTo(depth, 64) * 16ll; }

/// The end of a block: what all its threads have stored is complete.
template <class Epilogue> __device__ __forceinline__ void finishBlock(const Epilogue &epilogue) {
  if constexpr (kReduces<Epilogue>) {
    __syncthreads();
    if (threadIdx.x < 32)
      finishEpilogue(epilogue);
  }
}

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

template <class Operand> __device__ __forceinline__ uint4 packEight(const float (&from)[8]) {
  return make_uint4(pack<Operand>(from[0], from[1]), pack<Operand>(from[2], from[3]), pack<Operand>(from[4], from[5]),
                    pack<Operand>(from[6], from[7]));
}

} // namespace bambac::mma_sync
