// Which sequences are alive in a session, how long they are, and which slot and KV pages belong to each.
#ifndef BAMBA_RUNTIME_SESSION_SEQUENCE_TABLE_H
#define BAMBA_RUNTIME_SESSION_SEQUENCE_TABLE_H

#include "runtime/contract/abi.h"
#include "runtime/include/bamba/bamba.h"
#include "runtime/support/memory.h"
#include <cstdint>
#include <span>

namespace bambac::rt {

/// Hands out the numbers below `capacity`. Costs memory only for numbers that were in use at the same time.
class NumberPool {
public:
  struct Taken {
    uint32_t number;
    bool used; ///< it was handed out before
  };

  NumberPool(uint64_t capacity, const char *what) : capacity(capacity), returned(capacity, what) {}

  uint64_t available() const { return capacity - fresh + numReturned; }

  /// Only where one is available.
  Taken take() {
    if (numReturned > 0)
      return {returned[--numReturned], true};
    return {static_cast<uint32_t>(fresh++), false};
  }

  void give(uint32_t number) { returned[numReturned++] = number; }

private:
  uint64_t capacity, fresh = 0, numReturned = 0;
  LazyArray<uint32_t> returned;
};

/// The book-keeping of sequences; their memory is StatePool's. A sequence's number is its slot. Sequences with the same
/// beginning can share pages. Used by one thread at a time. Nothing here allocates after the constructor.
class SequenceTable {
public:
  /// For sequences of `model`. Throws Error BAMBA_OUT_OF_MEMORY.
  SequenceTable(const bamba_rt_model &model, uint32_t slots, uint64_t pages);

  uint32_t slots() const { return numSlots; }
  uint64_t freePages() const { return freePageNumbers.available(); }

  /// Pages that `tokens` tokens take; none in a model without attention.
  uint64_t pagesFor(uint64_t tokens) const { return pageTokens ? (tokens + pageTokens - 1) / pageTokens : 0; }

  /// A new sequence of length 0. Throws Error BAMBA_EXHAUSTED.
  bamba_sequence create();
  bool canCreate() const { return freeSlots.available() > 0; }

  /// Gives slot and pages back.
  void free(bamba_sequence sequence);

  /// Throws Error BAMBA_NOT_FOUND where there is no such sequence.
  void expectAlive(bamba_sequence sequence) const;

  /// Tokens that a sequence holds.
  struct Tokens {
    uint32_t count;
    uint32_t pending; ///< of them, that wait in rings and not in the SSM states yet
  };
  Tokens tokens(bamba_sequence sequence) const { return entries[sequence].tokens; }
  uint32_t length(bamba_sequence sequence) const { return entries[sequence].tokens.count; }
  void setTokens(bamba_sequence sequence, Tokens tokens) { entries[sequence].tokens = tokens; }

  /// After a step with one token of the sequence (a decode step), or with a run of them.
  void appendDecoded(bamba_sequence sequence);
  void appendRun(bamba_sequence sequence, uint32_t count);

  /// How many of the last tokens can be dropped: those that wait, or all where there is no state that could hold them.
  uint32_t mostDropped(bamba_sequence sequence) const;

  /// Drops the last tokens, at most mostDropped(), and the pages that only they have.
  void drop(bamba_sequence sequence, uint32_t count);

  /// Makes the sequence an empty one, without its pages.
  void clear(bamba_sequence sequence);

  /// True where an empty sequence's slot has what was written before it was created or reset: it counts as zero, and
  /// must be before a kernel reads it.
  bool isStale(bamba_sequence sequence) const { return entries[sequence].stale; }

  /// The slot's memory is zero; kernels or a copy may write all of it from now on.
  void setZeroed(bamba_sequence sequence) { entries[sequence].written = entries[sequence].stale = false; }
  void setWritten(bamba_sequence sequence) {
    entries[sequence].written = true;
    entries[sequence].stale = false;
  }

  /// The pages in the order of the tokens.
  std::span<const int32_t> pages(bamba_sequence sequence) const {
    return {pageNumbers.data() + size_t{sequence} * maxPages, entries[sequence].numPages};
  }

  /// Pages that the sequence takes for `tokens` more tokens, which are not none.
  uint64_t newPages(bamba_sequence sequence, uint64_t tokens) const {
    return pagesFor(length(sequence) + tokens) - pages(sequence).size() + writesToSharedPage(sequence);
  }

  /// True where the next token belongs into a page that other sequences have too.
  bool writesToSharedPage(bamba_sequence sequence) const {
    uint32_t tokens = length(sequence);
    return pageTokens > 0 && tokens % pageTokens != 0 && users(pages(sequence)[tokens / pageTokens]) > 1;
  }

  /// Pages that no other sequence has.
  uint64_t ownPages(bamba_sequence sequence) const;

  /// A number above 0 that changes whenever the sequence's pages do, and that no other sequence ever has.
  uint64_t pagesVersion(bamba_sequence sequence) const { return entries[sequence].pagesVersion; }

  /// Appends a page; only where one is free and the sequence has fewer than the most.
  NumberPool::Taken addPage(bamba_sequence sequence);

  /// Appends a page that another sequence has. Both may read it; who writes to it must take another in its place first.
  void sharePage(bamba_sequence sequence, uint32_t page);

  /// Takes a page in the place of the one that the next token belongs into; only where one is free.
  struct Replaced {
    uint32_t before, now;
  };
  Replaced replaceSharedPage(bamba_sequence sequence);

  /// Gives up all pages but the first `count`; a page is free when nobody has it.
  void dropPages(bamba_sequence sequence, uint64_t count);

  /// Throws Error BAMBA_EXHAUSTED where fewer than `count` pages are free.
  void expectFreePages(uint64_t count) const;

private:
  uint32_t &users(int32_t page) const { return pageUsers[static_cast<size_t>(page)]; }

  struct Entry {
    Tokens tokens;
    uint32_t numPages;
    uint64_t pagesVersion;
    bool alive;
    bool written; ///< the slot's memory, since it was last zeroed
    bool stale;
  };

  uint32_t numSlots, pageTokens, maxPages, stateRing;
  bool hasSlotStates;
  uint64_t numPages, lastVersion = 0;
  NumberPool freeSlots, freePageNumbers;
  LazyArray<Entry> entries;
  LazyArray<int32_t> pageNumbers; ///< [slots, maxPages]
  LazyArray<uint32_t> pageUsers;  ///< of each page, how many sequences have it
};

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_SESSION_SEQUENCE_TABLE_H
