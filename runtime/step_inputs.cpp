#include "runtime/step_inputs.h"
#include <algorithm>

namespace bambac::rt {

StepInputs::StepInputs(const bamba_rt_model &model) : maxPages(model.max_pages) {
  size_t rows = 0, sequences = 0;
  for (const bamba_rt_entry &entry : std::span(model.entries, model.num_entries)) {
    rows = std::max(rows, checkedMul(entry.batch, entry.chunk, "the step's rows"));
    sequences = std::max<size_t>(sequences, entry.batch);
  }
  const char *what = "the step's inputs";
  arrays[BAMBA_RT_INPUT_TOKENS] = {rows, what};
  arrays[BAMBA_RT_INPUT_POSITIONS] = {rows, what};
  arrays[BAMBA_RT_INPUT_SLOTS] = {sequences, what};
  arrays[BAMBA_RT_INPUT_COUNTS] = {sequences, what};
  arrays[BAMBA_RT_INPUT_PAGES] = {checkedMul(sequences, maxPages, what), what};
  std::fill_n(arrays[BAMBA_RT_INPUT_PAGES].data(), sequences * maxPages, -1);
  pagesWritten.resize(sequences);
}

void StepInputs::fill(const Step &step, std::span<const bamba_batch_item> items, const SequenceTable &sequences) {
  uint32_t chunk = step.entry->chunk;
  for (uint32_t i = 0; i < step.entry->batch; ++i) {
    if (i < step.lanes.size()) {
      const Lane &lane = step.lanes[i];
      fillLane(i, chunk, lane, items[lane.item], sequences);
      continue;
    }
    std::fill_n(&arrays[BAMBA_RT_INPUT_TOKENS][size_t{i} * chunk], chunk, 0);
    std::fill_n(&arrays[BAMBA_RT_INPUT_POSITIONS][size_t{i} * chunk], chunk, -1);
    arrays[BAMBA_RT_INPUT_SLOTS][i] = static_cast<int32_t>(sequences.slots());
    arrays[BAMBA_RT_INPUT_COUNTS][i] = 0;
    fillPages(i, {});
  }
}

void StepInputs::fillLane(uint32_t lane, uint32_t chunk, const Lane &tokens, const bamba_batch_item &item,
                          const SequenceTable &sequences) {
  int32_t *rowTokens = &arrays[BAMBA_RT_INPUT_TOKENS][size_t{lane} * chunk];
  int32_t *rowPositions = &arrays[BAMBA_RT_INPUT_POSITIONS][size_t{lane} * chunk];
  int32_t position = static_cast<int32_t>(sequences.length(item.sequence));
  for (uint32_t t = 0; t < chunk; ++t) {
    bool there = t < tokens.count;
    rowTokens[t] = there ? item.tokens[tokens.first + t] : 0;
    rowPositions[t] = there ? position + static_cast<int32_t>(t) : -1;
  }
  arrays[BAMBA_RT_INPUT_SLOTS][lane] = static_cast<int32_t>(item.sequence);
  arrays[BAMBA_RT_INPUT_COUNTS][lane] = static_cast<int32_t>(tokens.count);
  fillPages(lane, sequences.pages(item.sequence));
}

/// The rest of a row stays -1 from one step to the next, so that a step costs what is used of the table, not its width.
void StepInputs::fillPages(uint32_t lane, std::span<const int32_t> pages) {
  int32_t *row = &arrays[BAMBA_RT_INPUT_PAGES][size_t{lane} * maxPages];
  std::ranges::copy(pages, row);
  if (pagesWritten[lane] > pages.size())
    std::fill(row + pages.size(), row + pagesWritten[lane], -1);
  pagesWritten[lane] = pages.size();
}

} // namespace bambac::rt
