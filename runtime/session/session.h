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
  /// Runs a batch; `execute` does what a step is there for.
  template <typename Execute> void runSteps(std::span<const bamba_batch_item> items, const Execute &execute);
  template <typename Execute> void walkSteps(std::span<const bamba_batch_item> items, const Execute &execute);
  void reserveFor(std::span<const bamba_batch_item> items);
  void checkBatch(std::span<const bamba_batch_item> items);
  void checkItem(size_t index, const bamba_batch_item &item);
  void expectLogits(size_t item) const;
  void expectSequence(bamba_sequence sequence) const;
  void addPages(const bamba_batch_item &item);
  void clearIfDirty(bamba_sequence sequence);
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
  size_t itemsRun = 0;
  std::vector<uint8_t> bestWanted; ///< tokens of each item of the last batch, 1 more where log-probabilities are wanted
  uint64_t batches = 0;            ///< batches that were checked
  LazyArray<uint64_t> lastBatchSeen; ///< of each sequence: finds one that a batch names twice
};

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_SESSION_SESSION_H
