// Filters the library's models by what each device can run; the texts of the errors are made here too.
#include "runtime/device/choose_device.h"
#include "runtime/support/error.h"
#include <charconv>
#include <span>
#include <string_view>

namespace bambac::rt {
namespace {

std::span<const bamba_rt_model *const> modelsOf(const bamba_rt_library &library) {
  return {library.models, library.num_models};
}

const bamba_rt_model *cpuModel(const bamba_rt_library &library) {
  for (const bamba_rt_model *model : modelsOf(library))
    if (model->device == BAMBA_RT_CPU)
      return model;
  return nullptr;
}

/// True where the device's architecture takes the model's code.
bool takes(const CudaDeviceInfo &device, const bamba_rt_model &model) {
  int major = static_cast<int>(model.compute / 10), minor = static_cast<int>(model.compute % 10);
  return model.device == BAMBA_RT_CUDA && device.major == major &&
         (model.exact ? device.minor == minor : device.minor >= minor);
}

/// The kernel of a CUDA model that uses the most shared memory; null where there is none. The table is not checked yet.
const bamba_rt_kernel *largestKernel(const bamba_rt_model &model) {
  const bamba_rt_kernel *largest = nullptr;
  for (const bamba_rt_kernel &kernel : std::span(model.kernels, model.num_kernels))
    if (kernel.cuda && (!largest || kernel.cuda->launch.shared_bytes > largest->cuda->launch.shared_bytes))
      largest = &kernel;
  return largest;
}

/// Why code for a device's architecture does not run there; empty where it does.
std::string findFault(const CudaDeviceInfo &device, const bamba_rt_model &model) {
  const bamba_rt_kernel *kernel = largestKernel(model);
  if (kernel && kernel->cuda->launch.shared_bytes > static_cast<uint64_t>(device.sharedBytes))
    return fmt::format("kernel {} needs {} bytes of shared memory in a block, the device has {}; compile for sm_{}{}",
                       kernel->name, kernel->cuda->launch.shared_bytes, device.sharedBytes, device.major, device.minor);
  return {};
}

/// "compute capability 9.0 or 8.0 to 8.9": what the library's CUDA code runs on.
std::string describeNeeds(const bamba_rt_library &library) {
  std::string text;
  for (const bamba_rt_model *model : modelsOf(library)) {
    if (model->device != BAMBA_RT_CUDA)
      continue;
    text += fmt::format("{}{}.{}", text.empty() ? "" : " or ", model->compute / 10, model->compute % 10);
    if (!model->exact && model->compute % 10 != 9)
      text += fmt::format(" to {}.9", model->compute / 10);
  }
  return "compute capability " + text;
}

/// "cuda:0 (NVIDIA L4) of 8.9", and why code for its architecture does not run there, where it has any.
std::string describeDevice(const bamba_rt_library &library, size_t index, const CudaDeviceInfo &device) {
  std::string text = fmt::format("cuda:{} ({}) of {}.{}", index, device.name, device.major, device.minor);
  for (const bamba_rt_model *model : modelsOf(library)) {
    if (!takes(device, *model))
      continue;
    if (std::string fault = findFault(device, *model); !fault.empty())
      text += fmt::format(", where the code for {} does not fit: {}", model->target, fault);
  }
  return text;
}

[[noreturn]] void failWithoutDevice(const bamba_rt_library &library, const CudaDevices &devices) {
  std::string found = fmt::format("none: {}", devices.reason);
  if (!devices.found.empty())
    found.clear();
  for (size_t i = 0; i < devices.found.size(); ++i) {
    found += i == 0 ? "" : ", ";
    found += describeDevice(library, i, devices.found[i]);
  }
  fail(BAMBA_UNSUPPORTED, "expected a CUDA device of {}, found {}", describeNeeds(library), found);
}

DeviceChoice chooseIndex(const bamba_rt_library &library, unsigned index, const CudaDevices &devices) {
  if (devices.found.empty())
    failWithoutDevice(library, devices);
  if (index >= devices.found.size())
    fail(BAMBA_UNSUPPORTED, "device: expected cuda:0 to cuda:{}, found \"cuda:{}\"", devices.found.size() - 1, index);
  const bamba_rt_model *model = modelFor(library, devices.found[index]);
  if (!model)
    fail(BAMBA_UNSUPPORTED, "device: expected a CUDA device of {}, found {}", describeNeeds(library),
         describeDevice(library, index, devices.found[index]));
  return {model, index};
}

} // namespace

DeviceRequest parseDevice(const char *text) {
  if (!text)
    return {};
  std::string_view name = text;
  if (name == "cpu")
    return {DeviceRequest::Cpu, {}};
  if (name == "cuda")
    return {DeviceRequest::Cuda, {}};
  constexpr std::string_view prefix = "cuda:";
  unsigned index = 0;
  const char *end = name.data() + name.size();
  if (name.starts_with(prefix)) {
    auto [stop, error] = std::from_chars(name.data() + prefix.size(), end, index);
    if (error == std::errc() && stop == end)
      return {DeviceRequest::Cuda, index};
  }
  fail(BAMBA_UNSUPPORTED, "device: expected \"cpu\", \"cuda\" or \"cuda:I\", found \"{}\"", name);
}

bool needsCuda(const bamba_rt_library &library, const DeviceRequest &request) {
  for (const bamba_rt_model *model : modelsOf(library))
    if (model->device == BAMBA_RT_CUDA)
      return request.kind != DeviceRequest::Cpu;
  return false;
}

const bamba_rt_model *modelFor(const bamba_rt_library &library, const CudaDeviceInfo &device) {
  const bamba_rt_model *best = nullptr;
  for (const bamba_rt_model *model : modelsOf(library))
    if (takes(device, *model) && findFault(device, *model).empty() &&
        (!best || model->exact > best->exact || (model->exact == best->exact && model->compute > best->compute)))
      best = model;
  return best;
}

DeviceChoice chooseDevice(const bamba_rt_library &library, const DeviceRequest &request, const CudaDevices &devices) {
  const bamba_rt_model *cpu = cpuModel(library);
  if (request.kind == DeviceRequest::Cpu) {
    if (!cpu)
      fail(BAMBA_UNSUPPORTED, "device: expected \"cuda\", the library has no code for the processor, found \"cpu\"");
    return {cpu, {}};
  }
  if (request.kind == DeviceRequest::Cuda && !needsCuda(library, request))
    fail(BAMBA_UNSUPPORTED, "device: expected \"cpu\", the library has no code for CUDA, found \"cuda\"");
  if (request.index)
    return chooseIndex(library, *request.index, devices);
  for (size_t i = 0; i < devices.found.size(); ++i)
    if (const bamba_rt_model *model = modelFor(library, devices.found[i]))
      return {model, static_cast<unsigned>(i)};
  if (request.kind == DeviceRequest::Best && cpu)
    return {cpu, {}};
  failWithoutDevice(library, devices);
}

} // namespace bambac::rt
