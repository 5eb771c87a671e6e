#include "runtime/session/sequence_table.h"
#include "runtime/support/error.h"

namespace bambac::rt {

SequenceTable::SequenceTable(uint32_t slots, uint64_t pages, uint32_t pageTokens, uint32_t maxPages)
    : numSlots(slots), pageTokens(pageTokens), maxPages(maxPages), numPages(pages), freeSlots(slots, "the slot list"),
      freePageNumbers(pages, "the page list"), entries(slots, "the sequence table"),
      pageNumbers(checkedMul(slots, maxPages, "the page table"), "the page table") {}

bamba_sequence SequenceTable::create() {
  if (!canCreate())
    fail(BAMBA_EXHAUSTED, "expected a free slot for a sequence, found all {} in use", numSlots);
  bamba_sequence sequence = freeSlots.take().number;
  Entry &entry = entries[sequence];
  entry.length = entry.numPages = 0;
  entry.pagesVersion = ++lastVersion;
  entry.alive = true;
  return sequence;
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
  return page;
}

void SequenceTable::dropPages(bamba_sequence sequence, uint64_t count) {
  Entry &entry = entries[sequence];
  entry.pagesVersion = ++lastVersion;
  while (entry.numPages > count)
    freePageNumbers.give(static_cast<uint32_t>(pageNumbers[size_t{sequence} * maxPages + --entry.numPages]));
}

void SequenceTable::expectFreePages(uint64_t count) const {
  if (count > freePages())
    fail(BAMBA_EXHAUSTED, "expected {} free KV pages, found {} of {}", count, freePages(), numPages);
}

} // namespace bambac::rt
