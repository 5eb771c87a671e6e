// Looks for CUDA devices where that matters, chooses, checks the chosen model's table, and makes its backend.
#include "runtime/model/open_model.h"
#include "runtime/cuda/cuda_device_backend.h"
#include "runtime/host/cpu_device_backend.h"
#include "runtime/model/model_table.h"

namespace bambac::rt {

Model openModel(const bamba_rt_library &library, const char *device, const char *driver) {
  checkLibrary(library);
  DeviceRequest request = parseDevice(device);
  cuda::FoundDevices cuda;
  if (needsCuda(library, request))
    cuda = cuda::findDevices(driver ? driver : cuda::driverLibrary);
  auto [model, index] = chooseDevice(library, request, cuda.devices);
  checkTable(*model); // kernels are loaded from tables that have been checked
  if (!index)
    return Model(*model, std::make_shared<const CpuDeviceBackend>(*model));
  auto context = std::make_shared<const cuda::Context>(cuda.driver, *index, cuda.devices.found[*index]);
  return Model(*model, std::make_shared<const cuda::CudaDeviceBackend>(std::move(context), *model));
}

} // namespace bambac::rt
