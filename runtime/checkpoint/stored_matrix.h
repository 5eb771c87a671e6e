// The matrix that a weight is stored as: its size in memory and where its elements are.
#ifndef BAMBA_RUNTIME_CHECKPOINT_STORED_MATRIX_H
#define BAMBA_RUNTIME_CHECKPOINT_STORED_MATRIX_H

#include "runtime/contract/abi.h"
#include "runtime/contract/weight_layout.h"

namespace bambac::rt {

/// A weight's stacked sources, transposed where the table says so, in panels and padded. A weight without panels has
/// panels of one row and groups of one column, which is row-major.
struct StoredMatrix {
  explicit StoredMatrix(const bamba_rt_weight &weight)
      : transposed(weight.flags & BAMBA_RT_WEIGHT_TRANSPOSE), rows(transposed ? weight.cols : weight.rows),
        cols(transposed ? weight.rows : weight.cols), panel(weight.panel ? weight.panel : 1),
        group(weight.panel ? weight.panel_group : 1),
        width(contract::paddedWidth(cols, weight.panel ? weight.panel_align : 1)) {}

  /// The offset, in elements, of row `r` and column `c`.
  uint64_t offset(uint64_t r, uint64_t c) const { return contract::panelOffset(r, c, panel, group, width); }

  bool transposed;
  uint64_t rows, cols; ///< without padding
  uint64_t panel, group;
  uint64_t width; ///< columns with padding
};

/// Bytes that `weight` must have by its shape, panel and type. Throws Error BAMBA_OUT_OF_MEMORY where they do not fit
/// in 64 bits, and BAMBA_INTERNAL for a type that is none.
uint64_t packedBytes(const bamba_rt_weight &weight);

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_CHECKPOINT_STORED_MATRIX_H
