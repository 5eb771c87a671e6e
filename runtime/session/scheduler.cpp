#include "runtime/session/scheduler.h"
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
  }
  __builtin_unreachable(); // checked before
}

/// Rows that an item takes among those of its batch: the rows of a decode step are neighbours, kept or not.
uint64_t placedRows(const bamba_batch_item &item) { return item.num_tokens == 1 ? 1 : keptRows(item); }

} // namespace

Scheduler::Scheduler(const bamba_rt_model &model, uint32_t maxItems)
    : decodes(entriesOf(model, BAMBA_RT_DECODE)), prefills(entriesOf(model, BAMBA_RT_PREFILL)),
      scores(entriesOf(model, BAMBA_RT_SCORE)), rows(maxItems, "the batch") {
  lanes.reserve(decodes.back()->batch);
}

uint64_t Scheduler::countRows(std::span<const bamba_batch_item> items) {
  uint64_t count = 0;
  for (const bamba_batch_item &item : items)
    count += placedRows(item);
  return count;
}

uint64_t Scheduler::mostStepRows(std::span<const bamba_batch_item> items) const {
  uint64_t count = 0, most = 1;
  for (const bamba_batch_item &item : items) {
    count += item.num_tokens == 1;
    if (item.logits == BAMBA_LOGITS_ALL)
      most = std::max<uint64_t>(most, logitsRowsOf(*chunkEntry(BAMBA_RT_SCORE, item.num_tokens)));
  }
  return std::max<uint64_t>(most, logitsRowsOf(*decodeEntry(count)));
}

void Scheduler::begin(std::span<const bamba_batch_item> items) {
  batch = items;
  singles = singlesDone = 0;
  item = 0;
  done = 0;
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
  step = {entry, lanes, singlesDone, static_cast<uint32_t>(lanes.size())};
  singlesDone += lanes.size();
  if (singlesDone == singles)
    item = 0; // the longer items are looked for from the start
  return true;
}

bool Scheduler::nextChunk(Step &step) {
  while (item < batch.size() && (batch[item].num_tokens == 1 || done == batch[item].num_tokens)) {
    ++item;
    done = 0;
  }
  if (item == batch.size())
    return false;
  bool all = batch[item].logits == BAMBA_LOGITS_ALL;
  uint32_t rest = batch[item].num_tokens - done;
  const bamba_rt_entry *entry = chunkEntry(all ? BAMBA_RT_SCORE : BAMBA_RT_PREFILL, rest);
  uint32_t count = std::min(rest, entry->chunk);
  lanes.assign(1, {static_cast<uint32_t>(item), done, count});
  step = {entry, lanes, rows[item].first + (all ? done : 0), all ? count : static_cast<uint32_t>(rows[item].count)};
  done += count;
  return true;
}

const bamba_rt_entry *Scheduler::decodeEntry(uint64_t sequences) const {
  return pick(decodes, &bamba_rt_entry::batch, sequences);
}

const bamba_rt_entry *Scheduler::chunkEntry(bamba_rt_entry_kind kind, uint64_t tokens) const {
  const bamba_rt_entry *entry =
      tokens == 1 ? nullptr : pick(kind == BAMBA_RT_SCORE ? scores : prefills, &bamba_rt_entry::chunk, tokens);
  return entry ? entry : decodeEntry(1);
}

} // namespace bambac::rt
