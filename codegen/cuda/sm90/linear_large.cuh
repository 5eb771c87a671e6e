// y[r, n] = sum_k x[r, k] W[n, k] for many rows (prefill): tokens are the 64 rows of wgmma, weights its columns.
// Persistent blocks of one loading and two multiplying warpgroups; the loads of the next tile run under the epilogue.
#pragma once
#include "sm90/wgmma_pipeline.cuh"

namespace bambac {

/// Shape: kRows, kColumns, kDepth, kMultiprocessors; kTileRows (128 or 256), kTileColumns (a multiple of 32),
/// kTileDepth (64), kStages; kCluster = 1, or 2: two blocks take neighbouring row tiles of the same columns, and each
/// loads half of the weights for both.
template <class Shape, class Input, class Epilogue> class LinearLarge {
  static constexpr int kConsumers = 2; // warpgroups
  static constexpr int kTileRows = Shape::kTileRows, kTileColumns = Shape::kTileColumns;
  static constexpr int kTileDepth = Shape::kTileDepth, kCluster = Shape::kCluster;
  static constexpr int kRowBlocks = kTileRows / (64 * kConsumers); // of 64 rows, of a warpgroup
  static_assert(kTileRows == 64 * kConsumers * kRowBlocks && kTileRows <= 256, "whole blocks of 64 rows, one copy");
  static_assert(kTileColumns % (32 * kCluster) == 0 && kTileColumns <= 256, "slices of 32 columns, one instruction");
  static_assert(kRowBlocks * kTileColumns <= 256, "128 sums a thread");
  static_assert(kTileDepth == 64, "a swizzled row is 64 columns");

  // Tiles in units of a cluster: kCluster row tiles by one column tile.
  static constexpr int kRowTiles = ceilDiv(Shape::kRows, kTileRows *kCluster);
  static constexpr int kColumnTiles = ceilDiv(Shape::kColumns, kTileColumns);
  static constexpr int kTiles = kRowTiles * kColumnTiles;
  static constexpr int kClusters = minOf(kTiles, Shape::kMultiprocessors / kCluster);
  static constexpr int kSteps = ceilDiv(Shape::kDepth, kTileDepth);

  using Ring =
      StageRing<Shape::kStages, kTileRows * kTileDepth * 2, kTileColumns * kTileDepth * 2, 4 * kConsumers, kCluster>;

  // Sums go through shared memory on their way out, 16 rows x 32 columns of a warp at a time, so that a thread has
  // neighbouring columns. Rows are 8 banks apart: no conflicts.
  static constexpr int kSliceColumns = 32, kSliceStride = kSliceColumns + 8, kSlices = kTileColumns / kSliceColumns;
  static constexpr int kSliceFloats = 16 * kSliceStride;
  using Slice = Patch<Epilogue, 16, kSliceColumns, kSliceStride, 32>;

  static constexpr int kSharedBytes = Ring::kBytes + 4 * kConsumers * kSliceFloats * 4 + Ring::kBarrierBytes;
  static_assert(kSharedBytes <= 232448, "fewer stages");

public:
  static constexpr int kThreads = 128 * (1 + kConsumers), kMinBlocks = 1;
  static constexpr Launch kLaunch = {kClusters * kCluster, 1, 1, kThreads, kCluster, kSharedBytes, 1, 0};
  static constexpr TensorMap kInputMap = inputTensorMap<Input>(Shape::kRows, Shape::kDepth, kTileRows);
  static constexpr TensorMap kWeightMap =
      weightTensorMap(Shape::kColumns, Shape::kDepth, kTileColumns / kCluster, kTileDepth);

  static __device__ __forceinline__ void run(const TensorMapParam &inputMap, const TensorMapParam &weightMap,
                                             const Epilogue &epilogue) {
    extern __shared__ __align__(1024) uint8 shared[];
    launchDependents();
    uint32 base = sharedAddress(shared);
    Ring ring{base, base + kSharedBytes - Ring::kBarrierBytes};
    ring.initialize();
    int warpgroup = threadIdx.x / 128;
    if (warpgroup == 0) {
      releaseRegisters<40>();
      if (threadIdx.x == 0)
        load(ring, inputMap, weightMap);
    } else {
      claimRegisters<232>();
      float *slices = reinterpret_cast<float *>(shared + Ring::kBytes);
      multiply(ring, warpgroup - 1, slices + (threadIdx.x / 32 - 4) * kSliceFloats, epilogue);
    }
    // The other block's copies into this one and its arrivals here end before this block does.
    if constexpr (kCluster > 1)
      syncCluster();
  }

private:
  struct Tile {
    int row, column;
  };

  /// The index-th tile of this block's cluster. Blocks at work at the same time share rows of x and columns of W in L2:
  /// column after column within a group of up to 16 tiles of rows.
  static __device__ __forceinline__ Tile tileAt(int index) {
    constexpr int kGroup = minOf(kRowTiles, 16 / kCluster);
    int group = index / (kGroup * kColumnTiles), inGroup = index % (kGroup * kColumnTiles);
    int height = minOf(kGroup, kRowTiles - group * kGroup);
    int rowTile = group * kGroup + inGroup % height;
    int rank = kCluster > 1 ? clusterRank() : 0;
    return {(rowTile * kCluster + rank) * kTileRows, inGroup / height * kTileColumns};
  }

  static __device__ __forceinline__ int firstTile() { return blockIdx.x / kCluster; }

  /// The loading thread.
  static __device__ __forceinline__ void load(const Ring &ring, const TensorMapParam &inputMap,
                                              const TensorMapParam &weightMap) {
    prefetchMap(inputMap);
    prefetchMap(weightMap);
    int tiles = (kTiles - firstTile() + kClusters - 1) / kClusters;
    auto loadInput = [&](int i, int slot) {
      Tile tile = tileAt(firstTile() + i / kSteps * kClusters);
      copyTensor(ring.input(slot), inputMap, ring.full(slot), i % kSteps * kTileDepth, tile.row);
    };
    auto loadWeights = [&](int i, int slot) {
      Tile tile = tileAt(firstTile() + i / kSteps * kClusters);
      int core = i % kSteps * (kTileDepth / 8);
      if constexpr (kCluster == 1) {
        copyTensor(ring.weights(slot), weightMap, ring.full(slot), 0, core, tile.column / 8);
      } else {
        constexpr int kShare = kTileColumns / kCluster;
        int first = clusterRank() * kShare;
        multicastTensor(ring.weights(slot) + first * kTileDepth * 2, weightMap, ring.full(slot), (1 << kCluster) - 1, 0,
                        core, (tile.column + first) / 8);
      }
    };
    ring.fill(tiles * kSteps, loadWeights, loadInput);
  }

  /// A multiplying warpgroup.
  static __device__ __forceinline__ void multiply(const Ring &ring, int consumer, float *slice,
                                                  const Epilogue &epilogue) {
    waitForPredecessors();
    float sums[kRowBlocks][kTileColumns / 2];
    RingPosition<Shape::kStages> at;
    for (int index = firstTile(); index < kTiles; index += kClusters) {
      Tile tile = tileAt(index);
      clearSums(sums);
      ring.consume(sums, kSteps, at, [&](int slot) { multiplyStage(ring, slot, consumer, sums); });
      finish(sums, tile.row + consumer * kRowBlocks * 64, tile.column, slice, epilogue);
    }
  }

  static __device__ __forceinline__ void multiplyStage(const Ring &ring, int slot, int consumer,
                                                       float (&sums)[kRowBlocks][kTileColumns / 2]) {
    uint64 input = swizzledDescriptor(ring.input(slot) + consumer * kRowBlocks * 64 * 128);
    uint64 weights = coreMatrixDescriptor(ring.weights(slot), 128, kTileDepth * 16);
#pragma unroll
    for (int k = 0; k < kTileDepth / 16; ++k)
#pragma unroll
      for (int block = 0; block < kRowBlocks; ++block)
        Wgmma<kTileColumns>::run(sums[block], advance(input, block * 64 * 128 + k * 32), advance(weights, k * 256));
  }

  /// Hands the sums of a warpgroup's rows from `row` on to the epilogue. What it loads for a slice is on its way while
  /// the slice before is stored.
  static __device__ __forceinline__ void finish(const float (&sums)[kRowBlocks][kTileColumns / 2], int row, int column,
                                                float *slice, const Epilogue &epilogue) {
    int warp = threadIdx.x / 32 % 4, lane = threadIdx.x % 32;
    row += warp * 16;
    typename Slice::Extra extra[2][Slice::kItems];
    Slice::load(epilogue, lane, row, Shape::kRows, column, extra[0]);
#pragma unroll
    for (int i = 0; i < kRowBlocks * kSlices; ++i) {
      int block = i / kSlices, part = i % kSlices, next = i + 1;
      if (next < kRowBlocks * kSlices)
        Slice::load(epilogue, lane, row + next / kSlices * 64, Shape::kRows, column + next % kSlices * kSliceColumns,
                    extra[next % 2]);
      __syncwarp();
#pragma unroll
      for (int j = 0; j < kSliceColumns / 8; ++j)
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          const float *pair = &sums[block][part * (kSliceColumns / 2) + j * 4 + half * 2];
          float *to = slice + (lane / 4 + half * 8) * kSliceStride + j * 8 + lane % 4 * 2;
          *reinterpret_cast<float2 *>(to) = make_float2(pair[0], pair[1]);
        }
      __syncwarp();
      Slice::storePatch(epilogue, lane, row + block * 64, Shape::kRows, column + part * kSliceColumns, extra[i % 2],
                        slice);
    }
  }
};

} // namespace bambac
