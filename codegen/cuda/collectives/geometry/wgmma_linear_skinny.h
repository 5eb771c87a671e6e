// wgmma/linear_skinny: a linear of up to 16 rows, bound by the stream of its weights.
#pragma once
#include "geometry/linear.h"

namespace bambac::geometry::wgmma {

struct LinearSkinny {
  int stages; ///< the most of the ring; fewer where the activations leave less room

  using Shape = LinearShape;
  static constexpr const char *kCollective = "wgmma/linear_skinny";
  static constexpr Field<LinearSkinny> kFields[] = {{"stages", &LinearSkinny::stages}};

  static constexpr int kMaxRows = kMmaRows, kMaxStages = 16;
  static constexpr int kFewestStages = 2; ///< those of two groups, which are multiplied together
  // The depth, in words: chunks of 1024, in each a slice of 128 for every mma warp.
  static constexpr int kMmaWarps = 8, kSliceDepth = 128, kChunkDepth = kMmaWarps * kSliceDepth;
  static constexpr int kThreads = (kMmaWarps + 2) * 32;
  static constexpr int kStageBytes = 16 * kChunkDepth;
  // 16 bytes more a row of a slice let ldmatrix read eight rows without bank conflicts.
  static constexpr int kSliceRowBytes = 2 * kSliceDepth + 16;
  static constexpr int kBarrierBytes = 512;
  /// The warps' parts of each row's sum of squares; where x is quantized also those of its largest magnitude, and its
  /// scale.
  BAMBAC_HOST_DEVICE static constexpr int squaresBytes(const LinearShape &shape) {
    return kMmaRows * kMmaWarps * 4 * (shape.quantizes ? 3 : 1);
  }
  /// Numbers of a row's chunk that a lane holds while the row is quantized, and the most of all of them.
  static constexpr int kLaneNumbers = 2 * kSliceDepth / 32, kMostLaneNumbers = 96;

  /// Activations are kept in shared memory only while this many stages are left to cover the latency of the memory.
  static constexpr int kStagesBesideResident = 4;

  BAMBAC_HOST_DEVICE static constexpr int paddedDepth(const LinearShape &shape) {
    return alignTo(shape.words(), kTileDepth);
  }
  BAMBAC_HOST_DEVICE static constexpr int chunks(const LinearShape &shape) {
    return ceilDiv(paddedDepth(shape), kChunkDepth);
  }
  BAMBAC_HOST_DEVICE static constexpr int groups(const LinearShape &shape) {
    return ceilDiv(shape.columns, kMmaColumns);
  }
  BAMBAC_HOST_DEVICE static constexpr int blocks(const LinearShape &shape, const Limits &limits) {
    return minOf(limits.multiprocessors, groups(shape));
  }
  BAMBAC_HOST_DEVICE static constexpr int groupsPerBlock(const LinearShape &shape, const Limits &limits) {
    return ceilDiv(groups(shape), blocks(shape, limits));
  }
  /// Groups of a pass. Few at once leave room for stages where a block has many groups and 16 rows of activations stay
  /// in shared memory.
  BAMBAC_HOST_DEVICE static constexpr int groupsAtOnce(const LinearShape &shape, const Limits &limits) {
    return minOf(shape.rows > 8 && groupsPerBlock(shape, limits) > 4 ? 2 : 4, groupsPerBlock(shape, limits));
  }
  BAMBAC_HOST_DEVICE static constexpr int passes(const LinearShape &shape, const Limits &limits) {
    return ceilDiv(groupsPerBlock(shape, limits), groupsAtOnce(shape, limits));
  }

  BAMBAC_HOST_DEVICE static constexpr int sliceBytes(const LinearShape &shape) { return shape.rows * kSliceRowBytes; }
  BAMBAC_HOST_DEVICE static constexpr int partialBytes(const LinearShape &shape, const Limits &limits) {
    return kMmaWarps * groupsAtOnce(shape, limits) * shape.rows * kMmaColumns * 4;
  }
  BAMBAC_HOST_DEVICE static constexpr int fixedBytes(const LinearShape &shape, const Limits &limits) {
    return partialBytes(shape, limits) + squaresBytes(shape) + kBarrierBytes;
  }
  BAMBAC_HOST_DEVICE constexpr int stagesBeside(const LinearShape &shape, const Limits &limits, int slots) const {
    int room =
        limits.sharedBytes - shape.staticBytes - fixedBytes(shape, limits) - slots * kMmaWarps * sliceBytes(shape);
    return minOf(stages, room / kStageBytes);
  }

  /// Whether the activations pass through registers; else asynchronous copies bring them as they are.
  BAMBAC_HOST_DEVICE static constexpr bool converts(const LinearShape &shape) {
    return shape.normalizes || shape.quantizes || !shape.isOperand || !shape.hasWholePieces();
  }
  BAMBAC_HOST_DEVICE static constexpr int streamSlots(const LinearShape &shape) { return shape.rows <= 4 ? 4 : 2; }
  /// Whether all chunks of the activations stay in shared memory: where they are read in several passes or cost more
  /// than a copy, unless too few stages would be left.
  BAMBAC_HOST_DEVICE constexpr bool isResident(const LinearShape &shape, const Limits &limits) const {
    return chunks(shape) <= streamSlots(shape) || shape.quantizes ||
           ((converts(shape) || passes(shape, limits) > 1) &&
            stagesBeside(shape, limits, chunks(shape)) >= kStagesBesideResident);
  }
  BAMBAC_HOST_DEVICE constexpr int slots(const LinearShape &shape, const Limits &limits) const {
    return isResident(shape, limits) ? chunks(shape) : streamSlots(shape);
  }
  /// Stages that the ring really has.
  BAMBAC_HOST_DEVICE constexpr int ringStages(const LinearShape &shape, const Limits &limits) const {
    return stagesBeside(shape, limits, slots(shape, limits));
  }
  BAMBAC_HOST_DEVICE constexpr int sharedBytes(const LinearShape &shape, const Limits &limits) const {
    return ringStages(shape, limits) * kStageBytes + slots(shape, limits) * kMmaWarps * sliceBytes(shape) +
           fixedBytes(shape, limits);
  }

  BAMBAC_HOST_DEVICE constexpr Fault legal(const LinearShape &shape, const Limits &limits) const {
    Check check;
    check.atMost("rows of the input", kMaxRows, shape.rows)
        .atLeast("stages", kFewestStages, stages)
        .atMost("stages", kMaxStages, stages);
    checkScales(check, shape);
    // Codes come as they are, or from numbers that stay in registers from the first look at them to the last.
    if (shape.quantizes)
      check.atMost("numbers of the input in a thread's registers", kMostLaneNumbers,
                   chunks(shape) * shape.rows * kLaneNumbers);
    else if (shape.isOfCodes())
      check.exactly("conversions of the input", 0, converts(shape));
    if (check.isLegal())
      check.atLeast("stages that fit into shared memory", kFewestStages, ringStages(shape, limits));
    return check.result();
  }
};

} // namespace bambac::geometry::wgmma
