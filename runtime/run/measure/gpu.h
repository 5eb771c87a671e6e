// A CUDA device under measurement: a stream, timers and memory, independent of the model that runs there.
#ifndef BAMBAC_RUNTIME_RUN_MEASURE_GPU_H
#define BAMBAC_RUNTIME_RUN_MEASURE_GPU_H

#include "runtime/run/measure/cuda_driver.h"

#include <memory>
#include <span>
#include <string>

namespace bambac::measure {

/// Shares the device's primary context with the model, which knows nothing of it. Throws std::runtime_error with the
/// driver's own words where the device fails. What it makes must be gone before it. Used by one thread at a time.
class Gpu {
public:
  /// `device` as bamba_model_info names it, "cuda:0"; `library` is the name of CUDA's driver library.
  explicit Gpu(const std::string &device, const char *library = "libcuda.so.1");
  ~Gpu();
  Gpu(const Gpu &) = delete;
  Gpu &operator=(const Gpu &) = delete;

  const CudaDriver &driver() const { return functions; }
  const std::string &product() const { return productName; } ///< "NVIDIA H200"
  unsigned multiprocessors() const { return numMultiprocessors; }
  void *stream() const { return ownStream; }

  /// Makes the device's context current on this thread as long as it lives.
  class Current {
  public:
    explicit Current(const Gpu &gpu);
    ~Current();
    Current(const Current &) = delete;
    Current &operator=(const Current &) = delete;

  private:
    const Gpu &gpu;
  };

  struct MemoryInfo {
    size_t free, total;
  };
  MemoryInfo memory() const;

  /// Waits for all work in the stream.
  void finish() const;

  /// A moment in the stream.
  using Mark = std::shared_ptr<void>;

  /// The moment when the stream has done all that is in it now.
  Mark mark() const;

  /// Seconds between two marks that were both passed.
  double secondsBetween(const Mark &start, const Mark &end) const;

  /// Seconds that the device takes for what `enqueue` puts into the stream.
  template <typename Enqueue> double time(const Enqueue &enqueue) const {
    Mark start = mark();
    enqueue();
    Mark end = mark();
    finish();
    return secondsBetween(start, end);
  }

  /// Memory of the device, freed with its owner.
  class Buffer {
  public:
    Buffer(const Gpu &gpu, size_t bytes, const char *what);
    ~Buffer();
    Buffer(Buffer &&other) noexcept;
    Buffer &operator=(Buffer &&) = delete;

    uint64_t address() const { return start; }

  private:
    const Gpu &gpu;
    uint64_t start = 0;
  };

  /// A buffer full of bf16 numbers from -1 to 1: zeros would be faster than any data.
  Buffer makeRandom(size_t bytes, const char *what) const;
  /// The same of e4m3.
  Buffer makeRandomCodes(size_t bytes, const char *what) const;

private:
  Buffer makeFilled(std::span<const std::byte> piece, size_t bytes, const char *what) const;
  template <typename Free> void release(const Free &free) const noexcept;

  CudaDriver functions;
  std::string productName;
  unsigned numMultiprocessors = 0;
  int number = 0;
  void *context = nullptr, *ownStream = nullptr;
};

} // namespace bambac::measure

#endif // BAMBAC_RUNTIME_RUN_MEASURE_GPU_H
