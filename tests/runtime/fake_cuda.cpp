// The fake driver's devices, memory, copies, streams and events.
#include "tests/runtime/fake_cuda_state.h"
#include <cstdlib>
#include <cstring>

using namespace bambac::fake_cuda;

namespace {

bool hasRows(Address address, size_t pitch, size_t width, size_t height) {
  return pitch <= static_cast<size_t>(fake.maxPitch) && width <= pitch &&
         isDevice(address, (height - 1) * pitch + width);
}

Result clearRows(Address to, size_t pitch, unsigned char value, size_t width, size_t height, StreamHandle stream) {
  if (fake.failClear)
    return fake.failClear;
  if (!hasRows(to, pitch, width, height))
    return invalidValue;
  return enqueue(stream, [=] {
    for (size_t row = 0; row < height; ++row)
      std::memset(onHost(to) + row * pitch, value, width);
  });
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
           : attribute == attributeMaxPitch         ? fake.maxPitch
                                                    : fake.multiprocessors;
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
  if (fake.failClear)
    return fake.failClear;
  if (!isDevice(to, count))
    return invalidValue;
  return enqueue(stream, [=] { std::memset(onHost(to), value, count); });
}
Result cuMemsetD2D8Async(Address to, size_t pitch, unsigned char value, size_t width, size_t height,
                         StreamHandle stream) {
  Lock lock(mutex);
  ++fake.clears;
  return clearRows(to, pitch, value, width, height, stream);
}
Result cuMemsetD2D32Async(Address to, size_t pitch, unsigned value, size_t width, size_t height, StreamHandle stream) {
  Lock lock(mutex);
  ++fake.clears;
  ++fake.clearsOfWords;
  if (value != 0 || (to | pitch) % sizeof(value) != 0)
    return invalidValue;
  return clearRows(to, pitch, 0, width * sizeof(value), height, stream);
}
Result cuMemcpyHtoDAsync_v2(Address to, const void *from, size_t bytes, StreamHandle stream) {
  Lock lock(mutex);
  ++fake.uploads;
  fake.uploadedBytes += static_cast<int64_t>(bytes);
  if (fake.failUpload)
    return fake.failUpload;
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
  if (fake.failCopy)
    return fake.failCopy;
  if (!isDevice(to, bytes) || !isDevice(from, bytes))
    return invalidValue;
  return enqueue(stream, [=] { std::memcpy(onHost(to), onHost(from), bytes); });
}
Result cuMemcpy2DAsync_v2(const Copy2d *given, StreamHandle stream) {
  Lock lock(mutex);
  Copy2d copy = *given;
  bool fromHost = copy.sourceType == memoryHost, toHost = copy.targetType == memoryHost;
  ++(fromHost ? fake.uploadsOfRows : toHost ? fake.downloadsOfRows : fake.copies);
  if (Result failed = fromHost ? fake.failUpload : toHost ? success : fake.failCopy)
    return failed;
  if ((!fromHost && !hasRows(copy.sourceDevice, copy.sourcePitch, copy.width, copy.height)) ||
      (!toHost && !hasRows(copy.targetDevice, copy.targetPitch, copy.width, copy.height)))
    return invalidValue;
  return enqueue(stream, [copy, fromHost, toHost] {
    const std::byte *from = fromHost ? static_cast<const std::byte *>(copy.sourceHost) : onHost(copy.sourceDevice);
    std::byte *to = toHost ? static_cast<std::byte *>(copy.targetHost) : onHost(copy.targetDevice);
    for (size_t row = 0; row < copy.height; ++row)
      std::memcpy(to + row * copy.targetPitch, from + row * copy.sourcePitch, copy.width);
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
  if (event->stream) {
    size_t before = event->stream->queue.size();
    drain(*event->stream, event->after);
    size_t left = event->stream->queue.size();
    fake.waitsThatLeaveWork += left < before && left > 0;
  }
  return needContext();
}
}
#pragma GCC visibility pop
