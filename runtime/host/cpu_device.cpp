#include "runtime/host/cpu_device.h"
#include "runtime/host/interpreter.h"
#include "runtime/support/memory.h"
#include <algorithm>
#include <cstring>

namespace bambac::rt {
namespace {

/// Calls function(begin, size) for pieces of `bytes` bytes, on all threads where that pays.
template <typename Function> void forEachPiece(ThreadPool &threads, size_t bytes, const Function &function) {
  constexpr size_t piece = size_t{1} << 20;
  if (bytes <= piece)
    return function(0, bytes);
  threads.forEach((bytes + piece - 1) / piece,
                  [&](uint64_t index, unsigned) { function(index * piece, std::min(piece, bytes - index * piece)); });
}

} // namespace

DeviceMemory CpuDevice::allocate(size_t bytes, const char *what) {
  if (bytes == 0)
    return nullptr;
  auto region = std::make_shared<Region>(bytes, what);
  return {region, region->data()};
}

void CpuDevice::clear(std::byte *to, size_t bytes) {
  forEachPiece(threads, bytes, [&](size_t begin, size_t size) { std::memset(to + begin, 0, size); });
}

void CpuDevice::copy(std::byte *to, const std::byte *from, size_t bytes) {
  forEachPiece(threads, bytes, [&](size_t begin, size_t size) { std::memcpy(to + begin, from + begin, size); });
}

void CpuDevice::uploadRows(std::byte *to, const std::byte *from, size_t bytes, size_t rows, size_t pitch) {
  for (size_t row = 0; row < rows; ++row)
    copy(to + row * pitch, from + row * pitch, bytes);
}

void CpuDevice::copyRows(std::byte *to, size_t toPitch, const std::byte *from, size_t fromPitch, size_t bytes,
                         size_t rows) {
  for (size_t row = 0; row < rows; ++row)
    copy(to + row * toPitch, from + row * fromPitch, bytes);
}

std::unique_ptr<Executor> CpuDevice::makeExecutor(const bamba_rt_model &model, const Buffers &buffers) {
  return std::make_unique<Interpreter>(model, threads, buffers);
}

} // namespace bambac::rt
