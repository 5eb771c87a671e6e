// The sizes of a linear y[r, n] = sum_k x[r, k] W[n, k] as its collectives see it.
#pragma once
#include "geometry/geometry.h"

namespace bambac::geometry {

struct LinearShape {
  int rows, columns, depth; ///< of x, of y, and of both x and W
  int epilogueBytes;        ///< static shared memory of the epilogue
  bool normalizes;          ///< x passes under a norm on its way
  bool isOperand;           ///< x has the type that the tensor cores multiply
  int stride;               ///< elements from row to row of x
};

/// Static shared memory of an epilogue that finds the largest result of each row: a key of 8 bytes a row. Stages after
/// it start at a multiple of 1024 bytes.
BAMBAC_HOST_DEVICE constexpr int maximaBytes(int rows) { return rows * 8; }
BAMBAC_HOST_DEVICE constexpr int alignedEpilogueBytes(int bytes) { return alignTo(bytes, 1024); }

} // namespace bambac::geometry
