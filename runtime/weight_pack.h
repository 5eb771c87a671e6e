// Packs tensors of a checkpoint into one weight as the kernels read it: stack, convert, transpose, interleave in
// panels.
#ifndef BAMBA_RUNTIME_WEIGHT_PACK_H
#define BAMBA_RUNTIME_WEIGHT_PACK_H

#include "runtime/abi.h"
#include "runtime/initializer.h"
#include <cstddef>
#include <cstdint>
#include <span>

namespace bambac::rt {

/// Where the elements of a source come from: bytes of a checkpoint in one of the three types that can be converted, or
/// random numbers where `data` is null.
struct WeightSource {
  const std::byte *data;
  bamba_rt_dtype dtype; ///< of data: F32, BF16 or F16
  Initializer random;
  uint64_t rows; ///< of the source seen as a matrix [shape[0], product of the rest]
};

/// Bytes that `weight` must have by its shape, panel and type. Throws Error BAMBA_OUT_OF_MEMORY where they overflow.
uint64_t packedBytes(const bamba_rt_weight &weight);

/// How many rows of the stacked sources are a good piece of work: a whole number of panels, about a megabyte.
uint64_t rowsPerTask(const bamba_rt_weight &weight);

/// Writes rows [begin, end) of the stacked sources to their places in `out`, which has weight.bytes bytes, zeroed
/// (padding is left alone). The sources' rows add up to weight.rows. Different ranges may be packed at the same time by
/// different threads. Does not fail or allocate.
void packRows(const bamba_rt_weight &weight, std::span<const WeightSource> sources, uint64_t begin, uint64_t end,
              std::byte *out);

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_WEIGHT_PACK_H
