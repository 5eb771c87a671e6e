// Calls the driver with the device's primary context current, and gives back in destructors what was made.
#include "runtime/run/measure/gpu.h"
#include "runtime/support/element.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <random>
#include <stdexcept>
#include <utility>
#include <vector>

namespace bambac::measure {

/// The I of "cuda:I".
static int parseIndex(const std::string &device) {
  constexpr std::string_view prefix = "cuda:";
  int index = 0;
  if (device.starts_with(prefix))
    std::from_chars(device.data() + prefix.size(), device.data() + device.size(), index);
  return index;
}

Gpu::Gpu(const std::string &device, const char *library) : functions(library) {
  constexpr int attributeMultiprocessors = 16; // CUdevice_attribute
  constexpr unsigned nonBlocking = 1;          // CUstream_flags
  int index = parseIndex(device), count = 0, multiprocessors = 0;
  functions.check(functions.cuDeviceGetCount(&count), "counting devices");
  if (index >= count)
    throw std::runtime_error(fmt::format("{}: expected one of {} CUDA devices, found no such device", device, count));
  char name[256] = {};
  functions.check(functions.cuDeviceGet(&number, index), "opening the device");
  functions.check(functions.cuDeviceGetName(name, sizeof(name) - 1, number), "opening the device");
  functions.check(functions.cuDeviceGetAttribute(&multiprocessors, attributeMultiprocessors, number),
                  "opening the device");
  productName = name;
  numMultiprocessors = static_cast<unsigned>(std::max(multiprocessors, 1));
  functions.check(functions.cuDevicePrimaryCtxRetain(&context, number), "opening the device");
  try {
    Current current(*this);
    functions.check(functions.cuStreamCreate(&ownStream, nonBlocking), "creating a stream");
  } catch (...) {
    functions.cuDevicePrimaryCtxRelease(number);
    throw;
  }
}

Gpu::~Gpu() {
  release([&] { functions.cuStreamDestroy(ownStream); });
  functions.cuDevicePrimaryCtxRelease(number);
}

Gpu::Current::Current(const Gpu &gpu) : gpu(gpu) {
  gpu.functions.check(gpu.functions.cuCtxPushCurrent(gpu.context), "making the context current");
}

Gpu::Current::~Current() {
  void *popped;
  gpu.functions.cuCtxPopCurrent(&popped);
}

template <typename Free> void Gpu::release(const Free &free) const noexcept {
  try {
    Current current(*this);
    free();
  } catch (...) { // NOLINT(bugprone-empty-catch): the device is lost, and what was on it
  }
}

Gpu::MemoryInfo Gpu::memory() const {
  Current current(*this);
  MemoryInfo info = {};
  functions.check(functions.cuMemGetInfo(&info.free, &info.total), "asking for free memory");
  return info;
}

void Gpu::finish() const {
  Current current(*this);
  functions.check(functions.cuStreamSynchronize(ownStream), "waiting for the device");
}

Gpu::Mark Gpu::mark() const {
  Current current(*this);
  void *event = nullptr;
  functions.check(functions.cuEventCreate(&event, 0), "creating an event");
  Mark mark(event, [this](void *event) { release([&] { functions.cuEventDestroy(event); }); });
  functions.check(functions.cuEventRecord(event, ownStream), "recording an event");
  return mark;
}

double Gpu::secondsBetween(const Mark &start, const Mark &end) const {
  Current current(*this);
  float milliseconds = 0;
  functions.check(functions.cuEventElapsedTime(&milliseconds, start.get(), end.get()), "reading a timer");
  return double{milliseconds} * 1e-3;
}

Gpu::Buffer::Buffer(const Gpu &gpu, size_t bytes, const char *what) : gpu(gpu) {
  Current current(gpu);
  gpu.functions.check(gpu.functions.cuMemAlloc(&start, bytes), fmt::format("allocating {} bytes for {}", bytes, what));
}

Gpu::Buffer::Buffer(Buffer &&other) noexcept : gpu(other.gpu), start(std::exchange(other.start, 0)) {}

Gpu::Buffer::~Buffer() {
  if (start)
    gpu.release([&] { gpu.functions.cuMemFree(start); });
}

/// Numbers from -1 to 1 that fill a piece of memory, or `bytes` if they are fewer.
template <typename T> static std::vector<T> makeRandomNumbers(size_t bytes) {
  constexpr size_t pieceBytes = 8 << 20;
  std::mt19937 random(1); // NOLINT(bugprone-random-generator-seed): the same numbers in every measurement
  std::uniform_real_distribution<float> distribution(-1, 1);
  std::vector<T> numbers(std::min(pieceBytes, bytes) / sizeof(T));
  for (T &number : numbers)
    number = rt::fromF32<T>(distribution(random));
  return numbers;
}

Gpu::Buffer Gpu::makeRandom(size_t bytes, const char *what) const {
  std::vector<rt::Bf16> numbers = makeRandomNumbers<rt::Bf16>(bytes);
  return makeFilled(std::as_bytes(std::span(numbers)), bytes, what);
}

Gpu::Buffer Gpu::makeRandomCodes(size_t bytes, const char *what) const {
  std::vector<rt::E4m3> numbers = makeRandomNumbers<rt::E4m3>(bytes);
  return makeFilled(std::as_bytes(std::span(numbers)), bytes, what);
}

/// `piece` again and again.
Gpu::Buffer Gpu::makeFilled(std::span<const std::byte> piece, size_t bytes, const char *what) const {
  Buffer buffer(*this, bytes, what);
  size_t filled = piece.size();
  Current current(*this);
  functions.check(functions.cuMemcpyHtoDAsync(buffer.address(), piece.data(), filled, ownStream), what);
  while (filled < bytes) {
    size_t more = std::min(filled, bytes - filled);
    functions.check(functions.cuMemcpyDtoDAsync(buffer.address() + filled, buffer.address(), more, ownStream), what);
    filled += more;
  }
  finish();
  return buffer;
}

} // namespace bambac::measure
