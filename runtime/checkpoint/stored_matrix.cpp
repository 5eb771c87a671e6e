// Computes the size of a weight with arithmetic that cannot wrap around.
#include "runtime/checkpoint/stored_matrix.h"
#include "runtime/support/element.h"
#include "runtime/support/memory.h"

namespace bambac::rt {

uint64_t packedBytes(const bamba_rt_weight &weight) {
  StoredMatrix matrix(weight);
  uint64_t panels = matrix.rows / matrix.panel + (matrix.rows % matrix.panel != 0);
  uint64_t rows = checkedMul(panels, matrix.panel, weight.name);
  if (matrix.width < matrix.cols) // rounding up has wrapped around
    checkedAdd(matrix.cols, weight.panel_align, weight.name);
  return checkedMul(checkedMul(rows, matrix.width, weight.name), elementBytes(weight.dtype), weight.name);
}

} // namespace bambac::rt
