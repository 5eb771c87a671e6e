// The results of batches: rows of logits, and tokens.
#ifndef BAMBA_RUNTIME_SESSION_RESULTS_H
#define BAMBA_RUNTIME_SESSION_RESULTS_H

#include "runtime/contract/abi.h"
#include "runtime/contract/sampling.h"
#include "runtime/device/device.h"
#include "runtime/session/scheduler.h"
#include <cstdint>
#include <span>

namespace bambac::rt {

/// What kernels write the results of a step to, where not in place.
struct StepBuffers {
  uint64_t rows = 0; ///< of logits
  DeviceMemory logits, greedy, samples;
};

/// What a batch is there for.
struct BatchUse {
  bool isSampled = false;   ///< tokens are drawn that may not be the greedy ones
  bool keepsLogits = true;  ///< which can be read until the next batch
  bool keepsTokens = false; ///< on the device, for the batch that follows
};

/// Owns the rows of logits of the last batch, and the tokens of two: those of one can be read while the next one runs,
/// where their places alternate. On a host device kernels write a step's logits straight to their rows where those
/// are aligned, else to the step's buffer. On other devices they always write to that buffer, whose rows are copied to
/// their places only when another step needs it, and logits come to the host only when they are asked for. Used by one
/// thread at a time. Allocates in the constructor, where begin() or use() have to make room, and for the first logits
/// that are fetched from a device. `device` must outlive it.
class Results {
public:
  /// Room for `rows` rows, and `stepRows` in a step, from the start. Throws Error BAMBA_OUT_OF_MEMORY.
  Results(const bamba_rt_model &model, uint64_t rows, uint64_t stepRows, Device &device);

  /// Buffers for steps of as many rows. Throws Error BAMBA_OUT_OF_MEMORY.
  StepBuffers makeStepBuffers(uint64_t rows) const;

  /// Takes buffers of at least as many rows for all steps from now on. Throws Error BAMBA_OUT_OF_MEMORY and leaves all
  /// as it was.
  void use(StepBuffers larger);
  const StepBuffers &stepBuffers() const { return step; }

  /// The places of batches.
  static constexpr unsigned numPlaces = Device::numBatchMarks;

  /// Room in both places for batches of as many rows as there is room for logits. Throws Error BAMBA_OUT_OF_MEMORY.
  void makeRoomToAlternate();

  /// Starts a batch of `rows` rows in a place: makes room for them; what was there is gone, and so are logits. Throws
  /// Error BAMBA_OUT_OF_MEMORY and leaves the rows as they were.
  void begin(unsigned place, uint64_t rows, const BatchUse &use);

  /// Before a step: where its outputs go.
  void direct(const Step &next, Executor &executor);

  /// After a step: takes in what went to the step's buffers.
  void collect(const Step &done);

  /// After the steps of a batch that keeps tokens; waitFor() returns when it is done.
  void mark();
  void waitFor(unsigned place);

  /// Waits until all that was collected is there.
  void settle();

  /// Copies tokens that the batch in `place` has drawn after its rows from `first` on, on the device.
  void copyTokens(unsigned place, uint64_t first, size_t count, int32_t *to);

  /// `count` rows from `first` on, in host memory. Throws Error BAMBA_OUT_OF_MEMORY or BAMBA_DEVICE_ERROR.
  const float *logits(uint64_t first, uint64_t count);
  /// The column of the largest logit, or -1 where one is not a number.
  int32_t greedy(unsigned place, uint64_t row);
  /// What was drawn after a row: the greedy token where the batch was not sampled.
  const bamba_rt_sample &sample(unsigned place, uint64_t row);

private:
  /// Some of the batch's rows.
  struct Rows {
    uint64_t first, count;
  };

  /// The tokens of a batch, in host memory.
  struct Tokens {
    uint64_t rows = 0; ///< that there is room for
    DeviceMemory greedy;
    DeviceMemory samples;  ///< null until a batch is sampled
    DeviceMemory onDevice; ///< null unless places alternate
    BatchUse use;
    bool settled = true;
  };

  /// Room for the logits of `wanted` rows, where steps write `stepRows`.
  void reserve(uint64_t wanted, uint64_t stepRows);
  Tokens makeRoom(Tokens tokens, uint64_t wanted, const BatchUse &use) const;
  bool inPlace(const Step &next) const;
  std::byte *logitsRow(uint64_t row) const { return rowLogits.get() + row * rowBytes; }
  void fetch(uint64_t first, uint64_t count);

  Device &device;
  uint64_t rowBytes, greedyRows, rows = 0;
  StepBuffers step;
  DeviceMemory rowLogits;
  DeviceMemory hostLogits; ///< copies of rows that were asked for; null until then, and on a host device
  Tokens places[numPlaces];
  unsigned current = 0;              ///< the place of the last batch
  bamba_rt_sample greedySample = {}; ///< of the row that was asked for last
  Rows unplaced = {0, 0};            ///< those that are still in the step's buffer
};

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_SESSION_RESULTS_H
