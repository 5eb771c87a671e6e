#include "runtime/session/step_inputs.h"
#include "runtime/support/memory.h"
#include <algorithm>

namespace bambac::rt {

static_assert(BAMBA_RT_INPUT_PAGES == BAMBA_RT_NUM_INPUTS - 1 && BAMBA_RT_INPUT_SAMPLING == BAMBA_RT_INPUT_PAGES - 1,
              "the page table has the end of the block, and the table of samples has memory of its own");
static_assert(std::ranges::all_of(contract::kInputs,
                                  [](const contract::EntryArray &input) { return input.type == BAMBA_RT_I32; }),
              "the arrays are of int32_t");
static_assert(std::ranges::all_of(contract::kInputs,
                                  [](const contract::EntryArray &input) {
                                    return input.number >= BAMBA_RT_INPUT_SAMPLING ||
                                           input.shape <= BAMBA_RT_SHAPE_ONE || input.shape == BAMBA_RT_SHAPE_KEPT;
                                  }),
              "an array of the block has at most a number for each row, other than the page table");

StepInputs::StepInputs(const bamba_rt_model &model, uint32_t sequences, uint32_t slots, uint64_t pages, Device &device)
    : device(device), maxPages(model.max_pages), pageRows(sequences), parameters(model, slots, device) {
  size_t rows = sequences;
  for (const bamba_rt_entry &entry : std::span(model.entries, model.num_entries))
    if (entry.batch <= sequences)
      rows = std::max(rows, checkedMul(entry.batch, entry.chunk, "the step's rows"));
  size_t mostPages = std::min<uint64_t>(maxPages, pages); // of one sequence
  const char *what = "the step's inputs";
  pitch = alignUp(checkedMul(rows, sizeof(int32_t), what), deviceAlignment, what);
  size_t tableEntries = checkedMul(sequences, maxPages, what);
  size_t tableBytes = alignUp(checkedMul(tableEntries, sizeof(int32_t), what), deviceAlignment, what);
  onDevice = device.allocate(checkedAdd(pitch * numArrays, tableBytes, what), what);
  for (PageRow &row : pageRows)
    row = {noVersion, mostPages}; // as if it had been full: its first use clears it
  if (device.isHost()) {
    block = onDevice.get();
    return;
  }
  size_t listEntries = checkedMul(sequences, mostPages, what); // sequences may share pages, each lists its own
  blockBytes = checkedAdd(pitch * numArrays, checkedMul(listEntries, sizeof(int32_t), what), what);
  blockBytes = alignUp(blockBytes, deviceAlignment, what);
  size_t blocksBytes = checkedMul(blockBytes, Device::numMarks, what);
  staging = device.allocateHost(checkedAdd(blocksBytes, mostPages * sizeof(int32_t), what), what);
  noPages = reinterpret_cast<int32_t *>(staging.get() + blocksBytes);
  std::fill_n(noPages, mostPages, -1);
  block = staging.get();
}

void StepInputs::fill(const Step &step, std::span<const bamba_batch_item> items, const SequenceTable &sequences) {
  if (!device.isHost()) {
    current = (current + 1) % Device::numMarks;
    device.waitFor(current);
    block = staging.get() + current * blockBytes;
    listed = 0;
  }
  uint32_t chunk = step.entry->chunk;
  // Sequences that are there come first, so that only the last of them may leave rows between: it is the only one then.
  array(BAMBA_RT_INPUT_ROWS)[0] =
      static_cast<int32_t>(step.lanes.empty() ? 0 : (step.lanes.size() - 1) * chunk + step.lanes.back().count);
  std::ranges::copy(step.kept, array(BAMBA_RT_INPUT_KEPT));
  array(BAMBA_RT_INPUT_KEPT_COUNT)[0] = static_cast<int32_t>(step.kept.size());
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
    array(BAMBA_RT_INPUT_PENDING)[i] = 0;
    fillPages(i, {}, 0);
  }
  parameters.fill(step, items, current);
  if (!device.isHost()) {
    size_t bytes = size_t{step.entry->batch} * chunk * sizeof(int32_t);
    device.uploadRows(onDevice.get(), block, bytes, numArrays, pitch);
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
  array(BAMBA_RT_INPUT_PENDING)[lane] = static_cast<int32_t>(sequences.tokens(item.sequence).pending);
  fillPages(lane, sequences.pages(item.sequence), sequences.pagesVersion(item.sequence));
}

/// A row is written only when its pages have changed, and only as far as the table is used.
void StepInputs::fillPages(uint32_t lane, std::span<const int32_t> pages, uint64_t version) {
  PageRow &row = pageRows[lane];
  if (row.version == version)
    return;
  auto *to = static_cast<int32_t *>(address(BAMBA_RT_INPUT_PAGES)) + size_t{lane} * maxPages;
  size_t left = row.count > pages.size() ? row.count - pages.size() : 0; // of a longer row before
  if (device.isHost()) {
    std::fill_n(std::ranges::copy(pages, to).out, left, -1);
  } else {
    int32_t *list = array(BAMBA_RT_INPUT_PAGES) + listed; // where the block goes on
    listed += pages.size();
    std::ranges::copy(pages, list);
    uploadPages(to, list, pages.size());
    uploadPages(to + pages.size(), noPages, left);
  }
  row = {version, pages.size()}; // now it is there
}

void StepInputs::uploadPages(int32_t *to, const int32_t *from, size_t count) {
  device.upload(reinterpret_cast<std::byte *>(to), reinterpret_cast<const std::byte *>(from), count * sizeof(int32_t));
}

} // namespace bambac::rt
