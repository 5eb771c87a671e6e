#include "runtime/session/step_inputs.h"
#include "runtime/support/memory.h"
#include <algorithm>
#include <numeric>

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
              "an array of the block has at most a number for each row and one more, other than the page table");

StepInputs::StepInputs(const bamba_rt_model &model, uint32_t sequences, uint32_t slots, uint64_t pages, Device &device)
    : device(device), maxPages(model.max_pages), parameters(model, slots, device) {
  size_t rows = sequences;
  for (const bamba_rt_entry &entry : std::span(model.entries, model.num_entries))
    if (entry.kind != BAMBA_RT_DECODE)
      rows = std::max<size_t>(rows, rowsOf(entry));
  size_t mostPages = std::min<uint64_t>(maxPages, pages); // of one sequence
  const char *what = "the step's inputs";
  pitch = alignUp(checkedMul(rows + 1, sizeof(int32_t), what), deviceAlignment, what); // `starts` has one more
  size_t tableEntries = checkedMul(sequences, maxPages, what);
  size_t tableBytes = alignUp(checkedMul(tableEntries, sizeof(int32_t), what), deviceAlignment, what);
  onDevice = device.allocate(checkedAdd(pitch * numArrays, tableBytes, what), what);
  pageRows.assign(sequences, {noVersion, mostPages}); // as if it had been full: its first use clears it
  if (device.isHost()) {
    block = onDevice.get();
    return;
  }
  size_t listEntries = checkedMul(sequences, mostPages, what); // each row at most once
  blockBytes = checkedAdd(pitch * numArrays, checkedMul(listEntries, sizeof(int32_t), what), what);
  blockBytes = alignUp(blockBytes, deviceAlignment, what);
  staging = device.allocateHost(checkedMul(blockBytes, Device::numMarks, what), what);
  block = staging.get();
}

void StepInputs::fill(const Step &step, std::span<const bamba_batch_item> items, const SequenceTable &sequences) {
  if (!device.isHost()) {
    current = (current + 1) % Device::numMarks;
    device.waitFor(current);
    block = staging.get() + current * blockBytes;
    listed = 0;
  }
  const bamba_rt_entry &entry = *step.entry;
  uint32_t rows = 0, pieces = 0;
  for (const Lane &lane : step.lanes) {
    fillPiece(pieces++, rows, lane, items[lane.item], sequences);
    rows += lane.count;
  }
  fillPadding(entry, pieces, rows, sequences.slots());
  fillPages(step, items, sequences);
  std::ranges::transform(step.kept, array(BAMBA_RT_INPUT_KEPT), &KeptRow::row);
  array(BAMBA_RT_INPUT_KEPT_COUNT)[0] = static_cast<int32_t>(step.kept.size());
  parameters.fill(step, items, static_cast<const int32_t *>(address(BAMBA_RT_INPUT_TOKENS)), current);
  if (!device.isHost()) {
    size_t bytes = size_t{rowsOf(entry) + 1} * sizeof(int32_t);
    device.uploadRows(onDevice.get(), pitch, block, pitch, bytes, numArrays);
    device.mark(current);
  }
}

void StepInputs::fillPiece(uint32_t number, uint32_t firstRow, const Lane &tokens, const bamba_batch_item &item,
                           const SequenceTable &sequences) {
  std::copy_n(item.tokens + tokens.first, tokens.count, array(BAMBA_RT_INPUT_TOKENS) + firstRow);
  int32_t *positions = array(BAMBA_RT_INPUT_POSITIONS) + firstRow;
  std::iota(positions, positions + tokens.count, static_cast<int32_t>(sequences.length(item.sequence)));
  std::fill_n(array(BAMBA_RT_INPUT_PIECES) + firstRow, tokens.count, static_cast<int32_t>(number));
  array(BAMBA_RT_INPUT_SLOTS)[number] = static_cast<int32_t>(item.sequence);
  array(BAMBA_RT_INPUT_PENDING)[number] = static_cast<int32_t>(sequences.tokens(item.sequence).pending);
  array(BAMBA_RT_INPUT_STARTS)[number] = static_cast<int32_t>(firstRow);
}

