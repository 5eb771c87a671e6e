// A CUDA device as the device that a model is opened on.
#ifndef BAMBA_RUNTIME_CUDA_CUDA_DEVICE_BACKEND_H
#define BAMBA_RUNTIME_CUDA_CUDA_DEVICE_BACKEND_H

#include "runtime/cuda/kernels.h"
#include "runtime/device/device_backend.h"

namespace bambac::rt::cuda {

class CudaDeviceBackend final : public DeviceBackend {
public:
  /// Loads the model's kernels. Throws what Kernels throws.
  CudaDeviceBackend(std::shared_ptr<const Context> context, const bamba_rt_model &model);

  const char *device() const override { return context.device().c_str(); }
  const char *product() const override { return context.product().c_str(); }
  DeviceMemory allocateWeights(size_t bytes) const override;
  void packWeights(std::span<const WeightSource> sources, std::span<std::byte *const> addresses, ThreadPool &pool,
                   LoadReporter &reporter) const override;
  std::unique_ptr<Device> makeDevice(unsigned threads, void *stream) const override;

private:
  const bamba_rt_model &model;
  std::shared_ptr<const Kernels> kernels;
  const Context &context;
};

} // namespace bambac::rt::cuda
#endif // BAMBA_RUNTIME_CUDA_CUDA_DEVICE_BACKEND_H
