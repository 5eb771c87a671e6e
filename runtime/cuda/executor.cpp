#include "runtime/cuda/executor.h"
#include "runtime/cuda/tensor_map.h"
#include "runtime/support/error.h"
#include "runtime/support/median.h"
#include "runtime/support/memory.h"
#include <algorithm>
#include <span>

namespace bambac::rt::cuda {
namespace {

/// The values of a kernel's parameters, and their addresses as a launch wants them.
class Params {
public:
  Params(const Context &context, const bamba_rt_kernel &kernel, std::span<const bamba_rt_arg> args,
         const Buffers &buffers, std::byte *workspace)
      : values(kernel.cuda->num_params), addresses(kernel.cuda->num_params) {
    for (uint32_t i = 0; i < kernel.cuda->num_params; ++i) {
      const bamba_rt_param &param = kernel.cuda->params[i];
      addresses[i] = &values[i];
      if (param.kind == BAMBA_RT_PARAM_WORKSPACE) {
        values[i].pointer = workspace;
        continue;
      }
      if (param.kind == BAMBA_RT_PARAM_SIZE) {
        values[i].size = static_cast<int32_t>(param.arg);
        continue;
      }
      const bamba_rt_arg &arg = args[param.arg];
      void *address = buffers.resolve(arg);
      values[i].pointer = address;
      if (param.kind != BAMBA_RT_PARAM_TENSOR_MAP)
        continue;
      uint64_t items = arg.space == BAMBA_RT_SPACE_STATE ? buffers.stateItems[arg.index] : 0;
      context.check(encode(context.driver(), shapeOf(param.map, items, kernel.name), address, values[i].map),
                    kernel.name);
    }
  }

