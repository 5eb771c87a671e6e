// The device that a model is opened on: what loads its code, fills its weights and makes the devices of its sessions.
#ifndef BAMBA_RUNTIME_DEVICE_DEVICE_BACKEND_H
#define BAMBA_RUNTIME_DEVICE_DEVICE_BACKEND_H

#include "runtime/checkpoint/weight_source.h"
#include "runtime/device/device.h"
#include "runtime/support/load_reporter.h"
#include "runtime/support/thread_pool.h"
#include <memory>
#include <span>

namespace bambac::rt {

/// One model's code on one device, ready to run. Immutable; any thread may use it. The model's table must outlive it,
/// and so must whatever it makes.
class DeviceBackend {
public:
  virtual ~DeviceBackend() = default;

  /// The device's name in the C interface, "cpu" or "cuda:0", and that of the product. Valid as long as the backend.
  virtual const char *device() const = 0;
  virtual const char *product() const = 0;

  /// Zeroed memory for the weights. Throws Error BAMBA_OUT_OF_MEMORY or BAMBA_DEVICE_ERROR.
  virtual DeviceMemory allocateWeights(size_t bytes) const = 0;

  /// Packs `sources`, those of the model's table in its order, into the model's weights. `addresses` has the address of
  /// each weight in memory of allocateWeights(). The threads of `pool` share the work. Returns early where `reporter`
  /// was stopped. Throws Error BAMBA_DEVICE_ERROR or BAMBA_OUT_OF_MEMORY.
  virtual void packWeights(std::span<const WeightSource> sources, std::span<std::byte *const> addresses,
                           ThreadPool &pool, LoadReporter &reporter) const = 0;

  /// The device as one session's own. `threads` compute, where the device is the processor; `stream` is the caller's
  /// CUstream or null. Throws Error BAMBA_INVALID_ARGUMENT for a stream on the processor.
  virtual std::unique_ptr<Device> makeDevice(unsigned threads, void *stream) const = 0;
};

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_DEVICE_DEVICE_BACKEND_H
