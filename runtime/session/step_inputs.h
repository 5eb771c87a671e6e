// The arrays that the runtime writes for each step: tokens, positions, slots, where pieces lie, places in rings and
// page tables.
#ifndef BAMBA_RUNTIME_SESSION_STEP_INPUTS_H
#define BAMBA_RUNTIME_SESSION_STEP_INPUTS_H

#include "runtime/contract/abi.h"
#include "runtime/device/device.h"
#include "runtime/session/sampling_table.h"
#include "runtime/session/scheduler.h"
#include "runtime/session/sequence_table.h"
#include <vector>

namespace bambac::rt {

/// Owns the arrays, large enough for the entries of a model that run; their addresses stay. They are one block of
/// memory. On a host device kernels read what fill() writes; else fill() writes one of several blocks in turn, so that
/// the host can prepare steps while the device still reads the inputs of earlier ones. Of the page table, such a block
/// has the rows that change. Used by one thread at a time. Nothing here allocates after the constructor. `device` must
/// outlive it.
class StepInputs {
public:
  /// For steps of at most `sequences` sequences, padding of decode steps included, of `slots` sequences that have
  /// `pages` pages in all. Throws Error BAMBA_OUT_OF_MEMORY.
  StepInputs(const bamba_rt_model &model, uint32_t sequences, uint32_t slots, uint64_t pages, Device &device);

  /// Where kernels find an array.
  void *address(bamba_rt_input input) const {
    return input == BAMBA_RT_INPUT_SAMPLING ? parameters.address() : onDevice.get() + offset(input);
  }

  /// What tokens are drawn by; a part of it is filled with the other inputs.
  SamplingTable &sampling() { return parameters; }

  /// Writes what `step` of a batch reads; the pages for its tokens are there already. Rows and pieces that the step
  /// does not fill become padding. What negative tokens stand for is copied over them.
  void fill(const Step &step, std::span<const bamba_batch_item> items, const SequenceTable &sequences);

private:
  /// A sequence's row of the page table on the device: whose pages it has, and how many; -1 follows.
  struct PageRow {
    uint64_t version;
    size_t count;
  };
  static constexpr uint64_t noVersion = UINT64_MAX;

  /// Rows [first, end) of the page table, as far as column `width`.
  struct PageRows {
    size_t first = 0, end = 0, width = 0;
  };

  /// Arrays in the block before the page table.
  static constexpr size_t numArrays = BAMBA_RT_INPUT_SAMPLING;

  size_t offset(bamba_rt_input input) const {
    return (input == BAMBA_RT_INPUT_PAGES ? numArrays : size_t{input}) * pitch;
  }
  int32_t *array(bamba_rt_input input) const { return reinterpret_cast<int32_t *>(block + offset(input)); }
  /// Piece `number` of a step, from row `firstRow` on.
  void fillPiece(uint32_t number, uint32_t firstRow, const Lane &tokens, const bamba_batch_item &item,
                 const SequenceTable &sequences);
  /// What the step leaves of the entry's rows and pieces.
  void fillPadding(const bamba_rt_entry &entry, uint32_t pieces, uint32_t rows, uint32_t spareSlot);
  void fillPages(const Step &step, std::span<const bamba_batch_item> items, const SequenceTable &sequences);
  void writePages(const PageRows &rows, const Step &step, std::span<const bamba_batch_item> items,
                  const SequenceTable &sequences);

  Device &device;
  uint32_t maxPages;
  size_t pitch = 0; ///< from one array to the next; the page table is the last
  size_t blockBytes = 0;
  DeviceMemory onDevice, staging;
  std::byte *block = nullptr; ///< the one that is written
  unsigned current = 0;       ///< its number
  size_t listed = 0;          ///< numbers of pages in it
  std::vector<PageRow> pageRows;
  SamplingTable parameters;
};

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_SESSION_STEP_INPUTS_H
