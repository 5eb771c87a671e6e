// Opens the library, looks up each function by name, and asks the devices what they are.
#include "runtime/cuda/driver.h"
#include "runtime/support/error.h"
#include <dlfcn.h>

namespace bambac::rt::cuda {
namespace {

void *openLibrary(const char *name) {
  if (void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL))
    return library;
  const char *text = dlerror();
  fail(BAMBA_UNSUPPORTED, "no CUDA driver: {}", text ? text : name);
}

template <typename Function> void find(void *library, const char *symbol, Function &function) {
  function = reinterpret_cast<Function>(dlsym(library, symbol));
  if (!function)
    fail(BAMBA_UNSUPPORTED, "the CUDA driver is too old: it has no function {}", symbol);
}

CudaDeviceInfo describeDevice(const Driver &driver, int ordinal) {
  auto check = [&](Result result) {
    if (result != success)
      fail(BAMBA_UNSUPPORTED, "cuda:{}: {}", ordinal, driver.describe(result));
  };
  DeviceNumber number = 0;
  CudaDeviceInfo device;
  char name[256] = {};
  check(driver.deviceGet(&number, ordinal));
  check(driver.deviceGetName(name, sizeof(name) - 1, number));
  check(driver.deviceGetAttribute(&device.major, attributeMajor, number));
  check(driver.deviceGetAttribute(&device.minor, attributeMinor, number));
  check(driver.deviceGetAttribute(&device.sharedBytes, attributeSharedBytesOptin, number));
  device.name = name;
  return device;
}

} // namespace

Driver::Driver(const char *name) {
  void *library = openLibrary(name);
#define BAMBA_CUDA_FUNCTION(name, symbol, parameters) find(library, symbol, name);
#include "runtime/cuda/driver_functions.def"
#undef BAMBA_CUDA_FUNCTION
  if (Result result = init(0); result != success)
    fail(BAMBA_UNSUPPORTED, "the CUDA driver does not start: {}", describe(result));
}

std::string Driver::describe(Result result) const {
  const char *name = nullptr, *text = nullptr;
  if (getErrorName(result, &name) != success || !name)
    return fmt::format("CUDA error {}", result);
  if (getErrorString(result, &text) != success || !text)
    return name;
  return fmt::format("{}: {}", name, text);
}

std::string Driver::version() const {
  int number = 0;
  if (driverGetVersion(&number) != success)
    return "unknown";
  return fmt::format("{}.{}", number / 1000, number % 1000 / 10);
}

FoundDevices findDevices(const char *library) {
  FoundDevices all;
  try {
    auto driver = std::make_shared<const Driver>(library);
    int count = 0;
    if (Result result = driver->deviceGetCount(&count); result != success)
      fail(BAMBA_UNSUPPORTED, "{}", driver->describe(result));
    for (int i = 0; i < count; ++i)
      all.devices.found.push_back(describeDevice(*driver, i));
    if (count == 0)
      all.devices.reason = "the CUDA driver sees no device";
    all.driver = std::move(driver);
  } catch (const Error &error) {
    all.devices.found.clear();
    all.devices.reason = error.message();
  }
  return all;
}

} // namespace bambac::rt::cuda
