#include "runtime/session/scheduler.h"
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
  std::ranges::sort(entries, {}, [](const bamba_rt_entry *entry) { return uint64_t{entry->batch} * entry->chunk; });
  return entries;
}

/// The first entry whose size is at least `wanted`, or else the last; null where there are none.
const bamba_rt_entry *pick(const Entries &entries, uint32_t bamba_rt_entry::*size, uint64_t wanted) {
  if (entries.empty())
    return nullptr;
  for (const bamba_rt_entry *entry : entries)
    if (entry->*size >= wanted)
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

/// Rows that an item takes among those of its batch: the rows of a decode step are neighbours, kept or not.
uint64_t placedRows(const bamba_batch_item &item) { return item.num_tokens == 1 ? 1 : keptRows(item); }

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
    : decodes(entriesOf(model, BAMBA_RT_DECODE)), prefills(entriesOf(model, BAMBA_RT_PREFILL)),
      rows(maxItems, "the batch") {
  lanes.reserve(decodes.back()->batch);
  for (const bamba_rt_entry *entry : prefills)
    mostKept = std::max<uint64_t>(mostKept, entry->kept);
  kept.reserve(mostKept);
}

uint64_t Scheduler::countRows(std::span<const bamba_batch_item> items) {
  uint64_t count = 0;
  for (const bamba_batch_item &item : items)
    count += placedRows(item);
  return count;
}

uint64_t Scheduler::paddedRows(uint64_t kept) const {
  return std::min<uint64_t>(alignUp(kept, BAMBA_RT_KEPT_GRANULE, "the logits"), mostKept);
}

uint64_t Scheduler::leastStepRows(uint64_t sequences) const {
  return std::max<uint64_t>(decodeEntry(sequences)->batch, paddedRows(1));
}

uint64_t Scheduler::mostStepRows(std::span<const bamba_batch_item> items) const {
  uint64_t singles = 0, most = 1;
  for (const bamba_batch_item &item : items) {
    singles += item.num_tokens == 1;
    if (item.num_tokens > 1)
      most = std::max(most, paddedRows(std::min(keptRows(item), mostKept)));
  }
  return std::max<uint64_t>(most, decodeEntry(singles)->batch);
}

void Scheduler::begin(std::span<const bamba_batch_item> items) {
  batch = items;
  singles = singlesDone = 0;
  item = 0;
  done = 0;
  keptDone = 0;
  for (size_t i = 0; i < items.size(); ++i)
    if (items[i].num_tokens == 1)
      rows[i] = {singles++, keptRows(items[i])};
  uint64_t row = singles;
  for (size_t i = 0; i < items.size(); ++i) {
    if (items[i].num_tokens == 1)
      continue;
    rows[i] = {row, keptRows(items[i])};
    row += rows[i].count;
  }
}

bool Scheduler::next(Step &step) {
  if (singlesDone < singles)
    return nextDecode(step);
  return nextChunk(step);
}

bool Scheduler::nextDecode(Step &step) {
  const bamba_rt_entry *entry = decodeEntry(singles - singlesDone);
  lanes.clear();
  for (; item < batch.size() && lanes.size() < entry->batch; ++item)
    if (batch[item].num_tokens == 1)
      lanes.push_back({static_cast<uint32_t>(item), 0, 1});
  step = {entry, lanes, {}, singlesDone, static_cast<uint32_t>(lanes.size())};
  singlesDone += lanes.size();
  if (singlesDone == singles)
    item = 0; // the longer items are looked for from the start
  return true;
}

/// Tokens from `done` on of which at most `most` keep their logits.
uint32_t Scheduler::tokensThatKeep(uint64_t most) const {
  const bamba_batch_item &current = batch[item];
  uint64_t next = keptDone + most;
  return (next < rows[item].count ? keptToken(current, next) : current.num_tokens) - done;
}

bool Scheduler::nextChunk(Step &step) {
  while (item < batch.size() && (batch[item].num_tokens == 1 || done == batch[item].num_tokens)) {
    ++item;
    done = 0;
    keptDone = 0;
  }
  if (item == batch.size())
    return false;
  const bamba_rt_entry *entry = chunkEntry(tokensThatKeep(std::max<uint64_t>(mostKept, 1)));
  uint32_t count = std::min(tokensThatKeep(entry->kept), entry->chunk);
  lanes.assign(1, {static_cast<uint32_t>(item), done, count});
  kept.clear();
  uint64_t firstKept = keptDone;
  for (; keptDone < rows[item].count && keptToken(batch[item], keptDone) < done + count; ++keptDone)
    if (entry->kind != BAMBA_RT_DECODE)
      kept.push_back(static_cast<int32_t>(keptToken(batch[item], keptDone) - done));
  step = {entry, lanes, kept, rows[item].first + firstKept, static_cast<uint32_t>(keptDone - firstKept)};
  done += count;
  return true;
}

const bamba_rt_entry *Scheduler::decodeEntry(uint64_t sequences) const {
  return pick(decodes, &bamba_rt_entry::batch, sequences);
}

const bamba_rt_entry *Scheduler::chunkEntry(uint64_t tokens) const {
  const bamba_rt_entry *entry = tokens == 1 ? nullptr : pick(prefills, &bamba_rt_entry::chunk, tokens);
  return entry ? entry : decodeEntry(1);
}

} // namespace bambac::rt
