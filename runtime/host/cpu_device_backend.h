// The processor as the device that a model is opened on.
#ifndef BAMBA_RUNTIME_HOST_CPU_DEVICE_BACKEND_H
#define BAMBA_RUNTIME_HOST_CPU_DEVICE_BACKEND_H

#include "runtime/device/device_backend.h"

namespace bambac::rt {

class CpuDeviceBackend final : public DeviceBackend {
public:
  /// Throws Error BAMBA_UNSUPPORTED that names the features that the model's kernels use and this processor lacks.
  explicit CpuDeviceBackend(const bamba_rt_model &model);

  const char *device() const override { return "cpu"; }
  const char *product() const override { return "the processor"; }
  DeviceMemory allocateWeights(size_t bytes) const override;
  void packWeights(std::span<const WeightSource> sources, std::span<std::byte *const> addresses, ThreadPool &pool,
                   LoadReporter &reporter) const override;
  std::unique_ptr<Device> makeDevice(unsigned threads, void *stream) const override;

private:
  const bamba_rt_model &model;
};

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_HOST_CPU_DEVICE_BACKEND_H
