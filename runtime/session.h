// A session: the sequences of one user of a model, and the memory and threads to run them.
#ifndef BAMBA_RUNTIME_SESSION_H
#define BAMBA_RUNTIME_SESSION_H

#include "runtime/interpreter.h"
#include "runtime/model.h"
#include "runtime/results.h"
#include "runtime/scheduler.h"
#include "runtime/sequence_table.h"
#include "runtime/state_blob.h"
#include "runtime/state_pool.h"
#include "runtime/step_inputs.h"
#include "runtime/thread_pool.h"

namespace bambac::rt {

/// How large a session is; zero means the default of bamba_session_options.
struct SessionSize {
  uint32_t slots = 0;
  uint32_t threads = 0;
  uint64_t pages = 0;

  /// The same with defaults filled in. Throws Error BAMBA_INVALID_ARGUMENT for numbers that no session can have.
  SessionSize resolved(const bamba_rt_model &model) const;
};

/// Owns its threads, states and scratch. Used by one thread at a time; sessions of one model are independent of each
/// other. The model must outlive it. Everything is allocated in the constructor, but for the rows of a batch that asks
/// for more logits than one a slot. A function that throws leaves the sequences as they were.
class Session {
public:
  /// Throws Error BAMBA_NOT_READY, BAMBA_INVALID_ARGUMENT, BAMBA_OUT_OF_MEMORY; std::system_error for a thread refused.
  Session(const Model &model, SessionSize size);

  /// As bamba_session_run. Throws Error BAMBA_INVALID_ARGUMENT, BAMBA_NOT_FOUND, BAMBA_OUT_OF_RANGE, BAMBA_EXHAUSTED,
  /// BAMBA_OUT_OF_MEMORY before anything has changed.
  void run(std::span<const bamba_batch_item> items);

  /// Of item `item` of the last run. Throws Error BAMBA_NOT_READY or BAMBA_INVALID_ARGUMENT.
  std::span<const float> logits(size_t item) const;
  int32_t greedy(size_t item) const;

  bamba_sequence create();
  void free(bamba_sequence sequence);
  bamba_sequence fork(bamba_sequence source);
  void reset(bamba_sequence sequence);
  uint32_t length(bamba_sequence sequence) const;

  /// Bytes that save() writes now.
  size_t savedBytes(bamba_sequence sequence) const;

  /// `blob` has savedBytes(sequence) bytes.
  void save(bamba_sequence sequence, std::span<std::byte> blob) const;
  void restore(bamba_sequence sequence, std::span<const std::byte> blob);

private:
  void checkBatch(std::span<const bamba_batch_item> items);
  void checkItem(size_t index, const bamba_batch_item &item);
  void expectRun(size_t item) const;
  void clearIfDirty(bamba_sequence sequence);
  Buffers buffers(const Model &model) const;

  const bamba_rt_model &table;
  SessionSize size;
  StateShape shape;
  ThreadPool threads;
  SequenceTable sequences;
  StatePool states;
  Region arena;
  StepInputs inputs;
  Scheduler scheduler;
  Results results;
  Interpreter interpreter;
  size_t itemsRun = 0;
  uint64_t batches = 0;              ///< batches that were checked
  LazyArray<uint64_t> lastBatchSeen; ///< of each sequence: finds one that a batch names twice
};

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_SESSION_H
