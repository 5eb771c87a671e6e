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

/// Tokens [first, first + count) of one item: a piece of a step.
struct Lane {
  uint32_t item;
  uint32_t first;
  uint32_t count;
};

/// A row of a step whose logits are kept, and the item that it belongs to.
struct KeptRow {
  int32_t row;
  uint32_t item;
};

/// One run of an entry point. `lanes` and `kept` are valid until the next step.
struct Step {
  const bamba_rt_entry *entry;
  std::span<const Lane> lanes;
  std::span<const KeptRow> kept; ///< none of a decode step, which keeps all rows
  uint64_t logitsRow;            ///< where the step's first row of logits belongs among the rows of the batch
  uint32_t logitsRows; ///< rows that belong to the batch, none where no logits are kept; what follows is padding

  /// True where the step leaves nothing among the step's logits, not even padding.
  bool writesNoLogits() const { return entry->kind != BAMBA_RT_DECODE && kept.empty(); }
};

/// Throws Error BAMBA_INVALID_ARGUMENT where item number `index` wants rows of logits that it does not have.
void checkLogits(size_t index, const bamba_batch_item &item);

/// Rows of an entry point.
inline uint32_t rowsOf(const bamba_rt_entry &entry) {
  return entry.kind == BAMBA_RT_DECODE ? entry.batch : entry.chunk;
}

/// Walks a batch in as few steps as it can.
///
/// The cost of a step, apart from the states and keys that its tokens need in any step, is that of its rows in tiles,
/// but never less than that of reading all weights once: max(weight_rows, rows rounded up to row_tile), as the library
/// says. So pieces of prompts share steps as far as there is room. Single tokens join a step of prompts where this
/// costs no more than the step without them and a decode step: next to prompts their rows count, and a write of their
/// states, which a ring would have saved. Of Bamba-9B on an H100 a state of 122 MB counts 1.5 rows.
///
/// A prompt is cut as if it were alone, into as many rows as the largest entry point has and a rest: where it is cut
/// does not depend on the others. Pieces go into the first step with room for them, in the order of the batch; single
/// tokens, which come first in a step, into what room is left, or all into decode steps. A step takes the entry point
/// with the fewest rows that holds it.
///
/// Items that keep other logits than those after their last token follow, one by one in chunks, each of which ends
/// before a token whose logits it has no room to keep. A model without prefill entries decodes token by token.
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

  /// Pieces of a step that may be there at most, in batches of as many sequences, padding of decode steps included.
  uint64_t mostLanes(uint64_t sequences) const;

  /// Rows of logits that steps write, padding included, in batches of as many sequences that keep a row each.
  uint64_t leastStepRows(uint64_t sequences) const;

  /// Rows of logits that the largest step of a batch writes, padding included.
  uint64_t mostStepRows(std::span<const bamba_batch_item> items) const;

  /// Starts a batch; the items must stay in place until the last step.
  void begin(std::span<const bamba_batch_item> items);

  /// The next step; false when all are done.
  bool next(Step &step);

  /// Rows of logits that one item of the batch keeps, and the first of them, which is known after the last step.
  uint64_t numRows(size_t item) const { return progress[item].numRows; }
  uint64_t firstRow(size_t item) const { return progress[item].firstRow; }

private:
  struct Progress {
    uint64_t firstRow, numRows;
    uint64_t keptDone; ///< of its rows of logits, those that have had their step
    uint32_t done;     ///< tokens that have
  };

  bool nextPacked(Step &step);
  uint64_t rowsOfCost(uint64_t rows) const;
  bool joinPrompts(uint64_t prompts, uint64_t singles) const;
  uint64_t countSingles() const;
  bool nextScored(Step &step);
  void addLane(size_t item, uint32_t count);
  void place(Step &step);
  uint32_t restOf(size_t item) const { return batch[item].num_tokens - progress[item].done; }
  /// Whether a piece of so many tokens leaves the logits after the item's last one.
  bool keepsAfter(size_t item, uint32_t count) const { return restOf(item) == count && progress[item].numRows > 0; }
  const bamba_rt_entry *chunkEntry(uint64_t tokens) const;
  uint32_t tokensThatKeep(size_t item, uint64_t most) const;
  uint64_t paddedRows(uint64_t kept) const;
  uint64_t mostPieces() const { return prefills.empty() ? 0 : prefills.back()->batch; }

  std::vector<const bamba_rt_entry *> decodes, prefills; ///< each from small to large
  uint64_t mostKept = 0;                                 ///< rows of logits that a step of prompts keeps at most
  uint64_t rowTile, weightRows;
  double stateRows; ///< what a write of a state costs that a ring would have saved
  std::vector<Lane> lanes;
  std::vector<KeptRow> kept;
  LazyArray<Progress> progress;

  std::span<const bamba_batch_item> batch;
  uint64_t nextRow = 0;             ///< of logits
  size_t firstOpen = 0, scored = 0; ///< the first item that is not done; of those with steps of their own
};

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_SESSION_SCHEDULER_H
