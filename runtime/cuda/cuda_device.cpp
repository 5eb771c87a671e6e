#include "runtime/cuda/cuda_device.h"
#include "runtime/cuda/executor.h"
#include <algorithm>

namespace bambac::rt::cuda {
namespace {

/// A copy of rows without its addresses.
Copy2d rowsOf(size_t toPitch, size_t fromPitch, size_t bytes, size_t rows) {
  Copy2d copy = {};
  copy.targetPitch = toPitch;
  copy.sourcePitch = fromPitch;
  copy.width = bytes;
  copy.height = rows;
  return copy;
}

} // namespace

CudaDevice::CudaDevice(std::shared_ptr<const Kernels> loaded, void *callers)
    : kernels(std::move(loaded)), context(*kernels->context()), own(callers ? nullptr : context.makeStream()),
      stream(callers ? static_cast<StreamHandle>(callers) : own.get()) {
  for (Event &mark : marks)
    mark = context.makeEvent();
}

template <typename Call> void CudaDevice::call(const char *doing, const Call &call) const {
  Context::Current current(context);
  context.check(call(context.driver()), doing);
}

DeviceMemory CudaDevice::allocate(size_t bytes, const char *what) {
  DeviceMemory memory = context.allocate(bytes, what);
  clear(memory.get(), bytes);
  return memory;
}

DeviceMemory CudaDevice::allocateHost(size_t bytes, const char *what) { return context.allocateHost(bytes, what); }

void CudaDevice::clear(std::byte *to, size_t bytes) {
  if (bytes > 0)
    call("clearing memory",
         [&](const Driver &driver) { return driver.memsetD8Async(addressOf(to), 0, bytes, stream); });
}

void CudaDevice::copy(std::byte *to, const std::byte *from, size_t bytes) {
  if (bytes > 0)
    call("copying memory",
         [&](const Driver &driver) { return driver.memcpyDtoDAsync(addressOf(to), addressOf(from), bytes, stream); });
}

void CudaDevice::upload(std::byte *to, const std::byte *from, size_t bytes) {
  if (bytes > 0)
    call("copying to the device",
         [&](const Driver &driver) { return driver.memcpyHtoDAsync(addressOf(to), from, bytes, stream); });
}

void CudaDevice::download(std::byte *to, const std::byte *from, size_t bytes) {
  if (bytes > 0)
    call("copying from the device",
         [&](const Driver &driver) { return driver.memcpyDtoHAsync(to, addressOf(from), bytes, stream); });
}

template <typename One> bool CudaDevice::byRow(size_t pitch, size_t rows, const One &one) {
  if (rows > 1 && pitch <= context.mostPitch())
    return false;
  for (size_t row = 0; row < rows; ++row)
    one(row);
  return true;
}

void CudaDevice::clearRows(std::byte *to, size_t pitch, size_t bytes, size_t rows) {
  if (byRow(pitch, rows, [&](size_t row) { clear(to + row * pitch, bytes); }))
    return;
  if (bytes == 0)
    return;
  constexpr size_t word = sizeof(unsigned); // words are faster than bytes
  bool isWords = (addressOf(to) | pitch | bytes) % word == 0;
  call("clearing memory", [&](const Driver &driver) {
    return isWords ? driver.memsetD2D32Async(addressOf(to), pitch, 0, bytes / word, rows, stream)
                   : driver.memsetD2D8Async(addressOf(to), pitch, 0, bytes, rows, stream);
  });
}

void CudaDevice::copyRows(std::byte *to, size_t toPitch, const std::byte *from, size_t fromPitch, size_t bytes,
                          size_t rows) {
  if (byRow(std::max(toPitch, fromPitch), rows,
            [&](size_t row) { copy(to + row * toPitch, from + row * fromPitch, bytes); }))
    return;
  Copy2d copy = rowsOf(toPitch, fromPitch, bytes, rows);
  copy.sourceType = copy.targetType = memoryDevice;
  copy.sourceDevice = addressOf(from);
  copy.targetDevice = addressOf(to);
  copy2d("copying memory", copy);
}

void CudaDevice::uploadRows(std::byte *to, size_t toPitch, const std::byte *from, size_t fromPitch, size_t bytes,
                            size_t rows) {
  if (byRow(std::max(toPitch, fromPitch), rows,
            [&](size_t row) { upload(to + row * toPitch, from + row * fromPitch, bytes); }))
    return;
  Copy2d copy = rowsOf(toPitch, fromPitch, bytes, rows);
  copy.sourceType = memoryHost;
  copy.sourceHost = from;
  copy.targetType = memoryDevice;
  copy.targetDevice = addressOf(to);
  copy2d("copying to the device", copy);
}

void CudaDevice::downloadRows(std::byte *to, size_t toPitch, const std::byte *from, size_t fromPitch, size_t bytes,
                              size_t rows) {
  if (byRow(std::max(toPitch, fromPitch), rows,
            [&](size_t row) { download(to + row * toPitch, from + row * fromPitch, bytes); }))
    return;
  Copy2d copy = rowsOf(toPitch, fromPitch, bytes, rows);
  copy.sourceType = memoryDevice;
  copy.sourceDevice = addressOf(from);
  copy.targetType = memoryHost;
  copy.targetHost = to;
  copy2d("copying from the device", copy);
}

void CudaDevice::copy2d(const char *doing, const Copy2d &copy) {
  if (copy.width > 0)
    call(doing, [&](const Driver &driver) { return driver.memcpy2DAsync(&copy, stream); });
}

void CudaDevice::mark(unsigned mark) {
  call("recording an event", [&](const Driver &driver) { return driver.eventRecord(marks[mark].get(), stream); });
}

void CudaDevice::waitFor(unsigned mark) {
  call("waiting for the device", [&](const Driver &driver) { return driver.eventSynchronize(marks[mark].get()); });
}

void CudaDevice::finish() {
  call("waiting for the device", [&](const Driver &driver) { return driver.streamSynchronize(stream); });
}

std::unique_ptr<Executor> CudaDevice::makeExecutor(const bamba_rt_model &model, const Buffers &buffers) {
  return std::make_unique<CudaExecutor>(model, kernels, stream, buffers,
                                        allocate(workspaceBytes(model), "the workspace"));
}

} // namespace bambac::rt::cuda
