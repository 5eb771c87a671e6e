// The sizes of a linear y[r, n] = sum_k x[r, k] W[n, k] as its collectives see it.
#pragma once
#include "geometry/geometry.h"

namespace bambac::geometry {

struct LinearShape {
  int rows, columns, depth; ///< of x, of y, and of both x and W
  int staticBytes;          ///< static shared memory: of the epilogue, and of what makes codes for all blocks
  bool normalizes;          ///< x passes under a norm on its way
  bool isOperand;           ///< x has the type of W
  int stride;               ///< elements from row to row of x
  int operandBytes = 2;     ///< of an element of W: 1 for codes, which go with scales
  bool quantizes = false;   ///< x becomes codes on its way, after a norm if there is one
  int group = 0;            ///< columns of the depth that share scales; 0: all
  bool sumsFast = false;    ///< sums of codes may have 14 bits

  BAMBAC_HOST_DEVICE constexpr bool isOfCodes() const { return operandBytes == 1; }
  /// Columns of the depth in words of two bytes, as the collectives count them: a bf16, an f16 or two codes. A core
  /// matrix has 8 rows of 8 words whatever the type, and an instruction of either family takes as many bytes of it.
  BAMBAC_HOST_DEVICE constexpr int words() const { return ceilDiv(depth * operandBytes, 2); }
  /// Whether sums are multiplied by scales before the end: of each group of columns.
  BAMBAC_HOST_DEVICE constexpr bool hasGroups() const { return group > 0 && group < depth; }
  /// Whether sums of codes on wgmma are taken over into f32 again and again, as kPromotedCodes says.
  BAMBAC_HOST_DEVICE constexpr bool promotes() const { return isOfCodes() && (!sumsFast || hasGroups()); }
  /// Whether every row of x starts at 16 bytes, if the first does, and ends there.
  BAMBAC_HOST_DEVICE constexpr bool hasWholePieces() const {
    return stride * operandBytes % 16 == 0 && depth * operandBytes % 16 == 0;
  }
};

/// Codes of a stage of kTileDepth words. Hopper's tensor cores add up products of codes with 14 bits: sums are taken
/// over into f32 after as many, unless the linear does without.
inline constexpr int kPromotedCodes = 2 * kTileDepth;

/// What every collective asks of scales: that groups of columns are a multiple of those that it sums before it
/// multiplies by them.
BAMBAC_HOST_DEVICE constexpr void checkScales(Check &check, const LinearShape &shape, int summed = kPromotedCodes) {
  if (shape.hasGroups())
    check.multipleOf("columns that share scales", summed, shape.group)
        .exactly("quantizations of the input with several scales a row", 0, shape.quantizes);
}

/// Static shared memory of an epilogue that finds the largest result of each row: a key of 8 bytes a row. Stages after
/// it start at a multiple of 1024 bytes.
BAMBAC_HOST_DEVICE constexpr int maximaBytes(int rows) { return rows * 8; }
BAMBAC_HOST_DEVICE constexpr int alignedStaticBytes(int bytes) { return alignTo(bytes, 1024); }

} // namespace bambac::geometry
