// A session: the sequences of one user of a model, and the memory and threads to run them.
#ifndef BAMBA_RUNTIME_SESSION_SESSION_H
#define BAMBA_RUNTIME_SESSION_SESSION_H

#include "runtime/device/device.h"
#include "runtime/model/model.h"
#include "runtime/session/results.h"
#include "runtime/session/scheduler.h"
#include "runtime/session/sequence_table.h"
#include "runtime/session/state_blob.h"
#include "runtime/session/state_pool.h"
#include "runtime/session/step_inputs.h"
#include "runtime/support/memory.h"
#include <functional>

namespace bambac::rt {

/// How large a session is; zero means the default of bamba_session_options.
struct SessionSize {
  uint32_t slots = 0;
  uint32_t threads = 0;
  uint64_t pages = 0;
  void *stream = nullptr; ///< the caller's CUstream; null: the session's own

  /// The same with defaults filled in. Throws Error BAMBA_INVALID_ARGUMENT for numbers that no session can have.
  SessionSize resolved(const bamba_rt_model &model) const;
};

/// Owns its states and scratch, and its threads or its place on a device. Used by one thread at a time; sessions of one
/// model are independent of each other. The model must outlive it. Everything is allocated in the constructor, but for
/// what a batch needs that asks for more logits than one a slot, and for what Results says. A function that throws
/// leaves the sequences as they were, unless the status is BAMBA_DEVICE_ERROR; no slot and no page is lost then either.
class Session {
public:
  /// Throws Error BAMBA_NOT_READY, BAMBA_INVALID_ARGUMENT, BAMBA_OUT_OF_MEMORY; std::system_error for a thread refused.
  Session(const Model &model, SessionSize wanted);
  ~Session();

  /// Throws Error BAMBA_INVALID_ARGUMENT unless a batch can have as many items.
  void expectBatchSize(size_t items) const;

  /// As bamba_session_run. Throws Error BAMBA_INVALID_ARGUMENT, BAMBA_NOT_FOUND, BAMBA_OUT_OF_RANGE, BAMBA_EXHAUSTED,
  /// BAMBA_OUT_OF_MEMORY before anything has changed. On a stream of the caller's the results may still be on their
  /// way; the functions that return them wait.
  void run(std::span<const bamba_batch_item> items);

  /// Takes the memory for launch(). Throws Error BAMBA_OUT_OF_MEMORY.
  void prepareToLaunch();

  /// Tells the device to run a batch as run() does, and leaves the rest to collect(). A batch may be launched before
  /// the one before it is collected; a token of -1 - i, alone in its item, is then the one drawn after item i of that
  /// batch, which need not be known yet. Keeps no logits. Throws what run() throws.
  void launch(std::span<const bamba_batch_item> items);

  /// Waits for the first batch that was launched and not collected, whose tokens can be read until the next call. The
  /// host runs batches at once: there it waits for nothing.
  void collect();

  /// Forgets what was launched and not collected.
  void abandon() noexcept;

  /// Batches that were launched and not collected: at most two.
  unsigned numLaunched() const { return launched; }

  /// As bamba_session_profile: calls `report` for each launch, all but struct_size filled in. `repeats` is at least 1.
  /// Throws what run() throws.
  void profile(std::span<const bamba_batch_item> items, unsigned repeats,
               const std::function<void(const bamba_launch_time &)> &report);

  /// Of item `item` of the last run. Throws Error BAMBA_NOT_READY, also for an item that keeps no logits, or
  /// BAMBA_INVALID_ARGUMENT.
  std::span<const float> logits(size_t item) const;
  /// Throws Error BAMBA_NOT_A_NUMBER too.
  int32_t greedy(size_t item) const;
  /// The token after row `row` of an item's logits. Throws what greedy() throws, and BAMBA_INVALID_ARGUMENT for no such
  /// row.
  bamba_sample sample(size_t item, size_t row) const;
  uint32_t vocabSize() const { return table.vocab_size; }
  /// True where a batch is done when run() or launch() returns.
  bool runsAtOnce() const { return device->isHost(); }

