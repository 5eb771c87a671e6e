// Where the elements of a weight come from.
#ifndef BAMBA_RUNTIME_CHECKPOINT_WEIGHT_SOURCE_H
#define BAMBA_RUNTIME_CHECKPOINT_WEIGHT_SOURCE_H

#include "runtime/checkpoint/initializer.h"
#include "runtime/contract/abi.h"
#include "runtime/support/element.h"
#include "runtime/support/input_file.h"
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace bambac::rt {

/// Consecutive rows of a tensor, counted from the first of them: in a checkpoint's file, or copied from it to memory,
/// in one of the types that can be converted; or random numbers, where there is neither.
struct WeightSource {
  const std::byte *data; ///< row `firstRow` and those after it, where they are in memory; else null
  bamba_rt_dtype dtype;  ///< of the rows; of random ones F32, or F8E4M3 where they are codes
  Initializer random;
  uint64_t rows;
  uint32_t headDim = 0, rotaryDim = 0; ///< the order that its rows are put in; see bamba_rt_source
  uint64_t firstRow = 0;               ///< of those in memory
  const InputFile *file = nullptr;     ///< outlives the source; null where the rows are not read
  uint64_t offset = 0;                 ///< of the first row in the file
  uint64_t key = 0;                    ///< tells it from other sources: its tensor, type and rows, or its seed
  const char *tensor = "";             ///< its name in the checkpoint
  float randomScale = 1.0f;            ///< what random numbers are divided by: that of codes
  /// Numbers that become codes: the scale of each row is the largest magnitude in it over 448, or 1 where that is 0.
  bool quantizes = false;
  /// Scales that come with the codes, and have no rows of their own: whoever packs the codes writes them.
  bool isComputed = false;
  std::shared_ptr<const std::vector<float>> numbers = nullptr; ///< owns the rows of scales, which `data` is; else null

  /// The row of the source that is in place `place` once they are in order.
  uint64_t rowAt(uint64_t place) const;

  /// Asks the system to read rows [begin, end) of `cols` columns ahead; see InputFile.
  void readAhead(uint64_t cols, uint64_t begin, uint64_t end) const;

  /// Writes rows [begin, end) of `cols` columns, from the file or random ones, to `to`, in the source's own order and
  /// type. Throws Error BAMBA_IO_ERROR, and BAMBA_BAD_CHECKPOINT for codes of NaN.
  void copyRows(uint64_t cols, uint64_t begin, uint64_t end, std::byte *to) const;

  /// A part of the fingerprint of the weights (see Weights::fingerprint): a number of row `row`, whose bytes these are.
  /// It looks at 64 of every 4096 bytes from the start of the row on, which the caller has just brought to the cache:
  /// that takes less than a hundredth of the time to read them.
  uint64_t sampleRow(uint64_t row, std::span<const std::byte> bytes) const;

  /// The same, with rows from `first` on at `rows`.
  WeightSource inMemory(const std::byte *rows, uint64_t first) const;

  /// `count` random codes from element `index` on.
  void generateCodes(uint64_t index, uint64_t count, E4m3 *to) const;

private:
  void checkCodes(uint64_t cols, std::span<const std::byte> codes) const;
};

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_CHECKPOINT_WEIGHT_SOURCE_H
