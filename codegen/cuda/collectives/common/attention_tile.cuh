// What the attention kernels share: heads as rows in shared memory, keys and values gathered through the page table,
// and one warp's FlashAttention-2 recurrence: its sums, and their products on mma.sync.
#pragma once
#include "common/kv_cache.cuh"
#include "common/mma.cuh"
#include "geometry/attention.h"

namespace bambac {

__device__ __forceinline__ float negativeInfinity() { return __uint_as_float(0xff800000u); }

/// The sizes of an attention as its geometry wants them.
template <class Shape>
inline constexpr geometry::AttentionShape kAttentionShape = {geometry::knownSize(Shape::kPieces),
                                                             geometry::knownSize(Shape::kRows),
                                                             Shape::kHasRuns,
                                                             Shape::kHeads,
                                                             Shape::kKvHeads,
                                                             Shape::kHeadDim,
                                                             Shape::kPageTokens,
                                                             int(sizeof(typename Shape::Cached))};

/// Vectors of one head in shared memory: a row each, filled up with zeros to geometry::paddedHead.
template <int HeadDim> struct HeadRows {
  static constexpr int kPadded = geometry::paddedHead(HeadDim);
  static constexpr bool kHasPadding = kPadded != HeadDim;
  static constexpr int kStride = geometry::headStride(HeadDim);
  /// Elements that one asynchronous copy moves: the most that divides a row.
  static constexpr int kCopyElements = HeadDim % 8 == 0 ? 8 : HeadDim % 4 == 0 ? 4 : HeadDim % 2 == 0 ? 2 : 1;
  static constexpr int kCopies = HeadDim / kCopyElements;
  /// Where an element lies. Up to eight neighbours from a multiple of their number on lie next to each other.
  static __device__ __forceinline__ int offset(int row, int column) { return row * kStride + column; }
};

/// Codes of global memory, and their f16 in shared memory: `Elements`, a power of two up to 8.
template <int Elements> struct CodePiece {
  uint32 words[ceilDiv(Elements, 4)];

  __device__ __forceinline__ void load(const e4m3 *from, bool valid) {
    if constexpr (Elements == 8) {
      uint2 pair = valid ? *reinterpret_cast<const uint2 *>(from) : make_uint2(0, 0);
      words[0] = pair.x, words[1] = pair.y;
    } else if constexpr (Elements == 4) {
      words[0] = valid ? *reinterpret_cast<const uint32 *>(from) : 0;
    } else if constexpr (Elements == 2) {
      words[0] = valid ? *reinterpret_cast<const uint16 *>(from) : 0;
    } else {
      words[0] = valid ? from->bits : 0;
    }
  }
  __device__ __forceinline__ void store(f16 *to) const {
    if constexpr (Elements == 1) {
      *to = f16{uint16(expandTwoOrNan(words[0]))};
    } else {
#pragma unroll
      for (int i = 0; i < Elements / 2; ++i)
        reinterpret_cast<uint32 *>(to)[i] = expandTwoOrNan(words[i / 2] >> (i % 2 * 16));
    }
  }
};

/// Copies `Rows` vectors of codes that lie one after another at `from`, as f16; those from `valid` on become zeros. All
/// of `Threads` threads take part. The copy is done when it returns, but for a barrier.
template <class Layout, int Rows, int Threads>
__device__ __forceinline__ void copyRowsAsync(f16 *to, const e4m3 *from, int valid, int thread) {
  constexpr int kElements = Layout::kCopyElements, kTotal = Rows * Layout::kCopies;
  constexpr int kEach = ceilDiv(kTotal, Threads), kAhead = minOf(kEach, 8); // loads in flight
  for (int first = 0; first < kEach; first += kAhead) {
    CodePiece<kElements> pieces[kAhead];
#pragma unroll
    for (int i = 0; i < kAhead; ++i) {
      int copy = (first + i) * Threads + thread;
      pieces[i].load(from + copy * kElements, copy < kTotal && copy / Layout::kCopies < valid);
    }
#pragma unroll
    for (int i = 0; i < kAhead; ++i) {
      int copy = (first + i) * Threads + thread;
      if (copy < kTotal)
        pieces[i].store(to + Layout::offset(copy / Layout::kCopies, copy % Layout::kCopies * kElements));
    }
  }
}

/// Starts the copy of `Rows` vectors that lie one after another at `from`; those from `valid` on become zeros. All of
/// `Threads` threads take part.
template <class Layout, int Rows, int Threads, class Operand>
__device__ __forceinline__ void copyRowsAsync(Operand *to, const Operand *from, int valid, int thread) {
  constexpr int kTotal = Rows * Layout::kCopies, kElements = Layout::kCopyElements;
  constexpr bool kWholeRows = Threads % Layout::kCopies == 0; // a thread then stays in its column
#pragma unroll
  for (int first = 0; first < kTotal; first += Threads) {
    int copy = first + thread;
    int row = kWholeRows ? first / Layout::kCopies + thread / Layout::kCopies : copy / Layout::kCopies;
    int column = (kWholeRows ? thread : copy) % Layout::kCopies;
    if (kTotal % Threads == 0 || copy < kTotal)
      copyElementsAsync<kElements>(to + Layout::offset(row, column * kElements), from + copy * kElements, row < valid);
  }
}

/// What the scores of a cache are multiplied with before they are exponents of 2, and what its sums of values are.
template <class Shape> struct AttentionScales {
  float score, value;

  __device__ __forceinline__ explicit AttentionScales(const float *scales) {
    score = Shape::kScale * kLog2E * cacheScale(scales, kScaleOfKeys);
    value = cacheScale(scales, kScaleOfValues);
  }
};

/// The vector in slot `slot` of a page, of one KV head.
template <class Shape, class Cached>
__device__ __forceinline__ const Cached *pagedVector(const Cached *cache, int page, int head, int slot) {
  return cache + cacheOffset<Shape>(page, head, slot);
}

/// Where a row of a query tile comes from. A position below 0: from nowhere, the row is zero.
struct QuerySource {
  int row, head, position;
};

/// The widest loads that the layout of the queries allows.
template <class Shape, class Query> __host__ __device__ constexpr int queryVector() {
  int vector = Shape::kAligned ? 8 : 1;
  while (Shape::kHeadDim % vector || Query::kStride % vector)
    vector /= 2;
  return vector;
}

/// Writes the tile of `Rows` queries as rows at `to`. `sourceOf(row)` names each row's
/// source. All of `Threads` threads take part.
template <class Shape, class Layout, int Rows, int Threads, class Operand, class Query, class SourceOf>
__device__ __forceinline__ void stageQueries(Operand *to, const Query &query, SourceOf sourceOf, int thread) {
  constexpr int kVector = queryVector<Shape, Query>(), kVectors = Layout::kPadded / kVector;
  for (int i = thread; i < Rows * kVectors; i += Threads) {
    int row = i / kVectors, dim = i % kVectors * kVector;
    QuerySource source = sourceOf(row);
    float vector[kVector] = {};
    if (source.position >= 0 && dim < Shape::kHeadDim)
      loadVector(query[source.row] + source.head * Shape::kHeadDim + dim, vector);
    storeVector(to + Layout::offset(row, dim), vector);
  }
}

/// One warp's `16 RowTiles` query rows on their way over the keys, `Keys` at a time: running maximum, sum of weights
/// and weighted sum of values of each row. A lane holds rows lane / 4 and lane / 4 + 8 of each tile, in mma's layout of
/// D.
template <class Operand, int RowTiles, int Keys, int HeadDim> struct AttentionTile {
  using Layout = HeadRows<HeadDim>;
  static constexpr int kRowTiles = RowTiles, kKeys = Keys;
  static constexpr int kKeyTiles = Keys / 8, kDimTiles = Layout::kPadded / 8;
  static_assert(Keys % 16 == 0, "keys are multiplied 16 at once");

  float scores[RowTiles][kKeyTiles][4];
  float sums[RowTiles][kDimTiles][4];
  float maximum[RowTiles][2]; ///< of the scores so far or a little less (see softmax), before scaling
  float weight[RowTiles][2];  ///< of this lane's keys; of all keys after finish()

  __device__ __forceinline__ AttentionTile() {
#pragma unroll
    for (int tile = 0; tile < RowTiles; ++tile) {
#pragma unroll
      for (int half = 0; half < 2; ++half)
        maximum[tile][half] = negativeInfinity(), weight[tile][half] = 0.0f;
#pragma unroll
      for (int dim = 0; dim < kDimTiles; ++dim)
#pragma unroll
        for (int i = 0; i < 4; ++i)
          sums[tile][dim][i] = 0.0f;
    }
  }

  /// scores = Q K^T. `queries` are this warp's rows and `keys` the keys, as HeadRows in shared memory.
  __device__ __forceinline__ void multiplyKeys(const Operand *queries, const Operand *keys, int lane) {
    uint32 queryAddress = sharedAddress(queries + lane % 16 * Layout::kStride + lane / 16 * 8);
    // Matrices 0 and 1 of an ldmatrix are the halves of 16 dimensions of keys 0-7, 2 and 3 those of keys 8-15.
    uint32 keyAddress = sharedAddress(keys + (lane / 16 * 8 + lane % 8) * Layout::kStride + lane / 8 % 2 * 8);
#pragma unroll
    for (int tile = 0; tile < RowTiles; ++tile)
#pragma unroll
      for (int key = 0; key < kKeyTiles; ++key)
#pragma unroll
        for (int i = 0; i < 4; ++i)
          scores[tile][key][i] = 0.0f;
#pragma unroll
    for (int dim = 0; dim < Layout::kPadded; dim += 16) {
      uint32 a[RowTiles][4];
#pragma unroll
      for (int tile = 0; tile < RowTiles; ++tile)
        ldmatrixX4(a[tile], queryAddress + (tile * 16 * Layout::kStride + dim) * 2);
#pragma unroll
      for (int key = 0; key < Keys; key += 16) {
        uint32 b[4];
        ldmatrixX4(b, keyAddress + (key * Layout::kStride + dim) * 2);
#pragma unroll
        for (int tile = 0; tile < RowTiles; ++tile) {
          mma<Operand>(scores[tile][key / 8], a[tile], b[0], b[1]);
          mma<Operand>(scores[tile][key / 8 + 1], a[tile], b[2], b[3]);
        }
      }
    }
  }

  /// Hides from each row the keys after `last[tile][half]`, counted from the first key of the tile.
  __device__ __forceinline__ void mask(const int (&last)[RowTiles][2], int lane) {
#pragma unroll
    for (int tile = 0; tile < RowTiles; ++tile)
#pragma unroll
      for (int key = 0; key < kKeyTiles; ++key)
#pragma unroll
        for (int i = 0; i < 4; ++i)
          if (key * 8 + lane % 4 * 2 + i % 2 > last[tile][i / 2])
            scores[tile][key][i] = negativeInfinity();
  }

  using Factors = float[RowTiles][2]; ///< of each row

  /// scores = weights exp2(scale * score - scale * maximum), where `scale` includes log2(e); what was summed before is
  /// scaled to the same maximum.
  __device__ __forceinline__ void softmax(float scale) {
    Factors kept;
    if (raiseMaxima(scale, kept)) // the rows that were not raised stay as they are, to the bit
      scaleSums(kept);
    weighScores(scale, kept);
  }

  /// A row's maximum follows its scores only once they exceed it by a factor of 2^kSlack: what was summed must then be
  /// scaled down, by `kept`, which is rare that way, while weights up to 2^kSlack lose nothing in floating point.
  /// Returns, to all lanes, whether any row of the warp was raised.
  __device__ __forceinline__ bool raiseMaxima(float scale, Factors &kept) {
    constexpr float kSlack = 8.0f;
    bool anyRaised = false;
#pragma unroll
    for (int tile = 0; tile < RowTiles; ++tile)
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        float largest = negativeInfinity();
#pragma unroll
        for (int key = 0; key < kKeyTiles; ++key)
          largest = fmaxf(largest, fmaxf(scores[tile][key][half * 2], scores[tile][key][half * 2 + 1]));
        largest = fmaxf(largest, __shfl_xor_sync(0xffffffffu, largest, 1));
        largest = fmaxf(largest, __shfl_xor_sync(0xffffffffu, largest, 2));
        bool isRaised = largest > maximum[tile][half] + kSlack / scale;
        kept[tile][half] = isRaised ? exp2Fast((maximum[tile][half] - largest) * scale) : 1.0f;
        maximum[tile][half] = isRaised ? largest : maximum[tile][half];
        anyRaised |= isRaised;
      }
    return __any_sync(0xffffffffu, anyRaised);
  }

