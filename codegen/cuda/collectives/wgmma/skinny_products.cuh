// The products of a skinny linear. The weights are operand A of mma m16n8k16, two groups of 8 rows at a time, the
// activations operand B: with 8 rows of activations no part of an operand is empty.
#pragma once
#include "common/async.cuh"
#include "common/epilogue.cuh"
#include "common/mma.cuh"

namespace bambac {

/// One mma warp's part: the 128 words of its slice in each stage. `Geometry` is SkinnyGeometry
/// (wgmma/linear_skinny.cuh).
template <class Geometry, class Epilogue> class SkinnyProducts {
  using Operand = typename Geometry::Operand;
  static constexpr int kRows = Geometry::kRows, kRowTiles = Geometry::kRowTiles;
  /// Loads of a slice: four core matrices along k, two steps each.
  static constexpr int kLoads = Geometry::kSliceDepth / 32;
  static constexpr bool kHasGroups = Geometry::kShape.hasGroups();

public:
  /// A warp's part of a stage of each of two groups.
  struct Words {
    uint32 of[2][kLoads][4];
  };
  /// Of two groups: a lane holds columns lane / 4 of both, d[0..1] and d[2..3], in rows lane % 4 * 2 and the next of
  /// each tile of 8.
  using PairSums = float[kRowTiles][4];
  using Sums = PairSums[Geometry::kPairsAtOnce];

  __device__ SkinnyProducts(const Epilogue &epilogue, uint32 ring, int warp, int lane)
      : epilogue(epilogue), from(ring + warp * (16 * Geometry::kSliceDepth) + lane * 16), warp(warp), lane(lane) {}

  /// Where columns of the depth have scales of their own: those of a lane's sums of two stages, for each half of the
  /// 256 columns of a warp's slice.
  struct Scales {
    float rows[2][kRowTiles][2], columns[2][2];

    __device__ __forceinline__ void load(const SkinnyProducts &products, int chunk, int firstGroup) {
      if constexpr (kHasGroups) {
        constexpr int kGroup = Geometry::kShape.group, kHalf = Geometry::kSliceDepth;
        const int lane = products.lane;
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          const int k = (chunk * Geometry::kChunkDepth + products.warp * Geometry::kSliceDepth) * 2 + half * kHalf;
          const int group = minOf(k, Geometry::kDepth - 1) / kGroup;
#pragma unroll
          for (int i = 0; i < 2; ++i) {
            const int column = (firstGroup + i) * 8 + lane / 4;
            columns[half][i] = products.epilogue.weightScale(minOf(column, Geometry::kShape.columns - 1), group);
#pragma unroll
            for (int tile = 0; tile < kRowTiles; ++tile) {
              const int row = tile * 8 + lane % 4 * 2 + i;
              rows[half][tile][i] = products.epilogue.inputScale(minOf(row, kRows - 1), group);
            }
          }
        }
      }
    }
    __device__ __forceinline__ void add(PairSums &sums, const PairSums &part, int half) const {
#pragma unroll
      for (int tile = 0; tile < kRowTiles; ++tile)
#pragma unroll
        for (int i = 0; i < 4; ++i)
          sums[tile][i] += part[tile][i] * (rows[half][tile][i % 2] * columns[half][i / 2]);
    }
  };

