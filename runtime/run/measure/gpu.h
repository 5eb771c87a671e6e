// The CUDA device that a model runs on, as bench uses it beside the model: a stream, timers, memory.
#ifndef BAMBAC_RUNTIME_RUN_MEASURE_GPU_H
#define BAMBAC_RUNTIME_RUN_MEASURE_GPU_H

#include "runtime/cuda/context.h"

#include <string>

namespace bambac::run {

/// Shares the device's primary context with the model. Throws std::exception with the driver's own words where the
/// device fails. Used by one thread at a time.
class Gpu {
public:
  /// `device` as bamba_model_info names it, "cuda:0"; `driver` is the name of CUDA's driver library.
  explicit Gpu(const std::string &device, const char *driver = rt::cuda::driverLibrary);

  const rt::cuda::Context &context() const { return *owner; }
  rt::cuda::StreamHandle stream() const { return own.get(); }
  unsigned multiprocessors() const { return numMultiprocessors; }

  struct Memory {
    size_t free, total;
  };
  Memory memory() const;

  /// Waits for all work in the stream.
  void finish() const;

  /// A timer that the stream passes behind all that is in it now.
  rt::cuda::Event mark() const;

  /// Seconds between two marks that were both passed.
  double secondsBetween(const rt::cuda::Event &start, const rt::cuda::Event &end) const {
    return owner->secondsBetween(start, end);
  }

  /// Seconds that the device takes for what `enqueue` puts into the stream.
  template <typename Enqueue> double time(const Enqueue &enqueue) const {
    rt::cuda::Event start = mark();
    enqueue();
    rt::cuda::Event end = mark();
    finish();
    return secondsBetween(start, end);
  }

  /// Memory of the device, full of bf16 numbers from -1 to 1: zeros would be faster than any data.
  rt::DeviceMemory makeRandom(size_t bytes, const char *what) const;

private:
  std::shared_ptr<const rt::cuda::Context> owner;
  rt::cuda::Stream own;
  unsigned numMultiprocessors = 0;
};

} // namespace bambac::run

#endif // BAMBAC_RUNTIME_RUN_MEASURE_GPU_H
