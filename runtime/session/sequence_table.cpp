#include "runtime/session/sequence_table.h"
#include "runtime/model/model.h"
#include "runtime/support/error.h"
#include <algorithm>

namespace bambac::rt {

SequenceTable::SequenceTable(const bamba_rt_model &model, uint32_t slots, uint64_t pages)
    : numSlots(slots), pageTokens(model.page_tokens), maxPages(model.max_pages), stateRing(model.state_ring),
      hasSlotStates(stateBytes(model, BAMBA_RT_STATE_SLOT) > 0), numPages(pages), freeSlots(slots, "the slot list"),
      freePageNumbers(pages, "the page list"), entries(slots, "the sequence table"),
      pageNumbers(checkedMul(slots, maxPages, "the page table"), "the page table"), pageUsers(pages, "the page list") {}

bamba_sequence SequenceTable::create() {
  if (!canCreate())
    fail(BAMBA_EXHAUSTED, "expected a free slot for a sequence, found all {} in use", numSlots);
  bamba_sequence sequence = freeSlots.take().number;
  Entry &entry = entries[sequence];
  entry.numPages = 0;
  entry.pagesVersion = ++lastVersion;
  entry.alive = true;
  clear(sequence);
  return sequence;
}

void SequenceTable::clear(bamba_sequence sequence) {
  entries[sequence].tokens = {};
  entries[sequence].stale = entries[sequence].written;
}

void SequenceTable::free(bamba_sequence sequence) {
  dropPages(sequence, 0);
  entries[sequence].alive = false;
  freeSlots.give(sequence);
}

void SequenceTable::expectAlive(bamba_sequence sequence) const {
  if (sequence >= numSlots || !entries[sequence].alive)
    fail(BAMBA_NOT_FOUND, "expected a sequence of this session, found the number {}", sequence);
}

NumberPool::Taken SequenceTable::addPage(bamba_sequence sequence) {
  NumberPool::Taken page = freePageNumbers.take();
  entries[sequence].pagesVersion = ++lastVersion;
  pageNumbers[size_t{sequence} * maxPages + entries[sequence].numPages++] = static_cast<int32_t>(page.number);
  pageUsers[page.number] = 1;
  return page;
}

void SequenceTable::sharePage(bamba_sequence sequence, uint32_t page) {
  entries[sequence].pagesVersion = ++lastVersion;
  pageNumbers[size_t{sequence} * maxPages + entries[sequence].numPages++] = static_cast<int32_t>(page);
  ++pageUsers[page];
}

SequenceTable::Replaced SequenceTable::replaceSharedPage(bamba_sequence sequence) {
  int32_t &page = pageNumbers[size_t{sequence} * maxPages + length(sequence) / pageTokens];
  auto before = static_cast<uint32_t>(page);
  uint32_t now = freePageNumbers.take().number;
  entries[sequence].pagesVersion = ++lastVersion;
  --pageUsers[before];
  pageUsers[now] = 1;
  page = static_cast<int32_t>(now);
  return {before, now};
}

uint64_t SequenceTable::ownPages(bamba_sequence sequence) const {
  return static_cast<uint64_t>(std::ranges::count_if(pages(sequence), [&](int32_t page) { return users(page) == 1; }));
}

void SequenceTable::dropPages(bamba_sequence sequence, uint64_t count) {
  Entry &entry = entries[sequence];
  entry.pagesVersion = ++lastVersion;
  while (entry.numPages > count) {
    int32_t page = pageNumbers[size_t{sequence} * maxPages + --entry.numPages];
    if (--users(page) == 0)
      freePageNumbers.give(static_cast<uint32_t>(page));
  }
}

void SequenceTable::appendDecoded(bamba_sequence sequence) {
  Tokens &tokens = entries[sequence].tokens;
  ++tokens.count;
  tokens.pending = (tokens.pending + 1) % stateRing;
}

void SequenceTable::appendRun(bamba_sequence sequence, uint32_t count) {
  Tokens &tokens = entries[sequence].tokens;
  tokens = {tokens.count + count, 0};
}

uint32_t SequenceTable::mostDropped(bamba_sequence sequence) const {
  const Tokens &tokens = entries[sequence].tokens;
  return hasSlotStates ? tokens.pending : tokens.count;
}

void SequenceTable::drop(bamba_sequence sequence, uint32_t count) {
  Tokens &tokens = entries[sequence].tokens;
  tokens = {tokens.count - count, hasSlotStates ? tokens.pending - count : 0};
  dropPages(sequence, pagesFor(tokens.count));
}

void SequenceTable::expectFreePages(uint64_t count) const {
  if (count > freePages())
    fail(BAMBA_EXHAUSTED, "expected {} free KV pages, found {} of {}", count, freePages(), numPages);
}

} // namespace bambac::rt
