// Packs tensors of a checkpoint into one weight as the kernels read it: stack or interleave rows, convert, transpose,
// arrange in panels.
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
  uint64_t rows;                       ///< of the source seen as a matrix [shape[0], product of the rest]
  uint32_t headDim = 0, rotaryDim = 0; ///< the order that its rows are put in; see bamba_rt_source

  /// The row of the source that stands in place `row` once they are in order.
  uint64_t rowAt(uint64_t row) const;
};

/// Bytes of a weight, from its start.
struct ByteRange {
  uint64_t begin, end;
  uint64_t size() const { return end - begin; }
};

/// Bytes that `weight` must have by its shape, panel and type. Throws Error BAMBA_OUT_OF_MEMORY where they overflow.
uint64_t packedBytes(const bamba_rt_weight &weight);

/// True where some bytes of the weight belong to no element.
bool hasPadding(const bamba_rt_weight &weight);

/// How many of the weight's rows before a transposition are a good piece of work: a whole number of panels, about
/// `bytes` bytes.
uint64_t rowsPerTask(const bamba_rt_weight &weight, uint64_t bytes = uint64_t{1} << 20);

/// The bytes that rows [begin, end) of the stacked sources go to: all where the weight is transposed, for then they
/// are scattered. `begin` is a multiple of the panel.
ByteRange packedRange(const bamba_rt_weight &weight, uint64_t begin, uint64_t end);

/// Writes rows [begin, end) of the stacked sources to their places; `out` stands for the first byte of packedRange()
/// (padding is left alone). The sources' rows add up to weight.rows. Different ranges may be packed at the same time by
/// different threads. Does not fail or allocate.
void packRows(const bamba_rt_weight &weight, std::span<const WeightSource> sources, uint64_t begin, uint64_t end,
              std::byte *out);

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_WEIGHT_PACK_H
