// What a batch leaves behind to be read: rows of logits and greedy tokens.
#ifndef BAMBA_RUNTIME_RESULTS_H
#define BAMBA_RUNTIME_RESULTS_H

#include "runtime/abi.h"
#include "runtime/interpreter.h"
#include "runtime/memory.h"
#include "runtime/scheduler.h"
#include <cstdint>
#include <span>

namespace bambac::rt {

/// Owns the rows of the last batch. Kernels write a step's logits straight to their rows where those are aligned, else
/// to a buffer beside them. Used by one thread at a time. Allocates only in the constructor and where reserve() has to
/// grow.
class Results {
public:
  /// Room for `rows` rows from the start. Throws Error BAMBA_OUT_OF_MEMORY.
  Results(const bamba_rt_model &model, uint64_t rows);

  /// Makes room for a batch of `rows` rows. Throws Error BAMBA_OUT_OF_MEMORY and leaves the rows as they were; where it
  /// succeeds the old ones may be gone.
  void reserve(uint64_t rows);

  /// Before a step: where its outputs go.
  void direct(const Step &step, Interpreter &interpreter);

  /// After a step: takes in what went to the buffers beside the rows.
  void collect(const Step &step);

  const float *logits(uint64_t row) const { return &rowLogits[row * vocab]; }
  int32_t greedy(uint64_t row) const { return rowGreedy[row]; }

  /// Addresses for a step that was not directed yet.
  void *stepLogits() const { return besideLogits.data(); }
  void *stepGreedy() const { return besideGreedy.data(); }

private:
  bool inPlace(const Step &step) const;

  uint64_t vocab, rows = 0;
  LazyArray<float> rowLogits, besideLogits;
  LazyArray<int32_t> rowGreedy, besideGreedy;
};

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_RESULTS_H
