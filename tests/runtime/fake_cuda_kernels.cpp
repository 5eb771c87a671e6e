// The fake driver's modules, launches and graphs.
#include "tests/runtime/fake_cuda_state.h"
#include <cstring>

using namespace bambac::fake_cuda;

namespace {

/// A launch takes ten milliseconds.
void execute(const Node &node) {
  if (node.event) {
    *node.event->passed = ++clockMilliseconds;
    return;
  }
  const Launch &launch = node.launch;
  clockMilliseconds += 10;
  if (!launch.cubin)
    return;
  std::vector<void *> args;
  args.reserve(launch.args.size());
  for (uint64_t arg : launch.args)
    args.push_back(onHost(arg));
  std::vector<std::byte> scratch(launch.cubin->scratch_bytes + 64);
  for (uint32_t i = 0; i < launch.cubin->workgroups; ++i)
    launch.cubin->kernel(args.data(), scratch.data(), i);
}

/// Packs a piece of a weight when the stream comes to it.
Result launchPack(const FakeCubin *cubin, const bamba_rt_piece &given, StreamHandle stream) {
  ++fake.packLaunches;
  if (fake.failPack)
    return fake.failPack;
  bamba_rt_piece piece = given;
  auto from = reinterpret_cast<Address>(piece.from), to = reinterpret_cast<Address>(piece.to);
  if (!isDevice(from, piece.rows * piece.cols * (piece.dtype == BAMBA_RT_F32 ? 4 : 2)) || !isDevice(to, 1))
    return invalidValue;
  piece.from = onHost(from);
  piece.to = onHost(to);
  return enqueue(stream, [=] { cubin->pack(cubin, &piece); });
}

} // namespace

#pragma GCC visibility push(default)
extern "C" {

Result cuModuleLoadData(ModuleHandle *module, const void *image) {
  Lock lock(mutex);
  if (fake.failLoad)
    return fake.failLoad;
  auto *cubin = static_cast<const FakeCubin *>(image);
  if (std::strncmp(static_cast<const char *>(image), ".version", 8) == 0)
    cubin = nullptr; // PTX: its kernels do nothing
  else if (cubin->magic != fakeCubinMagic)
    return 200;
  ++fake.liveObjects;
  *module = reinterpret_cast<ModuleHandle>(new FakeModule{cubin});
  return needContext();
}
Result cuModuleUnload(ModuleHandle module) {
  Lock lock(mutex);
  --fake.liveObjects;
  delete reinterpret_cast<FakeModule *>(module);
  return needContext();
}
Result cuModuleGetFunction(FunctionHandle *function, ModuleHandle module, const char *) {
  *function = reinterpret_cast<FunctionHandle>(module);
  return needContext();
}
Result cuFuncSetAttribute(FunctionHandle function, int attribute, int value) {
  if (attribute == functionMaxDynamicShared) {
    if (value > fake.sharedBytes)
      return invalidValue;
    reinterpret_cast<FakeModule *>(function)->sharedBytes = value;
  }
  return needContext();
}
Result cuLaunchKernelEx(const LaunchConfig *config, FunctionHandle function, void **params, void **) {
  Lock lock(mutex);
  FakeStream *stream = streamOf(config->stream);
  for (unsigned i = 0; i < config->numAttributes; ++i)
    fake.programmaticLaunches += config->attributes[i].id == launchProgrammaticSerialization;
  auto *module = reinterpret_cast<FakeModule *>(function);
  if (config->sharedBytes > static_cast<unsigned>(module->sharedBytes))
    return invalidValue;
  Launch launch = {module->cubin, {}};
  if (launch.cubin && launch.cubin->pack)
    return launchPack(launch.cubin, *static_cast<const bamba_rt_piece *>(params[0]), config->stream);
  ++fake.kernelLaunches;
  for (uint32_t i = 0; launch.cubin && i < launch.cubin->num_args; ++i) {
    uint64_t value;
    std::memcpy(&value, params[i], sizeof(value));
    if (!isDevice(value, 1))
      return invalidValue;
    launch.args.push_back(value);
  }
  if (!stream->recording)
    return enqueue(config->stream, [node = Node{std::move(launch)}] { execute(node); });
  stream->recording->push_back({std::move(launch)});
  return needContext();
}
Result cuGraphInstantiateWithFlags(GraphExecHandle *executable, GraphHandle graph, unsigned long long) {
  Lock lock(mutex);
  ++fake.instantiations;
  ++fake.liveObjects;
  *executable = reinterpret_cast<GraphExecHandle>(new Nodes(*reinterpret_cast<Nodes *>(graph)));
  return needContext();
}
Result cuGraphUpload(GraphExecHandle, StreamHandle) { return needContext(); }
Result cuGraphLaunch(GraphExecHandle executable, StreamHandle stream) {
  Lock lock(mutex);
  ++fake.graphLaunches;
  if (fake.failLaunch)
    return fake.failLaunch;
  return enqueue(stream, [nodes = *reinterpret_cast<Nodes *>(executable)] {
    for (const Node &node : nodes)
      execute(node);
  });
}
Result cuGraphDestroy(GraphHandle graph) {
  Lock lock(mutex);
  --fake.liveObjects;
  delete reinterpret_cast<Nodes *>(graph);
  return needContext();
}
Result cuGraphExecDestroy(GraphExecHandle executable) {
  Lock lock(mutex);
  --fake.liveObjects;
  delete reinterpret_cast<Nodes *>(executable);
  return needContext();
}
Result cuTensorMapEncodeTiled(TensorMap *map, int, uint32_t, void *address, const uint64_t *, const uint64_t *,
                              const uint32_t *, const uint32_t *, int, int, int, int) {
  std::memcpy(map, static_cast<const void *>(&address), sizeof(address));
  return success;
}
}
#pragma GCC visibility pop
