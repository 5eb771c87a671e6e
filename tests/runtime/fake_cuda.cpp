#include "tests/runtime/fake_cuda.h"
#include "runtime/cuda/driver_types.h"
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

using namespace bambac::rt::cuda;

namespace {

/// Device addresses are no host addresses: whoever mixes them up crashes.
constexpr Address tag = Address{1} << 62;

constexpr int multiprocessors = 2;
constexpr Result invalidValue = 1, invalidContext = 201, notReady = 600;

using Work = std::function<void()>;

struct Launch {
  const FakeCubin *cubin;
  std::vector<uint64_t> args;
};

struct FakeEvent;

/// What a graph does: a launch, or an event that is passed.
struct Node {
  Launch launch;
  FakeEvent *event = nullptr;
};

using Nodes = std::vector<Node>;

struct FakeStream {
  std::deque<std::pair<uint64_t, Work>> queue; ///< each with its number
  uint64_t issued = 0;
  Nodes *recording = nullptr;
};

struct FakeEvent {
  FakeStream *stream = nullptr;
  uint64_t after = 0;
  /// When it was passed, in milliseconds; negative: not yet. Work in a stream outlives the event.
  std::shared_ptr<double> passed = std::make_shared<double>(-1);
};

struct FakeModule {
  const FakeCubin *cubin;
};

FakeCuda fake;
std::recursive_mutex mutex;
std::map<Address, size_t> deviceMemory;
std::map<void *, size_t> hostMemory;
thread_local int depth = 0;

using Lock = std::lock_guard<std::recursive_mutex>;

double clockMilliseconds = 0; ///< passing an event takes one

std::byte *onHost(Address address) { return reinterpret_cast<std::byte *>(address & ~tag); }

bool isDevice(Address address, size_t bytes) {
  auto after = deviceMemory.upper_bound(address);
  if (after == deviceMemory.begin())
    return false;
  auto block = std::prev(after);
  return address - block->first + bytes <= block->second;
}

Result needContext() {
  if (depth > 0)
    return success;
  ++fake.callsWithoutContext;
  return invalidContext;
}

template <typename Tag> auto *streamOf(Tag *handle) { return reinterpret_cast<FakeStream *>(handle); }

Result enqueue(StreamHandle handle, Work work) {
  if (Result result = needContext())
    return result;
  FakeStream *stream = streamOf(handle);
  if (!stream || stream->recording)
    return invalidValue;
  stream->queue.emplace_back(++stream->issued, std::move(work));
  return success;
}

void drain(FakeStream &stream, uint64_t upTo) {
  while (!stream.queue.empty() && stream.queue.front().first <= upTo) {
    stream.queue.front().second();
    stream.queue.pop_front();
  }
}

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

FakeCuda *fakeCuda() { return &fake; }

Result cuInit(unsigned) { return success; }
Result cuDriverGetVersion(int *version) {
  *version = 12040;
  return success;
}
Result cuGetErrorName(Result error, const char **text) {
  *text = error == 700 ? "CUDA_ERROR_ILLEGAL_ADDRESS" : "CUDA_ERROR_OTHER";
  return success;
}
Result cuGetErrorString(Result error, const char **text) {
  *text = error == 700 ? "an illegal memory access was encountered" : "another error";
  return success;
}
Result cuDeviceGetCount(int *count) {
  *count = 1;
  return success;
}
Result cuDeviceGet(DeviceNumber *device, int ordinal) {
  *device = ordinal;
  return success;
}
Result cuDeviceGetName(char *name, int length, DeviceNumber) {
  std::strncpy(name, "Fake Card", static_cast<size_t>(length));
  return success;
}
Result cuDeviceGetAttribute(int *value, int attribute, DeviceNumber) {
  *value = attribute == attributeMajor              ? fake.major
           : attribute == attributeMinor            ? fake.minor
           : attribute == attributeSharedBytesOptin ? fake.sharedBytes
                                                    : multiprocessors;
  return success;
}
Result cuDevicePrimaryCtxRetain(ContextHandle *context, DeviceNumber) {
  Lock lock(mutex);
  ++fake.liveObjects;
  *context = reinterpret_cast<ContextHandle>(&fake);
  return success;
}
Result cuDevicePrimaryCtxRelease_v2(DeviceNumber) {
  Lock lock(mutex);
  --fake.liveObjects;
  return success;
}
Result cuCtxPushCurrent_v2(ContextHandle) {
  Lock lock(mutex);
  ++depth;
  ++fake.contextDepth;
  return success;
}
Result cuCtxPopCurrent_v2(ContextHandle *) {
  Lock lock(mutex);
  --depth;
  --fake.contextDepth;
  return success;
}
Result cuMemGetInfo_v2(size_t *free, size_t *total) {
  *total = static_cast<size_t>(fake.deviceBytes);
  *free = static_cast<size_t>(fake.deviceBytes - fake.liveBytes);
  return needContext();
}
Result cuMemAlloc_v2(Address *address, size_t bytes) {
  Lock lock(mutex);
  if (Result result = needContext())
    return result;
  if (fake.liveBytes + static_cast<int64_t>(bytes) > fake.deviceBytes)
    return errorOutOfMemory;
  void *memory = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
  std::memset(memory, 0xEE, bytes); // nobody may rely on zeros
  *address = reinterpret_cast<Address>(memory) | tag;
  deviceMemory[*address] = bytes;
  fake.liveBytes += static_cast<int64_t>(bytes);
  return success;
}
Result cuMemFree_v2(Address address) {
  Lock lock(mutex);
  if (!deviceMemory.count(address))
    return invalidValue;
  fake.liveBytes -= static_cast<int64_t>(deviceMemory[address]);
  deviceMemory.erase(address);
  std::free(onHost(address));
  return needContext();
}
Result cuMemAllocHost_v2(void **address, size_t bytes) {
  Lock lock(mutex);
  *address = std::aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
  hostMemory[*address] = bytes;
  fake.liveBytes += static_cast<int64_t>(bytes);
  return needContext();
}
Result cuMemFreeHost(void *address) {
  Lock lock(mutex);
  if (!hostMemory.count(address))
    return invalidValue;
  fake.liveBytes -= static_cast<int64_t>(hostMemory[address]);
  hostMemory.erase(address);
  std::free(address);
  return needContext();
}
Result cuMemsetD8Async(Address to, unsigned char value, size_t count, StreamHandle stream) {
  Lock lock(mutex);
  ++fake.clears;
  if (!isDevice(to, count))
    return invalidValue;
  return enqueue(stream, [=] { std::memset(onHost(to), value, count); });
}
Result cuMemcpyHtoDAsync_v2(Address to, const void *from, size_t bytes, StreamHandle stream) {
  Lock lock(mutex);
  ++fake.uploads;
  fake.uploadedBytes += static_cast<int64_t>(bytes);
  if (!isDevice(to, bytes))
    return invalidValue;
  return enqueue(stream, [=] { std::memcpy(onHost(to), from, bytes); });
}
Result cuMemcpyDtoHAsync_v2(void *to, Address from, size_t bytes, StreamHandle stream) {
  Lock lock(mutex);
  ++fake.downloads;
  if (!isDevice(from, bytes))
    return invalidValue;
  return enqueue(stream, [=] { std::memcpy(to, onHost(from), bytes); });
}
Result cuMemcpyDtoDAsync_v2(Address to, Address from, size_t bytes, StreamHandle stream) {
  Lock lock(mutex);
  ++fake.copies;
  if (!isDevice(to, bytes) || !isDevice(from, bytes))
    return invalidValue;
  return enqueue(stream, [=] { std::memcpy(onHost(to), onHost(from), bytes); });
}
Result cuMemcpy2DAsync_v2(const Copy2d *given, StreamHandle stream) {
  Lock lock(mutex);
  ++fake.uploadsOfRows;
  Copy2d copy = *given;
  if (copy.sourceType != memoryHost || copy.targetType != memoryDevice ||
      !isDevice(copy.targetDevice, (copy.height - 1) * copy.targetPitch + copy.width))
    return invalidValue;
  return enqueue(stream, [copy] {
    for (size_t row = 0; row < copy.height; ++row)
      std::memcpy(onHost(copy.targetDevice) + row * copy.targetPitch,
                  static_cast<const std::byte *>(copy.sourceHost) + row * copy.sourcePitch, copy.width);
  });
}
Result cuStreamCreate(StreamHandle *stream, unsigned) {
  Lock lock(mutex);
  ++fake.liveObjects;
  *stream = reinterpret_cast<StreamHandle>(new FakeStream);
  return needContext();
}
Result cuStreamDestroy_v2(StreamHandle stream) {
  Lock lock(mutex);
  --fake.liveObjects;
  drain(*streamOf(stream), UINT64_MAX);
  delete streamOf(stream);
  return needContext();
}
Result cuStreamSynchronize(StreamHandle stream) {
  Lock lock(mutex);
  ++fake.synchronizations;
  drain(*streamOf(stream), UINT64_MAX);
  return needContext();
}
Result cuStreamBeginCapture_v2(StreamHandle stream, int) {
  Lock lock(mutex);
  ++fake.captures;
  streamOf(stream)->recording = new Nodes;
  return needContext();
}
Result cuStreamEndCapture(StreamHandle stream, GraphHandle *graph) {
  Lock lock(mutex);
  ++fake.liveObjects;
  *graph = reinterpret_cast<GraphHandle>(streamOf(stream)->recording);
  streamOf(stream)->recording = nullptr;
  return needContext();
}
Result cuEventCreate(EventHandle *event, unsigned) {
  Lock lock(mutex);
  ++fake.liveObjects;
  *event = reinterpret_cast<EventHandle>(new FakeEvent);
  return needContext();
}
Result cuEventDestroy_v2(EventHandle event) {
  Lock lock(mutex);
  --fake.liveObjects;
  delete reinterpret_cast<FakeEvent *>(event);
  return needContext();
}
Result cuEventRecord(EventHandle event, StreamHandle stream) {
  Lock lock(mutex);
  auto *recorded = reinterpret_cast<FakeEvent *>(event);
  Result result = enqueue(stream, [passed = recorded->passed] { *passed = ++clockMilliseconds; });
  recorded->stream = streamOf(stream);
  recorded->after = streamOf(stream)->issued;
  return result;
}
Result cuEventRecordWithFlags(EventHandle event, StreamHandle stream, unsigned flags) {
  Lock lock(mutex);
  if (!streamOf(stream)->recording || flags != eventRecordExternal)
    return invalidValue;
  streamOf(stream)->recording->push_back({{}, reinterpret_cast<FakeEvent *>(event)});
  return needContext();
}
Result cuEventElapsedTime(float *milliseconds, EventHandle start, EventHandle end) {
  Lock lock(mutex);
  double from = *reinterpret_cast<FakeEvent *>(start)->passed, to = *reinterpret_cast<FakeEvent *>(end)->passed;
  if (from < 0 || to < 0)
    return notReady;
  *milliseconds = static_cast<float>(to - from);
  return needContext();
}
Result cuEventSynchronize(EventHandle handle) {
  Lock lock(mutex);
  auto *event = reinterpret_cast<FakeEvent *>(handle);
  if (event->stream)
    drain(*event->stream, event->after);
  return needContext();
}
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
Result cuFuncSetAttribute(FunctionHandle, int attribute, int value) {
  return attribute == functionMaxDynamicShared && value > fake.sharedBytes ? invalidValue : needContext();
}
Result cuLaunchKernelEx(const LaunchConfig *config, FunctionHandle function, void **params, void **) {
  Lock lock(mutex);
  FakeStream *stream = streamOf(config->stream);
  for (unsigned i = 0; i < config->numAttributes; ++i)
    fake.programmaticLaunches += config->attributes[i].id == launchProgrammaticSerialization;
  Launch launch = {reinterpret_cast<FakeModule *>(function)->cubin, {}};
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
  std::memcpy(map, &address, sizeof(address));
  return success;
}
}
#pragma GCC visibility pop
