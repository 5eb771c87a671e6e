// Checks the processor's features; weights are packed by load_weights, sessions run on CpuDevice.
#include "runtime/host/cpu_device_backend.h"
#include "runtime/host/cpu_device.h"
#include "runtime/host/cpu_features.h"
#include "runtime/host/load_weights.h"
#include "runtime/support/error.h"
#include "runtime/support/memory.h"
#include <string>

namespace bambac::rt {

CpuDeviceBackend::CpuDeviceBackend(const bamba_rt_model &model) : model(model) {
  std::string missing;
  bool needsTiles = false;
  for (const char *feature : std::span(model.features, model.num_features)) {
    if (!cpuHasFeature(feature))
      missing += (missing.empty() ? "" : ", ") + std::string(feature);
    needsTiles |= cpuFeatureNeedsTiles(feature);
  }
  if (!missing.empty())
    fail(BAMBA_UNSUPPORTED, "this processor lacks {}, which the library was compiled for", missing);
  if (needsTiles && !allowTiles())
    fail(BAMBA_UNSUPPORTED, "the system does not let this process use tile registers (AMX), which the library was "
                            "compiled for; compile it with --cpu=x86-64-v4 or run it on Linux 5.16 or later");
}

DeviceMemory CpuDeviceBackend::allocateWeights(size_t bytes) const {
  auto region = std::make_shared<Region>(bytes, "the weights");
  return {region, region->data()};
}

void CpuDeviceBackend::packWeights(std::span<const WeightSource> sources, std::span<std::byte *const> addresses,
                                   ThreadPool &pool, LoadReporter &reporter) const {
  loadWeights(model, sources, addresses, pool, reporter);
}

std::unique_ptr<Device> CpuDeviceBackend::makeDevice(unsigned threads, void *stream) const {
  if (stream)
    fail(BAMBA_INVALID_ARGUMENT, "stream: expected NULL for a model on the processor, found a stream");
  return std::make_unique<CpuDevice>(threads);
}

} // namespace bambac::rt
