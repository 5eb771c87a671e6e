// Puts rows of a checkpoint's tensor, as they are in the file, into the panels of a weight.
#pragma once
#include "common/e4m3.cuh"
#include "common/launch.cuh"
#include "runtime/contract/element_types.h"
#include "runtime/contract/weight_layout.h"
#include "runtime/contract/weight_piece.h"

namespace bambac {

/// What one launch packs.
using WeightPiece = bamba_rt_piece;

/// 4-byte words that stand together, read and written 16 bytes at a time where there are as many.
template <int Count> __device__ __forceinline__ void loadWords(const void *from, uint32 (&to)[Count]) {
  if constexpr (Count % 4 == 0) {
#pragma unroll
    for (int i = 0; i < Count; i += 4) {
      uint4 v = static_cast<const uint4 *>(from)[i / 4];
      to[i] = v.x, to[i + 1] = v.y, to[i + 2] = v.z, to[i + 3] = v.w;
    }
  } else {
    static_assert(Count <= 2);
    if constexpr (Count == 2) {
      uint2 v = *static_cast<const uint2 *>(from);
      to[0] = v.x, to[1] = v.y;
    } else {
      to[0] = *static_cast<const uint32 *>(from);
    }
  }
}

template <int Count> __device__ __forceinline__ void storeWords(void *to, const uint32 (&from)[Count]) {
  static_assert(Count == 4 || Count == 2 || Count == 1);
  if constexpr (Count == 4)
    *static_cast<uint4 *>(to) = make_uint4(from[0], from[1], from[2], from[3]);
  else if constexpr (Count == 2)
    *static_cast<uint2 *>(to) = make_uint2(from[0], from[1]);
  else
    *static_cast<uint32 *>(to) = from[0];
}

/// Element `i` of those that stand in words, and elements put into words that are zero.
template <class T> __device__ __forceinline__ T elementOf(const uint32 *words, int i) {
  if constexpr (sizeof(T) == 4)
    return __uint_as_float(words[i]);
  else if constexpr (sizeof(T) == 8)
    return __hiloint2double(int(words[2 * i + 1]), int(words[2 * i]));
  else if constexpr (sizeof(T) == 1)
    return T{uint8(words[i / 4] >> (i % 4 * 8))};
  else
    return T{uint16(words[i / 2] >> (i % 2 * 16))};
}

__device__ __forceinline__ void putElement(uint32 *words, int i, float value) { words[i] = __float_as_uint(value); }
template <class T> __device__ __forceinline__ void putElement(uint32 *words, int i, T value) {
  constexpr int kPerWord = 4 / int(sizeof(T));
  words[i / kPerWord] |= uint32(value.bits) << (i % kPerWord * (32 / kPerWord));
}

/// `From` as `To`. What is of that type already keeps its bits.
template <class To, class From> struct ConvertElement {
  static constexpr bool kCopies = false;
  static __device__ __forceinline__ To convert(From value) { return fromFloat<To>(toFloat(value)); }
};
template <class T> struct ConvertElement<T, T> {
  static constexpr bool kCopies = true;
  static __device__ __forceinline__ T convert(T value) { return value; }
};

/// The widest power of two of elements up to 16 bytes that never leaves a group (of a row-major matrix: a row).
__host__ __device__ constexpr int packedVector(int elementBytes, int panel, int group) {
  if (group == 1)
    return panel == 1 ? 16 / elementBytes : 1;
  int vector = 16 / elementBytes;
  while (group % vector != 0)
    vector /= 2;
  return vector;
}

/// Shape: Element (float, bf16, f16 or e4m3), kPanel and kGroup (1 and 1: row-major), kMultiprocessors. Any size of
/// matrix; fast where its columns are whole vectors. Padding is left alone.
template <class Shape> struct PackWeights {
  using Element = typename Shape::Element;
  static constexpr int kPanel = Shape::kPanel, kGroup = Shape::kGroup;
  static constexpr int kThreads = 256, kMinBlocks = 4, kWarps = kThreads / 32;
  static constexpr int kBlocks = Shape::kMultiprocessors * 8;
  static constexpr Launch kLaunch = {kBlocks, 1, 1, kThreads, 1, 0, 0, 0};

  static constexpr int kVector = packedVector(sizeof(Element), kPanel, kGroup);

  /// A warp moves a tile of vectors: so many rows of a panel that it writes one run of memory.
  static constexpr int kTileRows = kPanel % 8 == 0 ? 8 : kPanel % 4 == 0 ? 4 : kPanel % 2 == 0 ? 2 : 1;
  static constexpr int kTileVectors = 32 / kTileRows;

  static __device__ __forceinline__ void run(const WeightPiece &piece) {
    switch (piece.dtype) {
#define BAMBA_PACK_FROM(enumerator, number, name, bytes, type, safetensors, weights, checkpoints, scaled)              \
  case BAMBA_RT_##enumerator:                                                                                          \
    if constexpr (checkpoints)                                                                                         \
      return pack<type>(piece);                                                                                        \
    break;
      BAMBA_RT_ELEMENT_TYPES(BAMBA_PACK_FROM)
#undef BAMBA_PACK_FROM
    }
    __trap(); // the runtime hands out no other type
  }

private:
  template <class From> static __device__ __forceinline__ void pack(const WeightPiece &piece) {
    if constexpr (kIsSame<Element, e4m3> && !kIsSame<From, e4m3>)
      if (piece.scales)
        return quantizeRows<From>(piece);
    if constexpr (kVector > 1 && kVector * sizeof(From) >= 4)
      if (!piece.transposed && piece.cols % kVector == 0 && piece.width % kVector == 0)
        return packVectors<From>(piece);
    packElements<From>(piece);
  }

  /// The row of the stacked tensors that row `row` of the piece goes to.
  static __device__ __forceinline__ uint64 rowOf(const WeightPiece &piece, uint32 row) {
    uint64 place = contract::rotaryPlaceOf(piece.first_row + row, piece.head_dim, piece.rotary_dim);
    return contract::SourceRows{piece.row_base, piece.row_step}.rowOf(place);
  }

  /// Where element (r, c) of the stored matrix is.
  static __device__ __forceinline__ uint64 offsetOf(const WeightPiece &piece, uint64 r, uint64 c) {
    return contract::panelOffset(r, c, kPanel, kGroup, piece.width);
  }

  template <class From> static __device__ __forceinline__ void packVectors(const WeightPiece &piece) {
    using Convert = ConvertElement<Element, From>;
    const uint32 rows = uint32(piece.rows), rowVectors = uint32(piece.cols) / kVector;
    const uint32 tilesAcross = (rowVectors + kTileVectors - 1) / kTileVectors;
    const uint32 tiles = (rows + kTileRows - 1) / kTileRows * tilesAcross;
    const uint32 lane = threadIdx.x % 32, warp = blockIdx.x * kWarps + threadIdx.x / 32;
    for (uint32 tile = warp; tile < tiles; tile += kBlocks * kWarps) {
      uint32 tileRow = tile / tilesAcross;
      uint32 row = tileRow * kTileRows + lane % kTileRows;
      uint32 vector = (tile - tileRow * tilesAcross) * kTileVectors + lane / kTileRows;
      if (row >= rows || vector >= rowVectors)
        continue;
      uint32 in[kVector * sizeof(From) / 4];
      loadWords(static_cast<const From *>(piece.from) + row * piece.cols + vector * kVector, in);
      Element *to = static_cast<Element *>(piece.to) + offsetOf(piece, rowOf(piece, row), uint64(vector) * kVector);
      if constexpr (Convert::kCopies) {
        storeWords(to, in);
      } else {
        uint32 out[kVector * sizeof(Element) / 4] = {};
#pragma unroll
        for (int i = 0; i < kVector; ++i)
          putElement(out, i, Convert::convert(elementOf<From>(in, i)));
        storeWords(to, out);
      }
    }
  }

  /// Numbers that become codes with a scale for each row, which is left among the scales: a block has a row at a time.
  template <class From> static __device__ __forceinline__ void quantizeRows(const WeightPiece &piece) {
    for (uint32 row = blockIdx.x; row < uint32(piece.rows); row += kBlocks)
      if (kVector * sizeof(From) >= 4 && piece.cols % kVector == 0 && piece.width % kVector == 0)
        quantizeRow<From, kVector>(piece, row);
      else
        quantizeRow<From, 1>(piece, row);
  }

  template <class From, int V>
  static __device__ __forceinline__ void quantizeRow(const WeightPiece &piece, uint32 row) {
    __shared__ uint32 largest;
    const uint32 cols = uint32(piece.cols);
    const From *from = static_cast<const From *>(piece.from) + uint64(row) * cols;
    uint32 most = 0;
    float values[V];
    for (uint32 col = threadIdx.x * V; col < cols; col += kThreads * V) {
      loadNumbers(from + col, values);
      most = max(most, largestBits(values));
    }
    __syncthreads(); // the row before has its scale
    if (threadIdx.x == 0)
      largest = 0;
    __syncthreads();
    most = __reduce_max_sync(0xffffffffu, most);
    if (threadIdx.x % 32 == 0)
      atomicMax(&largest, most);
    __syncthreads();
    float scale = __fdiv_rn(__uint_as_float(largest), contract::kLargestE4m3);
    scale = scale > 0.0f ? scale : 1.0f;
    const uint64 r = rowOf(piece, row);
    for (uint64 group = threadIdx.x; group < piece.scale_groups; group += kThreads)
      piece.scales[group * piece.scale_rows + r] = scale;
    const CodeDivider divider(scale);
    for (uint32 col = threadIdx.x * V; col < cols; col += kThreads * V) {
      loadNumbers(from + col, values);
      divider.divide(values);
      storeVector(static_cast<e4m3 *>(piece.to) + offsetOf(piece, r, col), values);
    }
  }

  /// `V` neighbouring numbers of a row as f32.
  template <class From, int V>
  static __device__ __forceinline__ void loadNumbers(const From *from, float (&values)[V]) {
    if constexpr (V == 1) {
      values[0] = toFloat(*from);
    } else {
      uint32 words[V * sizeof(From) / 4];
      loadWords(from, words);
#pragma unroll
      for (int i = 0; i < V; ++i)
        values[i] = toFloat(elementOf<From>(words, i));
    }
  }

  /// For odd columns and transposed weights, which are small.
  template <class From> static __device__ __forceinline__ void packElements(const WeightPiece &piece) {
    const uint32 cols = uint32(piece.cols), count = uint32(piece.rows) * cols;
    const From *from = static_cast<const From *>(piece.from);
    for (uint32 i = blockIdx.x * kThreads + threadIdx.x; i < count; i += kBlocks * kThreads) {
      uint32 row = i / cols, col = i - row * cols;
      uint64 r = rowOf(piece, row);
      uint64 offset = piece.transposed ? offsetOf(piece, col, r) : offsetOf(piece, r, col);
      static_cast<Element *>(piece.to)[offset] = ConvertElement<Element, From>::convert(from[i]);
    }
  }
};

} // namespace bambac
