// The results of a batch: rows of logits and greedy tokens.
#ifndef BAMBA_RUNTIME_SESSION_RESULTS_H
#define BAMBA_RUNTIME_SESSION_RESULTS_H

#include "runtime/contract/abi.h"
#include "runtime/device/device.h"
#include "runtime/session/scheduler.h"
#include <cstdint>
#include <span>

namespace bambac::rt {

/// Owns the rows of the last batch. On a host device kernels write a step's logits straight to their rows where those
/// are aligned, else to the step's buffer. On other devices they always write to that buffer, whose rows are copied to
/// their places only when another step needs it, and logits come to the host only when they are asked for. Used by one
/// thread at a time. Allocates in the constructor, where begin() has to make room, and for the first logits that are
/// fetched from a device. `device` must outlive it.
class Results {
public:
  /// Room for `rows` rows from the start. Throws Error BAMBA_OUT_OF_MEMORY.
  Results(const bamba_rt_model &model, uint64_t rows, Device &device);

  /// Starts a batch of `rows` rows: makes room for them; the old ones are gone. Throws Error BAMBA_OUT_OF_MEMORY and
  /// leaves the rows as they were.
  void begin(uint64_t rows);

  /// Before a step: where its outputs go.
  void direct(const Step &step, Executor &executor);

  /// After a step: takes in what went to the step's buffers.
  void collect(const Step &step);

  /// Waits until all that was collected is there.
  void settle();

  /// `count` rows from `first` on, in host memory. Throws Error BAMBA_OUT_OF_MEMORY or BAMBA_DEVICE_ERROR.
  const float *logits(uint64_t first, uint64_t count);
  /// The column of the largest logit, or -1 where one is not a number.
  int32_t greedy(uint64_t row);

  /// Addresses for a step that was not directed yet.
  void *stepLogits() const { return stepLogitsBuffer.get(); }
  void *stepGreedy() const { return stepGreedyBuffer.get(); }

private:
  /// Some of the batch's rows.
  struct Rows {
    uint64_t first, count;
  };

  void reserve(uint64_t wanted);
  bool inPlace(const Step &step) const;
  std::byte *logitsRow(uint64_t row) const { return rowLogits.get() + row * rowBytes; }
  void fetch(uint64_t first, uint64_t count);

  Device &device;
  uint64_t rowBytes, stepRows = 0, rows = 0;
  DeviceMemory rowLogits, stepLogitsBuffer, stepGreedyBuffer;
  DeviceMemory hostLogits; ///< copies of rows that were asked for; null until then, and on a host device
  DeviceMemory rowGreedy;  ///< in host memory
  Rows unplaced = {0, 0};  ///< those that are still in the step's buffer
  bool settled = true;
};

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_SESSION_RESULTS_H
