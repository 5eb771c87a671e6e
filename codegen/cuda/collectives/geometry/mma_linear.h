// mma/linear: the linear on mma.sync. Tiles of up to 32 rows stream the weights once (skinny); higher ones are products
// of tiles that are staged whole (tall).
#pragma once
#include "geometry/linear.h"

namespace bambac::geometry::mma {

/// Bytes of 8 rows of weights, packed, over one slice of 32 words of the depth.
inline constexpr int kSliceDepth = 32, kSliceBytes = kMmaColumns * kSliceDepth * 2;

struct Linear {
  int tileRows;    ///< rows of a block: 16 or 32 (skinny); 64, 128 or 256 (tall)
  int tileColumns; ///< columns that a block takes in a pass (skinny), or of its tile (tall)
  int stages;      ///< slices under way in each warp (skinny), or tiles (tall)

  using Shape = LinearShape;
  static constexpr const char *kCollective = "mma/linear";
  static constexpr Field<Linear> kFields[] = {
      {"tile_rows", &Linear::tileRows}, {"tile_columns", &Linear::tileColumns}, {"stages", &Linear::stages}};

  static constexpr int kSkinnyTileRows = 32;
  BAMBAC_HOST_DEVICE constexpr bool isSkinny() const { return tileRows <= kSkinnyTileRows; }

  // --- skinny
  // ---------------------------------------------------------------------------------------------------------

  static constexpr int kSkinnyWarps = 8, kSkinnyThreads = kSkinnyWarps * 32;
  static constexpr int kStepDepth = kSliceDepth * kSkinnyWarps; ///< of one slice for each warp
  static constexpr int kRowPadding = 64;                        ///< bytes; two rows' 64-byte reads then fill all banks

  BAMBAC_HOST_DEVICE constexpr int blockRows(const LinearShape &shape) const { return minOf(shape.rows, tileRows); }
  BAMBAC_HOST_DEVICE static constexpr int slices(const LinearShape &shape) {
    return alignTo(shape.words(), kTileDepth) / kSliceDepth;
  }
  BAMBAC_HOST_DEVICE static constexpr int skinnySteps(const LinearShape &shape) {
    return ceilDiv(slices(shape), kSkinnyWarps);
  }
  BAMBAC_HOST_DEVICE static constexpr int groups(const LinearShape &shape) {
    return ceilDiv(shape.columns, kMmaColumns);
  }
  BAMBAC_HOST_DEVICE static constexpr int skinnyBlocks(const LinearShape &shape, const Limits &limits) {
    return minOf(limits.multiprocessors, groups(shape));
  }
  BAMBAC_HOST_DEVICE constexpr int skinnyPasses(const LinearShape &shape, const Limits &limits) const {
    return ceilDiv(ceilDiv(groups(shape), skinnyBlocks(shape, limits)), tileColumns / kMmaColumns);
  }
  /// Of one warp.
  BAMBAC_HOST_DEVICE constexpr int skinnyStageBytes() const { return tileColumns / kMmaColumns * kSliceBytes; }
  BAMBAC_HOST_DEVICE constexpr int ringBytes() const { return kSkinnyWarps * stages * skinnyStageBytes(); }
  BAMBAC_HOST_DEVICE constexpr int sumsStride() const { return tileColumns + 8; } ///< f32; 8 spread rows over the banks
  BAMBAC_HOST_DEVICE constexpr int sumsBytes(const LinearShape &shape) const {
    return kSkinnyWarps * blockRows(shape) * sumsStride() * 4;
  }
  /// Warps that stage one row of x.
  BAMBAC_HOST_DEVICE constexpr int warpsPerRow(const LinearShape &shape) const {
    return maxOf(1, kSkinnyWarps / blockRows(shape));
  }
  /// The warps' parts of a row's sum of squares and, where x is quantized, of its largest magnitude.
  BAMBAC_HOST_DEVICE constexpr int squaresBytes(const LinearShape &shape) const {
    return (shape.quantizes ? 2 : 1) * alignTo(blockRows(shape) * warpsPerRow(shape) * 4, 16);
  }
  BAMBAC_HOST_DEVICE constexpr int bytesBesideInput(const LinearShape &shape) const {
    return ringBytes() + sumsBytes(shape) + squaresBytes(shape) + blockRows(shape) * kRowPadding;
  }
  /// Parts of the depth of which the rows of x lie in shared memory at a time: as few as the room allows.
  BAMBAC_HOST_DEVICE constexpr int inputChunks(const LinearShape &shape, const Limits &limits) const {
    int room = limits.sharedBytes - shape.staticBytes - bytesBesideInput(shape);
    return ceilDiv(skinnySteps(shape), maxOf(1, room / (blockRows(shape) * kStepDepth * 2)));
  }
  BAMBAC_HOST_DEVICE constexpr int chunkSteps(const LinearShape &shape, const Limits &limits) const {
    return ceilDiv(skinnySteps(shape), inputChunks(shape, limits));
  }
  BAMBAC_HOST_DEVICE constexpr int skinnySharedBytes(const LinearShape &shape, const Limits &limits) const {
    return bytesBesideInput(shape) + blockRows(shape) * chunkSteps(shape, limits) * kStepDepth * 2;
  }

