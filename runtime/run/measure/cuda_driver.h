// The part of CUDA's driver library that measurements call, opened at run time.
#ifndef BAMBAC_RUNTIME_RUN_MEASURE_CUDA_DRIVER_H
#define BAMBAC_RUNTIME_RUN_MEASURE_CUDA_DRIVER_H

#include <cstddef>
#include <cstdint>
#include <string>

namespace bambac::measure {

/// The driver's functions under its own names, and its types as what they are: handles are pointers, device addresses
/// 64-bit numbers. Immutable; any thread may call them. The library stays loaded for good.
struct CudaDriver {
  /// Opens and initializes the driver. Throws std::runtime_error that says why there is none.
  explicit CudaDriver(const char *library);

  /// Throws std::runtime_error for a call that failed while `doing` something, with the driver's own words.
  void check(int result, const std::string &doing) const;

  /// CUlaunchConfig, without attributes.
  struct LaunchConfig {
    unsigned grid[3], block[3];
    unsigned sharedBytes;
    void *stream;
    void *attributes;
    unsigned numAttributes;
  };

  int (*cuInit)(unsigned flags);
  int (*cuGetErrorName)(int error, const char **text);
  int (*cuGetErrorString)(int error, const char **text);
  int (*cuDeviceGetCount)(int *count);
  int (*cuDeviceGet)(int *device, int ordinal);
  int (*cuDeviceGetName)(char *name, int length, int device);
  int (*cuDeviceGetAttribute)(int *value, int attribute, int device);
  int (*cuDevicePrimaryCtxRetain)(void **context, int device);
  int (*cuDevicePrimaryCtxRelease)(int device);
  int (*cuCtxPushCurrent)(void *context);
  int (*cuCtxPopCurrent)(void **context);
  int (*cuMemGetInfo)(size_t *free, size_t *total);
  int (*cuMemAlloc)(uint64_t *address, size_t bytes);
  int (*cuMemFree)(uint64_t address);
  int (*cuMemcpyHtoDAsync)(uint64_t to, const void *from, size_t bytes, void *stream);
  int (*cuMemcpyDtoDAsync)(uint64_t to, uint64_t from, size_t bytes, void *stream);
  int (*cuStreamCreate)(void **stream, unsigned flags);
  int (*cuStreamDestroy)(void *stream);
  int (*cuStreamSynchronize)(void *stream);
  int (*cuEventCreate)(void **event, unsigned flags);
  int (*cuEventDestroy)(void *event);
  int (*cuEventRecord)(void *event, void *stream);
  int (*cuEventElapsedTime)(float *milliseconds, void *start, void *end);
  int (*cuModuleLoadData)(void **module, const void *image);
  int (*cuModuleUnload)(void *module);
  int (*cuModuleGetFunction)(void **function, void *module, const char *name);
  int (*cuLaunchKernelEx)(const LaunchConfig *config, void *function, void **params, void **extra);
};

} // namespace bambac::measure

#endif // BAMBAC_RUNTIME_RUN_MEASURE_CUDA_DRIVER_H
