// Which device a model is opened on, and which of a library's models runs there.
#ifndef BAMBA_RUNTIME_DEVICE_CHOOSE_DEVICE_H
#define BAMBA_RUNTIME_DEVICE_CHOOSE_DEVICE_H

#include "runtime/contract/abi.h"
#include <optional>
#include <string>
#include <vector>

namespace bambac::rt {

/// What a caller asks for.
struct DeviceRequest {
  enum Kind { Best, Cpu, Cuda } kind = Best;
  std::optional<unsigned> index; ///< of a CUDA device; none: any
};

/// Reads "cpu", "cuda" or "cuda:I"; null is the best there is. Throws Error BAMBA_UNSUPPORTED for anything else.
DeviceRequest parseDevice(const char *text);

/// What the choice looks at in a CUDA device.
struct CudaDeviceInfo {
  int major = 0, minor = 0; ///< compute capability
  int sharedBytes = 0;      ///< of shared memory that one block can have
  std::string name;
};

/// The CUDA devices of a machine by index, or why there are none.
struct CudaDevices {
  std::vector<CudaDeviceInfo> found;
  std::string reason;
};

struct DeviceChoice {
  const bamba_rt_model *model;
  std::optional<unsigned> index; ///< of the CUDA device; none: the processor
};

/// True where the answer depends on the machine's CUDA devices.
bool needsCuda(const bamba_rt_library &library, const DeviceRequest &request);

/// The best model of the library for the device: code for exactly its architecture before code for a whole generation,
/// of that the newest. Code runs on a device whose architecture takes it and whose blocks can have the shared memory
/// that its kernels use: devices of one generation differ in that. Null where there is none.
const bamba_rt_model *modelFor(const bamba_rt_library &library, const CudaDeviceInfo &device);

/// Chooses. The best there is: the first CUDA device that the library has code for, else the processor. Throws Error
/// BAMBA_UNSUPPORTED that says what the library has code for, what there is, and which target is missing. Pure.
DeviceChoice chooseDevice(const bamba_rt_library &library, const DeviceRequest &request, const CudaDevices &devices);

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_DEVICE_CHOOSE_DEVICE_H
