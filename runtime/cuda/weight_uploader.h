// Carries packed weights to a CUDA device while other pieces are being packed.
#ifndef BAMBA_RUNTIME_CUDA_WEIGHT_UPLOADER_H
#define BAMBA_RUNTIME_CUDA_WEIGHT_UPLOADER_H

#include "runtime/cuda/context.h"
#include <atomic>
#include <vector>

namespace bambac::rt::cuda {

/// Owns two staging buffers a thread: one is packed while the other is on its way. stage() and send() may be called by
/// different threads at the same time, each with its own number.
class WeightUploader {
public:
  /// For pieces of at most `pieceBytes` bytes. Throws Error BAMBA_DEVICE_ERROR or BAMBA_OUT_OF_MEMORY.
  WeightUploader(std::shared_ptr<const Context> context, unsigned threads, size_t pieceBytes);
  ~WeightUploader();

  /// A staging buffer that is free, with any bytes in it; null once something has failed.
  std::byte *stage(unsigned thread) noexcept;

  /// Sends what stands in the buffer that stage() returned.
  void send(unsigned thread, std::byte *to, size_t bytes) noexcept;

  /// Waits for all of it. Throws Error for the first call that failed.
  void finish();

private:
  struct Buffer {
    std::byte *memory;
    Event sent;
  };
  struct alignas(64) Lane {
    Buffer buffers[2];
    unsigned next = 0;
  };

  template <typename Calls> void withContext(const Calls &calls) noexcept;
  void note(Result result) noexcept;

  std::shared_ptr<const Context> context;
  DeviceMemory staging;
  Stream stream;
  std::vector<Lane> lanes;
  std::atomic<Result> failure{success};
};

} // namespace bambac::rt::cuda
#endif // BAMBA_RUNTIME_CUDA_WEIGHT_UPLOADER_H