  /// scores = weights, which are added up. Does not touch the sums.
  __device__ __forceinline__ void weighScores(float scale, const Factors &kept) {
#pragma unroll
    for (int tile = 0; tile < RowTiles; ++tile)
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        weight[tile][half] *= kept[tile][half];
        // A row that has seen no key yet must not compute infinity - infinity.
        float base = maximum[tile][half] == negativeInfinity() ? 0.0f : maximum[tile][half] * scale;
#pragma unroll
        for (int key = 0; key < kKeyTiles; ++key)
#pragma unroll
          for (int i = half * 2; i < half * 2 + 2; ++i) {
            scores[tile][key][i] = exp2Fast(fmaf(scores[tile][key][i], scale, -base));
            weight[tile][half] += scores[tile][key][i];
          }
      }
  }

  /// Multiplies each row's sums of values by `factors`.
  __device__ __forceinline__ void scaleSums(const Factors &factors) {
#pragma unroll
    for (int tile = 0; tile < RowTiles; ++tile)
#pragma unroll
      for (int half = 0; half < 2; ++half)
#pragma unroll
        for (int dim = 0; dim < kDimTiles; ++dim)
          sums[tile][dim][half * 2] *= factors[tile][half], sums[tile][dim][half * 2 + 1] *= factors[tile][half];
  }

  /// The scores of a tile of rows and 16 keys as A of an mma: the layout that they have as D of another.
  __device__ __forceinline__ void packWeights(uint32 (&a)[4], int tile, int key) const {
#pragma unroll
    for (int i = 0; i < 4; ++i)
      a[i] = pack<Operand>(scores[tile][key / 8 + i / 2][i % 2 * 2], scores[tile][key / 8 + i / 2][i % 2 * 2 + 1]);
  }

  /// sums += scores V.
  __device__ __forceinline__ void multiplyValues(const Operand *values, int lane) {
    uint32 address = sharedAddress(values + lane % 16 * Layout::kStride + lane / 16 * 8);
#pragma unroll
    for (int key = 0; key < Keys; key += 16) {
      uint32 a[RowTiles][4];
#pragma unroll
      for (int tile = 0; tile < RowTiles; ++tile)
        packWeights(a[tile], tile, key);
#pragma unroll
      for (int dim = 0; dim < Layout::kPadded; dim += 16) {
        uint32 b[4];
        ldmatrixX4Trans(b, address + (key * Layout::kStride + dim) * 2);
#pragma unroll
        for (int tile = 0; tile < RowTiles; ++tile) {
          mma<Operand>(sums[tile][dim / 8], a[tile], b[0], b[1]);
          mma<Operand>(sums[tile][dim / 8 + 1], a[tile], b[2], b[3]);
        }
      }
    }
  }

  /// Adds up the weights of the four lanes that share a row.
  __device__ __forceinline__ void finish() {
#pragma unroll
    for (int tile = 0; tile < RowTiles; ++tile)
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        weight[tile][half] += __shfl_xor_sync(0xffffffffu, weight[tile][half], 1);
        weight[tile][half] += __shfl_xor_sync(0xffffffffu, weight[tile][half], 2);
      }
  }
};

} // namespace bambac