  void **data() { return addresses.data(); }

private:
  union Value {
    void *pointer = nullptr;
    int32_t size;
    TensorMap map;
  };
  std::vector<Value> values;
  std::vector<void *> addresses;
};

/// What a launch says in addition to grid and block. `early`: a kernel that knows how to wait for its predecessor may
/// start before that has ended.
std::vector<LaunchAttribute> attributesOf(const bamba_rt_cuda_launch &launch, bool early) {
  std::vector<LaunchAttribute> attributes;
  if (launch.cluster > 1) {
    LaunchAttribute &attribute = attributes.emplace_back();
    attribute.id = launchClusterDimension;
    attribute.value.cluster[0] = launch.cluster;
    attribute.value.cluster[1] = attribute.value.cluster[2] = 1;
  }
  if (launch.dependent && early) {
    LaunchAttribute &attribute = attributes.emplace_back();
    attribute.id = launchProgrammaticSerialization;
    attribute.value.programmaticSerialization = 1;
  }
  return attributes;
}

/// Times between two events with nothing in between that are taken before the first launch.
constexpr size_t emptyIntervals = 8;

} // namespace

size_t workspaceBytes(const bamba_rt_model &model) {
  uint64_t bytes = 0;
  for (const bamba_rt_kernel &kernel : std::span(model.kernels, model.num_kernels))
    bytes = std::max<uint64_t>(bytes, kernel.cuda->launch.workspace);
  return checkedAdd(bytes, BAMBA_RT_WORKSPACE_COUNTERS * sizeof(uint32_t), "the workspace");
}

CudaExecutor::CudaExecutor(const bamba_rt_model &model, std::shared_ptr<const Kernels> loaded, StreamHandle stream,
                           const Buffers &all, DeviceMemory memory)
    : model(model), buffers(all), kernels(std::move(loaded)), stream(stream), workspace(std::move(memory)) {
  const Context &context = *kernels->context();
  // A stream of its own, because the caller's may be one that cannot be recorded.
  Stream recorder = context.makeStream();
  Context::Current current(context);
  for (const bamba_rt_entry &entry : std::span(model.entries, model.num_entries)) {
    graphs.push_back(recordEntry(entry, recorder.get()));
    context.check(context.driver().graphUpload(graphs.back().get(), stream), entry.name);
  }
}

template <typename Fill>
CudaExecutor::Graph CudaExecutor::record(const char *name, StreamHandle recorder, const Fill &fill) const {
  const Context &context = *kernels->context();
  const Driver &driver = context.driver();
  context.check(driver.streamBeginCapture(recorder, captureRelaxed), name);
  GraphHandle graph = nullptr;
  try {
    fill();
  } catch (...) {
    if (driver.streamEndCapture(recorder, &graph) == success && graph)
      driver.graphDestroy(graph);
    throw;
  }
  context.check(driver.streamEndCapture(recorder, &graph), name);
  GraphExecHandle executable = nullptr;
  Result result = driver.graphInstantiate(&executable, graph, 0);
  driver.graphDestroy(graph);
  context.check(result, name);
  return {executable, [kernels = kernels](GraphExecHandle handle) {
            const Context &context = *kernels->context();
            context.release([&] { context.driver().graphExecDestroy(handle); });
          }};
}

CudaExecutor::Graph CudaExecutor::recordEntry(const bamba_rt_entry &entry, StreamHandle recorder) const {
  return record(entry.name, recorder, [&] {
    // The first kernel of a step starts when all before it has ended, as the contract says of `dependent`.
    for (uint32_t i = 0; i < entry.num_launches; ++i)
      launch(model.launches[entry.first_launch + i], i > 0, recorder);
  });
}

CudaExecutor::Graph CudaExecutor::recordProfile(const bamba_rt_entry &entry, const std::vector<Event> &clock) const {
  const Context &context = *kernels->context();
  Stream recorder = context.makeStream();
  auto tick = [&](size_t event) {
    context.check(context.driver().eventRecordWithFlags(clock[event].get(), recorder.get(), eventRecordExternal),
                  entry.name);
  };
  return record(entry.name, recorder.get(), [&] {
    for (size_t event = 0; event <= emptyIntervals; ++event)
      tick(event);
    for (uint32_t i = 0; i < entry.num_launches; ++i) {
      launch(model.launches[entry.first_launch + i], false, recorder.get());
      tick(emptyIntervals + 1 + i);
    }
  });
}

std::vector<double> CudaExecutor::profile(const bamba_rt_entry &entry, unsigned repeats) {
  const Context &context = *kernels->context();
  const Driver &driver = context.driver();
  std::vector<Event> clock(emptyIntervals + 1 + entry.num_launches);
  for (Event &event : clock)
    event = context.makeTimer();
  Context::Current current(context);
  Graph graph = recordProfile(entry, clock);
  std::vector<double> empty;
  std::vector<std::vector<double>> times(entry.num_launches);
  for (unsigned repeat = 0; repeat <= repeats; ++repeat) {
    context.check(driver.graphLaunch(graph.get(), stream), entry.name);
    context.check(driver.streamSynchronize(stream), entry.name);
    for (size_t i = 0; repeat > 0 && i + 1 < clock.size(); ++i)
      (i < emptyIntervals ? empty : times[i - emptyIntervals])
          .push_back(context.secondsBetween(clock[i], clock[i + 1]));
  }
  std::vector<double> medians;
  medians.reserve(times.size());
  double own = medianOf(std::move(empty));
  for (std::vector<double> &launch : times)
    medians.push_back(std::max(0.0, medianOf(std::move(launch)) - own));
  return medians;
}

void CudaExecutor::launch(const bamba_rt_launch &launch, bool early, StreamHandle recorder) const {
  const Context &context = *kernels->context();
  const bamba_rt_kernel &kernel = model.kernels[launch.kernel];
  const bamba_rt_cuda_launch &shape = kernel.cuda->launch;
  Params params(context, kernel, {model.args + launch.first_arg, launch.num_args}, buffers, workspace.get());
  std::vector<LaunchAttribute> attributes = attributesOf(shape, early);
  LaunchConfig config = {};
  std::copy_n(shape.grid, 3, config.grid);
  config.block[0] = shape.threads;
  config.block[1] = config.block[2] = 1;
  config.sharedBytes = shape.shared_bytes;
  config.stream = recorder;
  config.attributes = attributes.data();
  config.numAttributes = static_cast<unsigned>(attributes.size());
  context.check(context.driver().launchKernelEx(&config, kernels->function(launch.kernel), params.data(), nullptr),
                kernel.name);
}

void CudaExecutor::run(const bamba_rt_entry &entry) {
  const Context &context = *kernels->context();
  Context::Current current(context);
  auto index = static_cast<size_t>(&entry - model.entries);
  context.check(context.driver().graphLaunch(graphs[index].get(), stream), entry.name);
}

} // namespace bambac::rt::cuda
