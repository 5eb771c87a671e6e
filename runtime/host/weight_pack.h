// Packs tensors of a checkpoint on the processor into one weight as the kernels read it: order, stack or interleave
// rows, convert, transpose, arrange in panels. (On a CUDA device a kernel does it:
// codegen/cuda/collectives/common/pack_weights.cuh.)
#ifndef BAMBA_RUNTIME_HOST_WEIGHT_PACK_H
#define BAMBA_RUNTIME_HOST_WEIGHT_PACK_H

#include "runtime/checkpoint/stored_matrix.h"
#include "runtime/checkpoint/weight_source.h"
#include "runtime/contract/abi.h"
#include <cstddef>
#include <cstdint>
#include <span>

namespace bambac::rt {

/// Bytes of a weight, from its start.
struct ByteRange {
  uint64_t begin, end;
  uint64_t size() const { return end - begin; }
};

/// How many of the weight's rows before a transposition are a good piece of work: a whole number of panels, about 1
/// MiB.
uint64_t rowsPerTask(const bamba_rt_weight &weight);

/// The bytes that rows [begin, end) of the stacked sources go to: all where the weight is transposed, for then they
/// are scattered. `begin` is a multiple of the panel.
ByteRange packedRange(const bamba_rt_weight &weight, uint64_t begin, uint64_t end);

/// Writes rows [begin, end) of the stacked sources to their places; `out` is the first byte of packedRange(). Padding
/// is left alone. The sources' rows add up to weight.rows; those that are packed are in memory, or random. Different
/// ranges may be packed at the same time by different threads. `scales` are those of all rows of a weight of codes,
/// else empty: the rows of sources that quantize get their scales there, in each of the groups of columns, which are
/// weight.rows elements apart. Throws Error BAMBA_INTERNAL for a type that weights do not have, and for nothing else.
void packRows(const bamba_rt_weight &weight, std::span<const WeightSource> sources, uint64_t begin, uint64_t end,
              std::byte *out, std::span<float> scales = {});

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_HOST_WEIGHT_PACK_H
