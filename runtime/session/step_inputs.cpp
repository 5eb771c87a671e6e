#include "runtime/session/step_inputs.h"
#include "runtime/support/memory.h"
#include <algorithm>

namespace bambac::rt {

static_assert(BAMBA_RT_INPUT_PAGES == BAMBA_RT_NUM_INPUTS - 1, "the page table has the end of the block");
static_assert(std::ranges::all_of(contract::kInputs,
                                  [](const contract::EntryArray &input) { return input.type == BAMBA_RT_I32; }),
              "the arrays are of int32_t");
static_assert(std::ranges::all_of(contract::kInputs,
                                  [](const contract::EntryArray &input) {
                                    return input.shape == BAMBA_RT_SHAPE_PAGES
                                               ? input.number == BAMBA_RT_INPUT_PAGES
                                               : input.shape <= BAMBA_RT_SHAPE_SEQUENCES;
                                  }),
              "an array has a number for each row or sequence, other than the page table");

StepInputs::StepInputs(const bamba_rt_model &model, Device &device) : device(device), maxPages(model.max_pages) {
  size_t rows = 0, sequences = 0;
  for (const bamba_rt_entry &entry : std::span(model.entries, model.num_entries)) {
    rows = std::max(rows, checkedMul(entry.batch, entry.chunk, "the step's rows"));
    sequences = std::max<size_t>(sequences, entry.batch);
  }
  const char *what = "the step's inputs";
  pitch = alignUp(checkedMul(rows, sizeof(int32_t), what), deviceAlignment, what);
  size_t tableEntries = checkedMul(sequences, maxPages, what);
  size_t tableBytes = alignUp(checkedMul(tableEntries, sizeof(int32_t), what), deviceAlignment, what);
  blockBytes = checkedAdd(pitch * BAMBA_RT_INPUT_PAGES, tableBytes, what);
  onDevice = device.allocate(blockBytes, what);
  staging = device.isHost() ? onDevice : device.allocateHost(checkedMul(blockBytes, Device::numMarks, what), what);
  block = staging.get();
  std::fill_n(array(BAMBA_RT_INPUT_PAGES), tableEntries, -1);
  if (!device.isHost())
    device.upload(onDevice.get(), block, blockBytes);
  device.finish();
  pageRows.resize(sequences);
}

void StepInputs::fill(const Step &step, std::span<const bamba_batch_item> items, const SequenceTable &sequences) {
  if (!device.isHost()) {
    current = (current + 1) % Device::numMarks;
    device.waitFor(current);
    block = staging.get() + current * blockBytes;
  }
  uint32_t chunk = step.entry->chunk;
  for (uint32_t i = 0; i < step.entry->batch; ++i) {
    if (i < step.lanes.size()) {
      const Lane &lane = step.lanes[i];
      fillLane(i, chunk, lane, items[lane.item], sequences);
      continue;
    }
    std::fill_n(array(BAMBA_RT_INPUT_TOKENS) + size_t{i} * chunk, chunk, 0);
    std::fill_n(array(BAMBA_RT_INPUT_POSITIONS) + size_t{i} * chunk, chunk, -1);
    array(BAMBA_RT_INPUT_SLOTS)[i] = static_cast<int32_t>(sequences.slots());
    array(BAMBA_RT_INPUT_COUNTS)[i] = 0;
    fillPages(i, {}, 0);
  }
  if (!device.isHost()) {
    size_t bytes = size_t{step.entry->batch} * chunk * sizeof(int32_t);
    device.uploadRows(onDevice.get(), block, bytes, BAMBA_RT_INPUT_PAGES, pitch);
    device.mark(current);
  }
}

void StepInputs::fillLane(uint32_t lane, uint32_t chunk, const Lane &tokens, const bamba_batch_item &item,
                          const SequenceTable &sequences) {
  int32_t *rowTokens = array(BAMBA_RT_INPUT_TOKENS) + size_t{lane} * chunk;
  int32_t *rowPositions = array(BAMBA_RT_INPUT_POSITIONS) + size_t{lane} * chunk;
  int32_t position = static_cast<int32_t>(sequences.length(item.sequence));
  for (uint32_t t = 0; t < chunk; ++t) {
    bool there = t < tokens.count;
    rowTokens[t] = there ? item.tokens[tokens.first + t] : 0;
    rowPositions[t] = there ? position + static_cast<int32_t>(t) : -1;
  }
  array(BAMBA_RT_INPUT_SLOTS)[lane] = static_cast<int32_t>(item.sequence);
  array(BAMBA_RT_INPUT_COUNTS)[lane] = static_cast<int32_t>(tokens.count);
  fillPages(lane, sequences.pages(item.sequence), sequences.pagesVersion(item.sequence));
}

/// A row is written only when its pages have changed, and only as far as the table is used.
void StepInputs::fillPages(uint32_t lane, std::span<const int32_t> pages, uint64_t version) {
  PageRow &row = pageRows[lane];
  if (row.version == version)
    return;
  int32_t *to = array(BAMBA_RT_INPUT_PAGES) + size_t{lane} * maxPages;
  std::ranges::copy(pages, to);
  size_t end = std::max(row.count, pages.size());
  std::fill(to + pages.size(), to + end, -1);
  row = {version, pages.size()};
  if (device.isHost() || end == 0)
    return;
  std::byte *bytes = reinterpret_cast<std::byte *>(to);
  device.upload(onDevice.get() + (bytes - block), bytes, end * sizeof(int32_t));
}

} // namespace bambac::rt