void StepInputs::fillPadding(const bamba_rt_entry &entry, uint32_t pieces, uint32_t rows, uint32_t spareSlot) {
  uint32_t rowsLeft = rowsOf(entry) - rows, piecesLeft = entry.batch - pieces;
  std::fill_n(array(BAMBA_RT_INPUT_TOKENS) + rows, rowsLeft, 0);
  std::fill_n(array(BAMBA_RT_INPUT_POSITIONS) + rows, rowsLeft, -1);
  std::fill_n(array(BAMBA_RT_INPUT_PIECES) + rows, rowsLeft, 0);
  std::fill_n(array(BAMBA_RT_INPUT_SLOTS) + pieces, piecesLeft, static_cast<int32_t>(spareSlot));
  std::fill_n(array(BAMBA_RT_INPUT_PENDING) + pieces, piecesLeft, 0);
  std::fill_n(array(BAMBA_RT_INPUT_STARTS) + pieces, piecesLeft + 1, static_cast<int32_t>(rows));
  array(BAMBA_RT_INPUT_ROWS)[0] = static_cast<int32_t>(rows);
}

/// Rows are written only where their pages have changed, and only as far as they are used. Where a request has ended,
/// all rows after its own have the pages of another sequence: they go to the device together. So do rows with few
/// between them that have not changed, since another transfer costs as much as some KiB.
void StepInputs::fillPages(const Step &step, std::span<const bamba_batch_item> items, const SequenceTable &sequences) {
  const size_t mostBetween = device.isHost() ? 0 : size_t{16} << 10; // bytes
  PageRows changed;
  for (size_t piece = 0; piece < step.lanes.size(); ++piece) {
    bamba_sequence sequence = items[step.lanes[piece].item].sequence;
    const PageRow &row = pageRows[piece];
    if (row.version == sequences.pagesVersion(sequence))
      continue;
    if (changed.end > 0 && (piece - changed.end) * changed.width * sizeof(int32_t) > mostBetween) {
      writePages(changed, step, items, sequences);
      changed = {};
    }
    if (changed.end == 0)
      changed.first = piece;
    changed.end = piece + 1;
    changed.width = std::max({changed.width, row.count, sequences.pages(sequence).size()});
  }
  writePages(changed, step, items, sequences);
}

void StepInputs::writePages(const PageRows &rows, const Step &step, std::span<const bamba_batch_item> items,
                            const SequenceTable &sequences) {
  if (rows.width == 0)
    return;
  auto *table = static_cast<int32_t *>(address(BAMBA_RT_INPUT_PAGES)) + rows.first * maxPages;
  int32_t *to = device.isHost() ? table : array(BAMBA_RT_INPUT_PAGES) + listed;
  const size_t distance = device.isHost() ? maxPages : rows.width, count = rows.end - rows.first;
  for (size_t i = 0; i < count; ++i) {
    bamba_sequence sequence = items[step.lanes[rows.first + i].item].sequence;
    std::span<const int32_t> pages = sequences.pages(sequence);
    pageRows[rows.first + i] = {sequences.pagesVersion(sequence), pages.size()}; // now they are there
    pages = pages.first(std::min(pages.size(), rows.width)); // of a row that has not changed the beginning will do
    std::fill(std::ranges::copy(pages, to + i * distance).out, to + i * distance + rows.width, -1);
  }
  if (device.isHost())
    return;
  device.uploadRows(reinterpret_cast<std::byte *>(table), maxPages * sizeof(int32_t),
                    reinterpret_cast<const std::byte *>(to), rows.width * sizeof(int32_t), rows.width * sizeof(int32_t),
                    count);
  listed += count * rows.width;
}

} // namespace bambac::rt
