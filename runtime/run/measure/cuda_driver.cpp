// Looks up each function under the name of the version that the struct declares.
#include "runtime/run/measure/cuda_driver.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <stdexcept>

namespace bambac::measure {

template <typename Function> static void find(void *library, const char *symbol, Function &function) {
  function = reinterpret_cast<Function>(dlsym(library, symbol));
  if (!function)
    throw std::runtime_error(fmt::format("the CUDA driver is too old: it has no function {}", symbol));
}

CudaDriver::CudaDriver(const char *name) {
  void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (!library) {
    const char *text = dlerror();
    throw std::runtime_error(fmt::format("no CUDA driver: {}", text ? text : name));
  }
  find(library, "cuInit", cuInit);
  find(library, "cuGetErrorName", cuGetErrorName);
  find(library, "cuGetErrorString", cuGetErrorString);
  find(library, "cuDeviceGetCount", cuDeviceGetCount);
  find(library, "cuDeviceGet", cuDeviceGet);
  find(library, "cuDeviceGetName", cuDeviceGetName);
  find(library, "cuDeviceGetAttribute", cuDeviceGetAttribute);
  find(library, "cuDevicePrimaryCtxRetain", cuDevicePrimaryCtxRetain);
  find(library, "cuDevicePrimaryCtxRelease_v2", cuDevicePrimaryCtxRelease);
  find(library, "cuCtxPushCurrent_v2", cuCtxPushCurrent);
  find(library, "cuCtxPopCurrent_v2", cuCtxPopCurrent);
  find(library, "cuMemGetInfo_v2", cuMemGetInfo);
  find(library, "cuMemAlloc_v2", cuMemAlloc);
  find(library, "cuMemFree_v2", cuMemFree);
  find(library, "cuMemcpyHtoDAsync_v2", cuMemcpyHtoDAsync);
  find(library, "cuMemcpyDtoDAsync_v2", cuMemcpyDtoDAsync);
  find(library, "cuStreamCreate", cuStreamCreate);
  find(library, "cuStreamDestroy_v2", cuStreamDestroy);
  find(library, "cuStreamSynchronize", cuStreamSynchronize);
  find(library, "cuEventCreate", cuEventCreate);
  find(library, "cuEventDestroy_v2", cuEventDestroy);
  find(library, "cuEventRecord", cuEventRecord);
  find(library, "cuEventElapsedTime", cuEventElapsedTime);
  find(library, "cuModuleLoadData", cuModuleLoadData);
  find(library, "cuModuleUnload", cuModuleUnload);
  find(library, "cuModuleGetFunction", cuModuleGetFunction);
  find(library, "cuLaunchKernelEx", cuLaunchKernelEx);
  check(cuInit(0), "starting the CUDA driver");
}

void CudaDriver::check(int result, const std::string &doing) const {
  if (result == 0)
    return;
  const char *name = nullptr, *text = nullptr;
  if (cuGetErrorName(result, &name) != 0 || !name)
    throw std::runtime_error(fmt::format("{}: CUDA error {}", doing, result));
  if (cuGetErrorString(result, &text) != 0 || !text)
    text = "no description";
  throw std::runtime_error(fmt::format("{}: {}: {}", doing, name, text));
}

} // namespace bambac::measure
