/* What one launch of a kernel that packs weights works on. The runtime fills it in and passes it by value; the kernel
 * is codegen/cuda/collectives/common/pack_weights.cuh.
 */
#ifndef BAMBA_RUNTIME_CONTRACT_WEIGHT_PIECE_H
#define BAMBA_RUNTIME_CONTRACT_WEIGHT_PIECE_H

#include "runtime/contract/integers.h"

/* Rows of one source of a weight, row-major on the device.
 *
 * The kernel brings row `first_row + i` of the source to place p in the source's order (rotaryPlaceOf) and so to row
 * `row_base + p * row_step` of the stacked sources, converts it to the weight's type and writes it where the weight's
 * layout says (weight_layout.h). Type, panel and group of the weight are those that the kernel was compiled for.
 * Padding is left alone. A piece has fewer than 2^32 elements.
 *
 * With `scales` a row becomes codes of its largest magnitude / 448, or of 1 where that is not greater than 0, and the
 * scale of row r of the stacked sources goes to column r of the scales, for all groups of columns. */
typedef struct bamba_rt_piece {
  const void *from; /* aligned to 16 bytes */
  void *to;         /* the weight's first element */
  float *scales;    /* null, or those of the weight: the piece has numbers, which become codes */
  uint64_t rows, cols;
  uint64_t first_row;
  uint64_t row_base, row_step; /* SourceRows of weight_layout.h */
  uint64_t width;              /* columns of the weight as it is stored, with padding */
  uint32_t dtype;              /* bamba_rt_dtype, of what is at `from` */
  uint32_t transposed;         /* 1: the rows of the stacked sources are the columns of the weight */
  uint32_t head_dim, rotary_dim;
  uint64_t scale_rows, scale_groups; /* scales are [scale_groups, scale_rows] */
} bamba_rt_piece;

#ifdef __cplusplus
static_assert(sizeof(bamba_rt_piece) == 104, "kernels are compiled for this layout");
#endif

#endif /* BAMBA_RUNTIME_CONTRACT_WEIGHT_PIECE_H */
