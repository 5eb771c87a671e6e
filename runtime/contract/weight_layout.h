// Where the elements of a packed weight are: the formulas that compiler, runtime, device code and tests share.
//
// A weight is made of checkpoint tensors, its sources. Their rows are put in order (rotary pairs become neighbours),
// then stacked one source after another or interleaved row by row, and the matrix that results is stored in panels.
// bamba_rt_source and bamba_rt_weight (abi.h) name the numbers that these functions take. C++ for the host and for
// NVRTC; nothing here can fail.
#ifndef BAMBA_RUNTIME_CONTRACT_WEIGHT_LAYOUT_H
#define BAMBA_RUNTIME_CONTRACT_WEIGHT_LAYOUT_H

#include "runtime/contract/integers.h"

#ifdef __CUDACC__
#define BAMBA_RT_CONSTEXPR __host__ __device__ constexpr
#else
#define BAMBA_RT_CONSTEXPR constexpr
#endif

namespace bambac::contract {

// ---- panels ----
//
// A stored matrix is cut into panels of `panel` rows, each panel into groups of `group` columns, and a group is stored
// row by row. Rows are padded to whole panels and columns to a multiple of `align`, which `group` divides. Row-major is
// the layout with panels of one row and groups of one column.

/// Columns with padding.
BAMBA_RT_CONSTEXPR uint64_t paddedWidth(uint64_t columns, uint64_t align) {
  return (columns + align - 1) / align * align;
}

/// Rows with padding.
BAMBA_RT_CONSTEXPR uint64_t paddedRows(uint64_t rows, uint64_t panel) { return (rows + panel - 1) / panel * panel; }

/// The offset, in elements, of row `row` and column `column` of a matrix whose padded width is `width`.
BAMBA_RT_CONSTEXPR uint64_t panelOffset(uint64_t row, uint64_t column, uint64_t panel, uint64_t group, uint64_t width) {
  return (row / panel * (width / group) + column / group) * (panel * group) + row % panel * group + column % group;
}

// ---- the order of a source's rows ----
//
// In every run of `headDim` rows, a head, the rotary embedding turns row d and row d + rotaryDim / 2 into each other,
// for d < rotaryDim / 2. They become neighbours: rows 2d and 2d + 1 of the head. Its other rows stay. `rotaryDim` is
// even and at most `headDim`; 0: all rows stay.

/// The place that row `row` of a source is put in.
BAMBA_RT_CONSTEXPR uint64_t rotaryPlaceOf(uint64_t row, uint32_t headDim, uint32_t rotaryDim) {
  if (rotaryDim == 0)
    return row;
  uint32_t d = static_cast<uint32_t>(row % headDim), half = rotaryDim / 2;
  if (d >= rotaryDim)
    return row;
  return row - d + (d < half ? 2 * d : 2 * (d - half) + 1);
}

/// The row of a source that is put in place `place`: the inverse.
BAMBA_RT_CONSTEXPR uint64_t rotaryRowAt(uint64_t place, uint32_t headDim, uint32_t rotaryDim) {
  if (rotaryDim == 0)
    return place;
  uint32_t d = static_cast<uint32_t>(place % headDim);
  if (d >= rotaryDim)
    return place;
  return place - d + d / 2 + static_cast<uint64_t>(d % 2 * (rotaryDim / 2));
}

// ---- the rows of several sources ----

/// Where the rows of one source go: place p of the source becomes row base + p * step of the weight.
struct SourceRows {
  uint64_t base, step;

  BAMBA_RT_CONSTEXPR uint64_t rowOf(uint64_t place) const { return base + place * step; }
};

/// The rows of a source that stands after `rowsBefore` rows of other sources.
BAMBA_RT_CONSTEXPR SourceRows stackedRows(uint64_t rowsBefore) { return {rowsBefore, 1}; }

/// The rows of source `number` of `count` sources, of as many rows each, that take turns.
BAMBA_RT_CONSTEXPR SourceRows interleavedRows(uint64_t number, uint64_t count) { return {number, count}; }

/// A row of one source, in the source's order of places.
struct SourceRow {
  uint64_t source, place;
};

/// The source, of `count` that take turns, that row `row` of the weight comes from: the inverse of interleavedRows().
BAMBA_RT_CONSTEXPR SourceRow interleavedRowAt(uint64_t row, uint64_t count) { return {row % count, row / count}; }

} // namespace bambac::contract
#endif // BAMBA_RUNTIME_CONTRACT_WEIGHT_LAYOUT_H
