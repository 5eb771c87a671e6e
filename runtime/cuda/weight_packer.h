// Carries pieces of a checkpoint to a CUDA device, where kernels pack them into weights.
#ifndef BAMBA_RUNTIME_CUDA_WEIGHT_PACKER_H
#define BAMBA_RUNTIME_CUDA_WEIGHT_PACKER_H

#include "runtime/cuda/kernels.h"
#include <atomic>
#include <vector>

namespace bambac::rt::cuda {

/// Each thread has a stream and two staging buffers, each on the host and on the device: one is filled while the other
/// is copied and packed. stage() and pack() may be called by different threads at the same time, each with its own
/// number.
class WeightPacker {
public:
  /// For pieces of at most `pieceBytes` bytes. Throws Error BAMBA_DEVICE_ERROR or BAMBA_OUT_OF_MEMORY. `model` must
  /// outlive it.
  WeightPacker(std::shared_ptr<const Kernels> kernels, const bamba_rt_model &model, unsigned threads,
               size_t pieceBytes);
  ~WeightPacker();
  WeightPacker(const WeightPacker &) = delete;
  WeightPacker &operator=(const WeightPacker &) = delete;

  /// A staging buffer on the host that is free, with any bytes in it; null once something has failed.
  std::byte *stage(unsigned thread) noexcept;

  /// Sends what is in the buffer that stage() returned and packs it with kernel number `kernel` of the model.
  /// `piece` says all but where it comes from.
  void pack(unsigned thread, uint32_t kernel, size_t bytes, bamba_rt_piece piece) noexcept;

  /// Waits for all of it. Throws Error for the first call that failed.
  void finish();

private:
  struct Buffer {
    std::byte *host = nullptr, *device = nullptr;
    Event packed;
  };
  struct alignas(64) Lane {
    Stream stream;
    Buffer buffers[2];
    unsigned next = 0;
  };

  template <typename Calls> void withContext(const Calls &calls) noexcept;
  void note(Result result) noexcept;
  Result launch(StreamHandle stream, uint32_t kernel, bamba_rt_piece &piece) const;

  std::shared_ptr<const Kernels> kernels;
  const Context &context;
  const bamba_rt_model &model;
  DeviceMemory host, device;
  std::vector<Lane> lanes;
  std::atomic<Result> failure{success};
};

} // namespace bambac::rt::cuda
#endif // BAMBA_RUNTIME_CUDA_WEIGHT_PACKER_H
