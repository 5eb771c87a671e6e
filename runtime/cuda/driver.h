// CUDA's driver library, opened when a CUDA device is asked for, so that a model loads on machines without one.
#ifndef BAMBA_RUNTIME_CUDA_DRIVER_H
#define BAMBA_RUNTIME_CUDA_DRIVER_H

#include "runtime/cuda/driver_types.h"
#include "runtime/device/choose_device.h"
#include <memory>
#include <string>

namespace bambac::rt::cuda {

inline constexpr const char *driverLibrary = "libcuda.so.1";

/// The driver's functions. Immutable; any thread may call them. The library stays loaded for good: a driver that was
/// initialized cannot be unloaded.
struct Driver {
  /// Opens and initializes the driver. Throws Error BAMBA_UNSUPPORTED that says why there is none.
  explicit Driver(const char *library);

// NOLINTNEXTLINE(bugprone-macro-parentheses): a declaration
#define BAMBA_CUDA_FUNCTION(name, symbol, parameters) Result(*name) parameters = nullptr;
#include "runtime/cuda/driver_functions.def"
#undef BAMBA_CUDA_FUNCTION

  /// "CUDA_ERROR_INVALID_VALUE: invalid argument".
  std::string describe(Result result) const;

  /// "13.0", the newest CUDA that the driver knows.
  std::string version() const;
};

/// The CUDA devices of this machine, and the driver where there are some.
struct FoundDevices {
  std::shared_ptr<const Driver> driver;
  CudaDevices devices;
};

/// Looks for devices. Does not throw Error: a machine without a driver is one without devices, for a reason.
FoundDevices findDevices(const char *library);

} // namespace bambac::rt::cuda
#endif // BAMBA_RUNTIME_CUDA_DRIVER_H