  bamba_sequence create();
  void free(bamba_sequence sequence);
  bamba_sequence fork(bamba_sequence source);
  void reset(bamba_sequence sequence);
  uint32_t length(bamba_sequence sequence) const;
  /// As bamba_sequence_get_rollback and bamba_sequence_truncate. The latter throws Error BAMBA_OUT_OF_RANGE too.
  uint32_t mostDropped(bamba_sequence sequence) const;
  void truncate(bamba_sequence sequence, uint32_t tokens);

  /// Pages of the session; those of a sequence, in the order of its tokens; those that nobody has; those that `tokens`
  /// tokens take and those that they fill; those that a sequence would take for more tokens; the most tokens that it
  /// can take with no more than some new pages.
  uint64_t numPages() const { return size.pages; }
  std::span<const int32_t> pages(bamba_sequence sequence) const;
  uint64_t freePages() const { return sequences.freePages(); }
  uint64_t pagesFor(uint64_t tokens) const { return sequences.pagesFor(tokens); }
  uint64_t fullPages(uint64_t tokens) const { return table.page_tokens ? tokens / table.page_tokens : 0; }
  uint64_t newPages(bamba_sequence sequence, uint32_t tokens) const;
  uint32_t tokensFor(bamba_sequence sequence, uint64_t pages) const;

  /// Bytes that save() writes now.
  size_t savedBytes(bamba_sequence sequence) const;

  /// `blob` has savedBytes(sequence) bytes.
  void save(bamba_sequence sequence, std::span<std::byte> blob) const;
  void restore(bamba_sequence sequence, std::span<const std::byte> blob);

private:
  /// What is known of a batch: its rows of logits among all, and the tokens of each item whose log-probabilities are
  /// wanted, 1 more where there are any.
  struct Rows {
    uint64_t first, count;
  };
  struct Batch {
    size_t items = 0;
    std::vector<Rows> rows;
    std::vector<uint8_t> bestWanted;
  };

  /// Runs a batch; `execute` does what a step is there for.
  template <typename Execute>
  void runSteps(std::span<const bamba_batch_item> items, bool isLaunch, const Execute &execute);
  template <typename Execute> void walkSteps(std::span<const bamba_batch_item> items, const Execute &execute);
  void reserveFor(std::span<const bamba_batch_item> items, bool isLaunch);
  void note(std::span<const bamba_batch_item> items);
  void copyTokens(const Step &step, std::span<const bamba_batch_item> items);
  void checkBatch(std::span<const bamba_batch_item> items);
  void checkItem(size_t index, const bamba_batch_item &item);
  void checkTokens(size_t index, const bamba_batch_item &item) const;
  const Rows &expectLogits(size_t item) const;
  void expectSequence(bamba_sequence sequence) const;
  void addPages(const bamba_batch_item &item);
  void clearSlots(std::span<const bamba_batch_item> items);
  Buffers buffers(const StepBuffers &step) const;

  const Weights &weights;
  const bamba_rt_model &table;
  SessionSize size;
  StateShape shape;
  std::unique_ptr<Device> device;
  SequenceTable sequences;
  StatePool states;
  DeviceMemory arena;
  Scheduler scheduler;
  StepInputs inputs;
  mutable Results results; ///< fetches logits when they are asked for
  std::unique_ptr<Executor> executor;
  Batch batches[Results::numPlaces];
  unsigned newest = 0, readable = 0; ///< places of the last batch, and of the one that is read
  unsigned launched = 0;             ///< batches that were not collected
  std::vector<bamba_sequence> stale; ///< of a batch, those whose slots are zeroed before it
  uint64_t checked = 0;              ///< batches that were
  LazyArray<uint64_t> lastBatchSeen; ///< of each sequence: finds one that a batch names twice
};

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_SESSION_SESSION_H
