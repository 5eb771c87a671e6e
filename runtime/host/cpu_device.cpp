#include "runtime/host/cpu_device.h"
#include "runtime/host/interpreter.h"
#include "runtime/support/memory.h"
#include <algorithm>
#include <cstring>

namespace bambac::rt {
namespace {

/// Calls function(row, begin, size) for pieces of `rows` rows of `bytes` bytes, on all threads where that pays.
template <typename Function>
void forEachPiece(ThreadPool &threads, size_t bytes, size_t rows, const Function &function) {
  constexpr size_t piece = size_t{1} << 20;
  if (bytes * rows <= piece) {
    for (size_t row = 0; row < rows; ++row)
      function(row, 0, bytes);
    return;
  }
  size_t pieces = (bytes + piece - 1) / piece; // of a row
  threads.forEach(pieces * rows, [&](uint64_t index, unsigned) {
    size_t begin = index % pieces * piece;
    function(index / pieces, begin, std::min(piece, bytes - begin));
  });
}

} // namespace

DeviceMemory CpuDevice::allocate(size_t bytes, const char *what) {
  if (bytes == 0)
    return nullptr;
  auto region = std::make_shared<Region>(bytes, what);
  return {region, region->data()};
}

void CpuDevice::clearRows(std::byte *to, size_t pitch, size_t bytes, size_t rows) {
  forEachPiece(threads, bytes, rows,
               [&](size_t row, size_t begin, size_t size) { std::memset(to + row * pitch + begin, 0, size); });
}

void CpuDevice::copyRows(std::byte *to, size_t toPitch, const std::byte *from, size_t fromPitch, size_t bytes,
                         size_t rows) {
  forEachPiece(threads, bytes, rows, [&](size_t row, size_t begin, size_t size) {
    std::memcpy(to + row * toPitch + begin, from + row * fromPitch + begin, size);
  });
}

std::unique_ptr<Executor> CpuDevice::makeExecutor(const bamba_rt_model &model, const Buffers &buffers) {
  return std::make_unique<Interpreter>(model, threads, buffers);
}

} // namespace bambac::rt