  // --- tall
  // -----------------------------------------------------------------------------------------------------------

  /// Warps of 64 x 64 elements each where the tile is large, since that asks least of shared memory.
  BAMBAC_HOST_DEVICE constexpr int tallWarps() const { return tileRows * tileColumns >= 128 * 256 ? 8 : 4; }
  BAMBAC_HOST_DEVICE constexpr int warpsDown() const { return tileRows <= 128 ? 2 : 4; }
  BAMBAC_HOST_DEVICE constexpr int warpsAcross() const { return tallWarps() / warpsDown(); }
  BAMBAC_HOST_DEVICE constexpr int warpRows() const { return tileRows / warpsDown(); }
  BAMBAC_HOST_DEVICE constexpr int warpColumns() const { return tileColumns / warpsAcross(); }
  BAMBAC_HOST_DEVICE constexpr int tallThreads() const { return tallWarps() * 32; }
  BAMBAC_HOST_DEVICE constexpr int tallMinBlocks() const { return tallWarps() == 4 ? 2 : 1; }
  BAMBAC_HOST_DEVICE constexpr int tallTiles(const LinearShape &shape) const {
    return ceilDiv(shape.rows, tileRows) * ceilDiv(shape.columns, tileColumns);
  }
  BAMBAC_HOST_DEVICE constexpr int tallStageBytes() const { return (tileRows + tileColumns) * kTileDepth * 2; }
  /// Results pass through shared memory, 16 rows of a warp at a time; 8 floats more spread the rows over the banks.
  BAMBAC_HOST_DEVICE constexpr int resultStride() const { return warpColumns() + 8; }
  BAMBAC_HOST_DEVICE constexpr int tallSharedBytes() const {
    return maxOf(stages * tallStageBytes(), tallWarps() * kMmaRows * resultStride() * 4);
  }
  /// Registers of sums and of the operands of two steps; of codes also those of a step as f16, and of groups of them
  /// also the sums of the present one.
  BAMBAC_HOST_DEVICE constexpr int tallRegisters(const LinearShape &shape) const {
    int fragments = warpRows() / kMmaRows, columnGroups = warpColumns() / kMmaColumns;
    return (shape.hasGroups() ? 2 : 1) * fragments * columnGroups * 4 + 2 * (fragments * 4 + columnGroups * 2) +
           (shape.isOfCodes() ? fragments * 4 : 0);
  }

  // --- both
  // -----------------------------------------------------------------------------------------------------------

  BAMBAC_HOST_DEVICE constexpr int sharedBytes(const LinearShape &shape, const Limits &limits) const {
    return isSkinny() ? skinnySharedBytes(shape, limits) : tallSharedBytes();
  }

  BAMBAC_HOST_DEVICE constexpr Fault legal(const LinearShape &shape, const Limits &limits) const {
    Check check;
    check.multipleOf("tile_rows", kMmaRows, tileRows)
        .atMost("tile_rows", 256, tileRows)
        .multipleOf("tile_columns", kMmaColumns, tileColumns)
        .atMost("tile_columns", 256, tileColumns)
        .atLeast("stages", 2, stages);
    checkScales(check, shape, 2 * (isSkinny() ? kSliceDepth : kMmaDepth));
    if (!check.isLegal())
      return check.result();
    if (!isSkinny())
      checkTall(check, shape);
    if (check.isLegal())
      check.atMost(kSharedBytesText, limits.sharedBytes, sharedBytes(shape, limits) + shape.staticBytes);
    return check.result();
  }

private:
  BAMBAC_HOST_DEVICE constexpr void checkTall(Check &check, const LinearShape &shape) const {
    check.exactly("norms of the input", 0, shape.normalizes)
        .exactly("quantizations of the input", 0, shape.quantizes)
        .divisorOf("tile_rows", 256, tileRows)
        .multipleOf("tile_columns", 2 * kMmaRows, tileColumns)
        .divisorOf("tile_columns", 256, tileColumns);
    if (check.isLegal())
      check.multipleOf("columns of a warp", kMmaRows, warpColumns())
          .atMost(kRegistersText, registersPerThread(tallThreads(), tallMinBlocks()), tallRegisters(shape));
  }
};

} // namespace bambac::geometry::mma
