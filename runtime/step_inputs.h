// The arrays that the runtime writes for each step: tokens, positions, slots, counts and page tables.
#ifndef BAMBA_RUNTIME_STEP_INPUTS_H
#define BAMBA_RUNTIME_STEP_INPUTS_H

#include "runtime/abi.h"
#include "runtime/memory.h"
#include "runtime/scheduler.h"
#include "runtime/sequence_table.h"
#include <vector>

namespace bambac::rt {

/// Owns the arrays, large enough for every entry of a model; their addresses stay. Used by one thread at a time.
/// Nothing here allocates after the constructor.
class StepInputs {
public:
  /// Throws Error BAMBA_OUT_OF_MEMORY.
  explicit StepInputs(const bamba_rt_model &model);

  void *address(bamba_rt_input input) const { return arrays[input].data(); }

  /// Writes what `step` of a batch reads; the pages for its tokens are there already. Rows and sequences that the step
  /// does not fill become padding.
  void fill(const Step &step, std::span<const bamba_batch_item> items, const SequenceTable &sequences);

private:
  void fillLane(uint32_t lane, uint32_t chunk, const Lane &tokens, const bamba_batch_item &item,
                const SequenceTable &sequences);
  void fillPages(uint32_t lane, std::span<const int32_t> pages);

  LazyArray<int32_t> arrays[BAMBA_RT_NUM_INPUTS];
  std::vector<size_t> pagesWritten; ///< of each sequence's row of the page table; -1 follows
  uint32_t maxPages;
};

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_STEP_INPUTS_H
