// What a kernel needs of which some blocks make codes of its results (common/row_codes.cuh).
#pragma once
#include "geometry/geometry.h"

namespace bambac::geometry {

/// The most blocks that may wait for others: there is a bit for each.
inline constexpr int kMostTailBlocks = 256;
/// Blocks that wait for all others, of a device with so many multiprocessors: as many are left for blocks that are yet
/// to start, also for those of a cluster, which start together. Each converts what its threads load at once, but fewer
/// than some take longer.
BAMBAC_HOST_DEVICE constexpr int tailBlocks(int multiprocessors, int elements) {
  constexpr int kBlockElements = 16384, kFewBlocks = 16;
  return minOf(minOf(maxOf(ceilDiv(elements, kBlockElements), kFewBlocks), multiprocessors / 2), kMostTailBlocks);
}
/// What a launch asks of the device for them.
inline constexpr int kTailMultiprocessors = 2;
/// Columns that may share a scale, where those of a whole row do not.
inline constexpr int kTailGroup = 128;

/// Rows that few blocks quantize in the time that a kernel takes to start: no fused kernel has more.
inline constexpr int kMostTailRows = 256;
/// Rows that there is memory for in a kernel whose launches differ in rows. All fused kernels have the same.
BAMBAC_HOST_DEVICE constexpr int rowCodesCapacity(int rows) { return alignTo(rows, kMostTailRows); }

/// For a kernel of `rows` at most. Static shared memory: a number for each row, the block's place among those that
/// wait, how many of them have left it their part, and a bit for each of these.
BAMBAC_HOST_DEVICE constexpr int rowCodesBytes(int rows) { return (rows + 2 + kMostTailBlocks / 32) * 4; }
/// Counters of the workspace: the blocks that have arrived, those that have left, a bit for each that may have given
/// up, and the largest of each row.
BAMBAC_HOST_DEVICE constexpr int rowCodesCounters(int rows) { return 2 + kMostTailBlocks / 32 + rows; }

} // namespace bambac::geometry
