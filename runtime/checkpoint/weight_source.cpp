// Reads rows from their file, or generates them.
#include "runtime/checkpoint/weight_source.h"
#include "runtime/contract/weight_layout.h"
#include "runtime/support/element.h"

namespace bambac::rt {

uint64_t WeightSource::rowAt(uint64_t place) const { return contract::rotaryRowAt(place, headDim, rotaryDim); }

void WeightSource::readAhead(uint64_t cols, uint64_t begin, uint64_t end) const noexcept {
  uint64_t rowBytes = cols * elementBytes(dtype);
  if (file && begin < end)
    file->readAhead(offset + begin * rowBytes, (end - begin) * rowBytes);
}

void WeightSource::copyRows(uint64_t cols, uint64_t begin, uint64_t end, std::byte *to) const {
  uint64_t rowBytes = cols * elementBytes(dtype);
  if (file)
    file->read(offset + begin * rowBytes, {to, (end - begin) * rowBytes});
  else
    random.generate(begin * cols, (end - begin) * cols, reinterpret_cast<float *>(to));
}

WeightSource WeightSource::inMemory(const std::byte *rows, uint64_t first) const {
  WeightSource source = *this;
  source.data = rows;
  source.firstRow = first;
  source.file = nullptr;
  return source;
}

} // namespace bambac::rt
