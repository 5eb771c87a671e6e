// Where the elements of a weight come from.
#ifndef BAMBA_RUNTIME_CHECKPOINT_WEIGHT_SOURCE_H
#define BAMBA_RUNTIME_CHECKPOINT_WEIGHT_SOURCE_H

#include "runtime/checkpoint/initializer.h"
#include "runtime/contract/abi.h"
#include <cstddef>
#include <cstdint>

namespace bambac::rt {

/// Consecutive rows of a tensor: bytes of a checkpoint in one of the three types that can be converted, or random
/// numbers where `data` is null. Rows are counted from the first of them.
struct WeightSource {
  const std::byte *data; ///< of the first row
  bamba_rt_dtype dtype;  ///< of data: F32, BF16 or F16; F32 of random numbers
  Initializer random;
  uint64_t rows;
  uint32_t headDim = 0, rotaryDim = 0; ///< the order that its rows are put in; see bamba_rt_source

  /// The row of the source that is in place `place` once they are in order.
  uint64_t rowAt(uint64_t place) const;

  /// Asks the system to read rows [begin, end) of `cols` columns ahead: it would else do so in small steps. Advice; a
  /// refusal does not matter.
  void readAhead(uint64_t cols, uint64_t begin, uint64_t end) const;

  /// Writes rows [begin, end) of `cols` columns to `to`, in the source's own order and type.
  void copyRows(uint64_t cols, uint64_t begin, uint64_t end, std::byte *to) const;
};

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_CHECKPOINT_WEIGHT_SOURCE_H
