// The items of work of a decode attention: parts of the keys of each sequence, whose length alone says how many.
#pragma once
#include "common/launch.cuh"
#include "common/pieces.cuh"

namespace bambac {

/// How many sequences there are and how their keys are cut.
struct DecodeSizes {
  int sequences, splits, minSplitTokens;
};

/// `StepKeys`: keys that a block takes at a time; `HeadTiles`: tiles of query heads of a sequence.
template <int StepKeys, int HeadTiles> struct DecodeItems {
  /// How the keys of a sequence are cut: into splits of `keys` each.
  struct Cut {
    int keys, splits;
  };
  static __device__ __forceinline__ Cut cutOf(const DecodeSizes &sizes, int length) {
    int wanted = min(sizes.splits, ceilDiv(length, sizes.minSplitTokens));
    int keys = max(alignTo(ceilDiv(length, max(wanted, 1)), StepKeys), StepKeys);
    return {keys, max(ceilDiv(length, keys), 1)};
  }

  /// firstSplit[b] = the number of splits of the sequences before b. Called by one warp. With `starts` only pieces of
  /// one row that come first are sequences.
  static __device__ __forceinline__ void numberSplits(const DecodeSizes &sizes, const int *positions, const int *starts,
                                                      int *firstSplit, int lane) {
    constexpr int kEach = 4; // neighbouring sequences of a lane
    for (int first = lane * kEach, before = 0; first - lane * kEach <= sizes.sequences; first += 32 * kEach) {
      int splits[kEach], sum = 0;
#pragma unroll
      for (int i = 0; i < kEach; ++i) {
        int sequence = first + i;
        bool isThere = sequence < sizes.sequences && (!starts || isSingle(starts, sequence));
        splits[i] = isThere ? cutOf(sizes, positions[sequence] + 1).splits : 0;
        sum += splits[i];
      }
      int inclusive = sum;
      for (int distance = 1; distance < 32; distance *= 2) {
        int other = __shfl_up_sync(0xffffffffu, inclusive, distance);
        inclusive += lane >= distance ? other : 0;
      }
      int number = before + inclusive - sum;
#pragma unroll
      for (int i = 0; i < kEach; ++i) {
        if (first + i <= sizes.sequences)
          firstSplit[first + i] = number;
        number += splits[i];
      }
      before += __shfl_sync(0xffffffffu, inclusive, 31);
    }
  }

  /// One head of one split of a sequence.
  struct Item {
    int sequence, head, split, splits, begin, end;

    __device__ __forceinline__ Item(const DecodeSizes &sizes, int index, const int *firstSplit, const int *positions) {
      int low = 0, high = sizes.sequences, number = index / HeadTiles;
      while (high - low > 1) { // firstSplit[low] <= number < firstSplit[high]
        int middle = (low + high) / 2;
        (firstSplit[middle] <= number ? low : high) = middle;
      }
      int length = positions[low] + 1;
      Cut cut = cutOf(sizes, length);
      sequence = low, head = index % HeadTiles, split = number - firstSplit[low], splits = cut.splits;
      begin = split * cut.keys, end = min(length, begin + cut.keys);
    }
  };
};

} // namespace bambac
