// Splits a batch into steps: which entry point runs which tokens of which items, and where their logits go.
#ifndef BAMBA_RUNTIME_SESSION_SCHEDULER_H
#define BAMBA_RUNTIME_SESSION_SCHEDULER_H

#include "runtime/contract/abi.h"
#include "runtime/include/bamba/bamba.h"
#include "runtime/support/memory.h"
#include <cstdint>
#include <span>
#include <vector>

namespace bambac::rt {

/// Tokens [first, first + count) of one item: one sequence of a step.
struct Lane {
  uint32_t item;
  uint32_t first;
  uint32_t count;
};

/// One run of an entry point. `lanes` is valid until the next step.
struct Step {
  const bamba_rt_entry *entry;
  std::span<const Lane> lanes;
  std::span<const int32_t> kept; ///< rows of the step whose logits are kept, as a chunk is told; none of a decode step
  uint64_t logitsRow;            ///< where the step's first row of logits belongs among the rows of the batch
  uint32_t logitsRows; ///< rows that belong to the batch, none where no logits are kept; what follows is padding

  /// True where the step leaves nothing among the step's logits, not even padding.
  bool writesNoLogits() const { return entry->kind != BAMBA_RT_DECODE && kept.empty(); }
};

/// Throws Error BAMBA_INVALID_ARGUMENT where item number `index` wants rows of logits that it does not have.
void checkLogits(size_t index, const bamba_batch_item &item);

/// Walks a batch. Items of one token come first and are decoded together, in the smallest bucket that holds what is
/// left of them, or else the largest. Longer items follow one by one in chunks: the smallest that holds the rest, or
/// else the largest; a rest of one token is decoded. A chunk ends before a token whose logits it has no room to keep. A
/// model without chunk entries decodes token by token.
///
/// Rows of logits are numbered in the order of the steps, so that a step's padding rows fall only on rows that are not
/// yet computed. Nothing here allocates after the constructor.
class Scheduler {
public:
  /// For batches of at most `maxItems` items. `model` must outlive it. Throws Error BAMBA_OUT_OF_MEMORY.
  Scheduler(const bamba_rt_model &model, uint32_t maxItems);

  /// Rows of logits that a batch needs room for.
  static uint64_t countRows(std::span<const bamba_batch_item> items);

  /// The entry that decodes as many sequences at a time, or the largest.
  const bamba_rt_entry *decodeEntry(uint64_t sequences) const;

  /// Rows of logits that steps write, padding included, in batches of as many sequences that keep a row each.
  uint64_t leastStepRows(uint64_t sequences) const;

  /// Rows of logits that the largest step of a batch writes, padding included.
  uint64_t mostStepRows(std::span<const bamba_batch_item> items) const;

  /// Starts a batch; the items must stay in place until the last step.
  void begin(std::span<const bamba_batch_item> items);

  /// The next step; false when all are done.
  bool next(Step &step);

  /// Rows of logits that one item of the batch keeps, and the first of them.
  uint64_t numRows(size_t item) const { return rows[item].count; }
  uint64_t firstRow(size_t item) const { return rows[item].first; }

private:
  struct Rows {
    uint64_t first, count;
  };

  bool nextDecode(Step &step);
  bool nextChunk(Step &step);
  const bamba_rt_entry *chunkEntry(uint64_t tokens) const;
  uint32_t tokensThatKeep(uint64_t most) const;
  uint64_t paddedRows(uint64_t kept) const;

  std::vector<const bamba_rt_entry *> decodes, prefills; ///< each from small to large
  uint64_t mostKept = 0;                                 ///< rows of logits that a chunk keeps at most
  std::vector<Lane> lanes;
  std::vector<int32_t> kept;
  LazyArray<Rows> rows;

  std::span<const bamba_batch_item> batch;
  uint64_t singles = 0, singlesDone = 0; ///< items of one token
  size_t item = 0;                       ///< the next to look at
  uint32_t done = 0;                     ///< tokens of it that have had their step
  uint64_t keptDone = 0;                 ///< of its rows of logits, those that have
};

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_SESSION_SCHEDULER_H