  /// Loads the words of two groups and hands their stages back. A group that is alone stands for the second as well.
  ///
  /// The next bulk copy into a stage is ordered after the loads by the arrival alone, and the assembler may move an
  /// arrival above the end of a load that it does not depend on. So `loaded` takes one register of every ldmatrix of
  /// the stage, and arriveAfter makes the arrival's address depend on it. A load that is added here must feed `loaded`
  /// too: without it results are wrong under load only.
  template <class Barriers, class Position>
  __device__ __forceinline__ void load(Words &words, const Barriers &barriers, Position &position, bool both,
                                       int chunk) const {
    const int loads = loadsInside(chunk);
    Position second = position;
    if (both)
      second.advance();
    wait(barriers.full(position.slot), position.parity);
    if (both)
      wait(barriers.full(second.slot), second.parity);
    words = {};
    uint32 loaded[2] = {};
#pragma unroll
    for (int load = 0; load < kLoads; ++load)
      if (load < loads) {
        ldmatrixX4(words.of[0][load], from + position.slot * Geometry::kStageBytes + load * 512);
        ldmatrixX4(words.of[1][load], from + second.slot * Geometry::kStageBytes + load * 512);
        loaded[0] ^= words.of[0][load][0];
        loaded[1] ^= words.of[1][load][0];
      }
    __syncwarp();
    if (lane == 0) {
      arriveAfter(barriers.empty(position.slot), both ? loaded[0] : loaded[0] ^ loaded[1]);
      if (both)
        arriveAfter(barriers.empty(second.slot), loaded[1]);
    }
    position = second;
    position.advance();
  }

  /// sums += words x this warp's slice of the chunk.
  template <class Fragments>
  __device__ __forceinline__ void multiply(PairSums &sums, const Fragments &fragments, const Words &words,
                                           const Scales &scales, int chunk) const {
    const int loads = loadsInside(chunk);
    if constexpr (kHasGroups) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        PairSums part = {};
        multiplyLoads(part, fragments, words, half * kLoads / 2, minOf(loads, (half + 1) * kLoads / 2));
        scales.add(sums, part, half);
      }
    } else {
      multiplyLoads(sums, fragments, words, 0, loads);
    }
  }

  /// The sums of a pass to shared memory: [group][row][8 columns].
  static __device__ __forceinline__ void store(float *to, const Sums &sums, int lane) {
#pragma unroll
    for (int group = 0; group < Geometry::kGroupsAtOnce; ++group)
#pragma unroll
      for (int tile = 0; tile < kRowTiles; ++tile)
#pragma unroll
        for (int i = 0; i < 2; ++i)
          if (const int row = tile * 8 + lane % 4 * 2 + i; row < kRows)
            to[(group * kRows + row) * 8 + lane / 4] = sums[group / 2][tile][group % 2 * 2 + i];
  }

private:
  /// How many loads of a warp's slice the chunk really has: the depth is padded to 64 columns only.
  __device__ __forceinline__ int loadsInside(int chunk) const {
    if constexpr (Geometry::kPaddedDepth % Geometry::kChunkDepth == 0)
      return kLoads;
    const int columns = Geometry::kPaddedDepth - chunk * Geometry::kChunkDepth - warp * Geometry::kSliceDepth;
    return maxOf(0, minOf(kLoads, columns / 32));
  }

  /// sums += products of the loads from `first` to `end`. Two chains of sums halve the latency; sums of two tiles are
  /// two chains already, and with scales leave no registers for more.
  template <class Fragments>
  static __device__ __forceinline__ void multiplyLoads(PairSums &sums, const Fragments &fragments, const Words &words,
                                                       int first, int end) {
    constexpr bool kHasOneChain = kHasGroups && kRowTiles > 1;
    PairSums odd = {};
    const auto &w = words.of;
#pragma unroll
    for (int load = 0; load < kLoads; ++load)
      if (load >= first && load < end) {
        const StepOperands<Operand> one({w[0][load][0], w[1][load][0], w[0][load][1], w[1][load][1]});
        const StepOperands<Operand> two({w[0][load][2], w[1][load][2], w[0][load][3], w[1][load][3]});
#pragma unroll
        for (int tile = 0; tile < kRowTiles; ++tile) {
          one.multiply(sums[tile], fragments[2 * load][tile]);
          two.multiply(kHasOneChain ? sums[tile] : odd[tile], fragments[2 * load + 1][tile]);
        }
      }
    if constexpr (!kHasOneChain)
#pragma unroll
      for (int tile = 0; tile < kRowTiles; ++tile)
#pragma unroll
        for (int i = 0; i < 4; ++i)
          sums[tile][i] += odd[tile][i];
  }

  const Epilogue &epilogue;
  uint32 from; ///< the warp's part of the ring's first stage
  int warp, lane;
};

} // namespace bambac
