#include "runtime/checkpoint/weight_source.h"
#include "runtime/contract/weight_layout.h"
#include "runtime/support/element.h"
#include <cstring>
#include <sys/mman.h>
#include <unistd.h>

namespace bambac::rt {

uint64_t WeightSource::rowAt(uint64_t place) const { return contract::rotaryRowAt(place, headDim, rotaryDim); }

void WeightSource::readAhead(uint64_t cols, uint64_t begin, uint64_t end) const {
  if (!data || begin >= end)
    return;
  uint64_t rowBytes = cols * elementBytes(dtype), page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  const std::byte *first = data + begin * rowBytes;
  uint64_t inPage = reinterpret_cast<uintptr_t>(first) % page;
  madvise(const_cast<std::byte *>(first - inPage), (end - begin) * rowBytes + inPage, MADV_WILLNEED);
}

void WeightSource::copyRows(uint64_t cols, uint64_t begin, uint64_t end, std::byte *to) const {
  uint64_t count = (end - begin) * cols;
  if (data)
    std::memcpy(to, data + begin * cols * elementBytes(dtype), count * elementBytes(dtype));
  else
    random.generate(begin * cols, count, reinterpret_cast<float *>(to));
}

} // namespace bambac::rt
