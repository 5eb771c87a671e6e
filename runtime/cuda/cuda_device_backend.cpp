// Holds the loaded kernels; weights are packed by load_weights, sessions run on CudaDevice.
#include "runtime/cuda/cuda_device_backend.h"
#include "runtime/cuda/cuda_device.h"
#include "runtime/cuda/load_weights.h"

namespace bambac::rt::cuda {

CudaDeviceBackend::CudaDeviceBackend(std::shared_ptr<const Context> used, const bamba_rt_model &model)
    : model(model), kernels(std::make_shared<const Kernels>(std::move(used), model)), context(*kernels->context()) {}

DeviceMemory CudaDeviceBackend::allocateWeights(size_t bytes) const {
  DeviceMemory memory = context.allocate(bytes, "the weights");
  if (bytes == 0)
    return memory;
  Stream stream = context.makeStream();
  Context::Current current(context);
  context.check(context.driver().memsetD8Async(addressOf(memory.get()), 0, bytes, stream.get()),
                "clearing the weights");
  context.check(context.driver().streamSynchronize(stream.get()), "clearing the weights"); // other streams do not wait
  return memory;
}

void CudaDeviceBackend::packWeights(std::span<const WeightSource> sources, std::span<std::byte *const> addresses,
                                    ThreadPool &pool, LoadReporter &reporter) const {
  loadWeights(model, sources, addresses, pool, reporter, kernels);
}

std::unique_ptr<Device> CudaDeviceBackend::makeDevice(unsigned, void *stream) const {
  return std::make_unique<CudaDevice>(kernels, stream);
}

} // namespace bambac::rt::cuda
