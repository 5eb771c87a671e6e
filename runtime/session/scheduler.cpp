#include "runtime/session/scheduler.h"
#include "runtime/model/model.h"
#include "runtime/support/error.h"
#include <algorithm>

namespace bambac::rt {
namespace {

using Entries = std::vector<const bamba_rt_entry *>;

/// The entries of a kind, from the smallest number of rows to the largest.
Entries entriesOf(const bamba_rt_model &model, bamba_rt_entry_kind kind) {
  Entries entries;
  for (const bamba_rt_entry &entry : std::span(model.entries, model.num_entries))
    if (entry.kind == static_cast<uint32_t>(kind))
      entries.push_back(&entry);
  std::ranges::sort(entries, {}, [](const bamba_rt_entry *entry) { return rowsOf(*entry); });
  return entries;
}

/// The first entry with at least `wanted` rows, or else the last; null where there are none.
const bamba_rt_entry *pick(const Entries &entries, uint64_t wanted) {
  if (entries.empty())
    return nullptr;
  for (const bamba_rt_entry *entry : entries)
    if (rowsOf(*entry) >= wanted)
      return entry;
  return entries.back();
}

/// Rows of logits that can be read afterwards.
uint64_t keptRows(const bamba_batch_item &item) {
  switch (item.logits) {
  case BAMBA_LOGITS_NONE:
    return 0;
  case BAMBA_LOGITS_LAST:
    return 1;
  case BAMBA_LOGITS_ALL:
    return item.num_tokens;
  case BAMBA_LOGITS_CHOSEN:
    return item.num_chosen;
  }
  __builtin_unreachable(); // checked before
}

/// The token after which the item's row of logits of this number is.
uint32_t keptToken(const bamba_batch_item &item, uint64_t row) {
  switch (item.logits) {
  case BAMBA_LOGITS_LAST:
    return item.num_tokens - 1;
  case BAMBA_LOGITS_CHOSEN:
    return item.chosen[row];
  default:
    return static_cast<uint32_t>(row);
  }
}

/// True for what has steps of its own: it keeps other logits than those after its last token.
bool isScored(const bamba_batch_item &item) {
  return item.num_tokens > 1 && (item.logits == BAMBA_LOGITS_ALL || item.logits == BAMBA_LOGITS_CHOSEN);
}

/// A write of a sequence's SSM states, as a part of reading the weights, where a ring saves it in a decode step.
double savedByRing(const bamba_rt_model &model) {
  uint64_t weights = 0;
  for (const bamba_rt_weight &weight : std::span(model.weights, model.num_weights))
    weights += weight.bytes;
  if (model.state_ring == 1 || weights == 0)
    return 0;
  return static_cast<double>(stateBytes(model, BAMBA_RT_STATE_SLOT)) / static_cast<double>(weights);
}

} // namespace

void checkLogits(size_t index, const bamba_batch_item &item) {
  int logits = enumNumber(item.logits);
  if (logits < BAMBA_LOGITS_LAST || logits > BAMBA_LOGITS_CHOSEN)
    fail(BAMBA_INVALID_ARGUMENT,
         "item {}: logits: expected BAMBA_LOGITS_LAST, BAMBA_LOGITS_ALL, BAMBA_LOGITS_NONE or BAMBA_LOGITS_CHOSEN, "
         "found {}",
         index, logits);
  if (logits != BAMBA_LOGITS_CHOSEN) {
    if (item.chosen || item.num_chosen != 0)
      fail(BAMBA_INVALID_ARGUMENT, "item {}: chosen: expected NULL and 0 without BAMBA_LOGITS_CHOSEN, found {} tokens",
           index, item.num_chosen);
    return;
  }
  if (item.num_chosen == 0 || !item.chosen)
    fail(BAMBA_INVALID_ARGUMENT, "item {}: chosen: expected at least one token, found {}", index,
         item.num_chosen == 0 ? "none" : "a null pointer");
  for (uint32_t i = 0; i < item.num_chosen; ++i) {
    uint32_t least = i == 0 ? 0 : item.chosen[i - 1] + 1;
    if (item.chosen[i] < least || item.chosen[i] >= item.num_tokens)
      fail(BAMBA_INVALID_ARGUMENT, "item {}: chosen {}: expected a number from {} to {}, found {}", index, i, least,
           item.num_tokens - 1, item.chosen[i]);
  }
}

Scheduler::Scheduler(const bamba_rt_model &model, uint32_t maxItems)
    : decodes(entriesOf(model, BAMBA_RT_DECODE)), prefills(entriesOf(model, BAMBA_RT_PREFILL)), rowTile(model.row_tile),
      weightRows(model.weight_rows), stateRows(savedByRing(model) * static_cast<double>(model.weight_rows)),
      progress(maxItems, "the batch") {
  lanes.reserve(std::max<uint64_t>(decodes.back()->batch, mostPieces()));
  for (const bamba_rt_entry *entry : prefills)
    mostKept = std::max<uint64_t>(mostKept, entry->kept);
  kept.reserve(mostKept);
}

uint64_t Scheduler::countRows(std::span<const bamba_batch_item> items) {
  uint64_t count = 0;
  for (const bamba_batch_item &item : items)
    count += keptRows(item);
  return count;
}

uint64_t Scheduler::paddedRows(uint64_t kept) const {
  return std::min<uint64_t>(alignUp(kept, BAMBA_RT_KEPT_GRANULE, "the logits"), mostKept);
}

uint64_t Scheduler::mostLanes(uint64_t sequences) const {
  return std::max<uint64_t>(decodeEntry(sequences)->batch, std::min(sequences, mostPieces()));
}

uint64_t Scheduler::leastStepRows(uint64_t sequences) const {
  return std::max<uint64_t>(decodeEntry(sequences)->batch, paddedRows(std::min(sequences, mostPieces())));
}

uint64_t Scheduler::mostStepRows(std::span<const bamba_batch_item> items) const {
  uint64_t most = leastStepRows(items.size());
  for (const bamba_batch_item &item : items)
    if (isScored(item))
      most = std::max(most, paddedRows(std::min(keptRows(item), mostKept)));
  return most;
}

void Scheduler::begin(std::span<const bamba_batch_item> items) {
  batch = items;
  nextRow = 0;
  firstOpen = scored = 0;
  for (size_t i = 0; i < items.size(); ++i)
    progress[i] = {0, keptRows(items[i]), 0, 0};
}

uint64_t Scheduler::rowsOfCost(uint64_t rows) const {
  return std::max(weightRows, (rows + rowTile - 1) / rowTile * rowTile);
}

/// Whether so many single tokens go with so many rows of prompts.
bool Scheduler::joinPrompts(uint64_t prompts, uint64_t singles) const {
  double together = static_cast<double>(rowsOfCost(prompts + singles)) + static_cast<double>(singles) * stateRows;
  return together <= static_cast<double>(rowsOfCost(prompts) + std::max(weightRows, singles));
}

/// Items of which one token is left.
uint64_t Scheduler::countSingles() const {
  uint64_t count = 0;
  for (size_t i = firstOpen; i < batch.size(); ++i)
    count += !isScored(batch[i]) && restOf(i) == 1;
  return count;
}

bool Scheduler::next(Step &step) {
  while (firstOpen < batch.size() && (isScored(batch[firstOpen]) || restOf(firstOpen) == 0))
    ++firstOpen;
  return firstOpen < batch.size() ? nextPacked(step) : nextScored(step);
}

/// Pieces of more than one row come first here, since they need the most room, and last in the step.
bool Scheduler::nextPacked(Step &step) {
  const uint32_t mostRows = prefills.empty() ? 1 : rowsOf(*prefills.back());
  uint32_t room = mostRows, roomPieces = prefills.empty() ? 0 : prefills.back()->batch;
  lanes.clear();
  for (size_t i = firstOpen; i < batch.size() && room > 1 && roomPieces > 0; ++i) {
    uint32_t count = std::min(restOf(i), mostRows);
    if (isScored(batch[i]) || count < 2 || count > room)
      continue;
    addLane(i, count);
    room -= count;
    --roomPieces;
  }
  const size_t longer = lanes.size();
  const bool decode = longer == 0;
  uint64_t most = decodes.back()->batch;
  if (!decode) { // all of them, or else they need a decode step anyway
    most = countSingles();
    if (most > std::min(room, roomPieces) || !joinPrompts(mostRows - room, most))
      most = 0;
  }
  for (bool keeps : {true, false}) // in a decode step the rows without logits fall on those of later steps
    for (size_t i = firstOpen; i < batch.size() && lanes.size() - longer < most; ++i)
      if (!isScored(batch[i]) && (decode ? restOf(i) > 0 : restOf(i) == 1) && keepsAfter(i, 1) == keeps)
        addLane(i, 1);
  std::ranges::rotate(lanes, lanes.begin() + static_cast<ptrdiff_t>(longer));
  uint64_t rows = mostRows - room + (lanes.size() - longer);
  step = {decode ? decodeEntry(lanes.size()) : pick(prefills, rows), lanes, {}, nextRow, 0};
  place(step);
  return true;
}

void Scheduler::addLane(size_t item, uint32_t count) {
  lanes.push_back({static_cast<uint32_t>(item), progress[item].done, count});
}

/// Takes the tokens of all pieces as done, and numbers the rows of logits of those that end.
void Scheduler::place(Step &step) {
  const bool keepsAll = step.entry->kind == BAMBA_RT_DECODE;
  kept.clear();
  int32_t row = 0;
  for (const Lane &lane : lanes) {
    Progress &item = progress[lane.item];
    row += static_cast<int32_t>(lane.count);
    if (keepsAfter(lane.item, lane.count)) {
      item.firstRow = nextRow++;
      if (!keepsAll)
        kept.push_back({row - 1, lane.item});
    }
    item.done += lane.count;
  }
  step.kept = kept;
  step.logitsRows = static_cast<uint32_t>(nextRow - step.logitsRow);
}

/// Tokens of an item from the first open one on of which at most `most` keep their logits.
uint32_t Scheduler::tokensThatKeep(size_t item, uint64_t most) const {
  const Progress &at = progress[item];
  uint64_t next = at.keptDone + most;
  return (next < at.numRows ? keptToken(batch[item], next) : batch[item].num_tokens) - at.done;
}

bool Scheduler::nextScored(Step &step) {
  while (scored < batch.size() && (!isScored(batch[scored]) || restOf(scored) == 0))
    ++scored;
  if (scored == batch.size())
    return false;
  Progress &item = progress[scored];
  if (item.done == 0) {
    item.firstRow = nextRow;
    nextRow += item.numRows;
  }
  const bamba_rt_entry *entry = chunkEntry(tokensThatKeep(scored, std::max<uint64_t>(mostKept, 1)));
  uint32_t count = std::min(tokensThatKeep(scored, entry->kept), rowsOf(*entry)), first = item.done;
  lanes.clear();
  addLane(scored, count);
  kept.clear();
  item.done += count;
  uint64_t firstKept = item.keptDone;
  for (; item.keptDone < item.numRows && keptToken(batch[scored], item.keptDone) < item.done; ++item.keptDone)
    if (entry->kind != BAMBA_RT_DECODE)
      kept.push_back({static_cast<int32_t>(keptToken(batch[scored], item.keptDone) - first), lanes[0].item});
  step = {entry, lanes, kept, item.firstRow + firstKept, static_cast<uint32_t>(item.keptDone - firstKept)};
  return true;
}

const bamba_rt_entry *Scheduler::decodeEntry(uint64_t sequences) const { return pick(decodes, sequences); }

const bamba_rt_entry *Scheduler::chunkEntry(uint64_t tokens) const {
  const bamba_rt_entry *entry = tokens == 1 ? nullptr : pick(prefills, tokens);
  return entry ? entry : decodeEntry(1);
}

} // namespace bambac::rt
