// Reads rows from their file, or generates them.
#include "runtime/checkpoint/weight_source.h"
#include "runtime/contract/weight_layout.h"
#include "runtime/support/element.h"
#include "runtime/support/hash.h"
#include <algorithm>

namespace bambac::rt {

uint64_t WeightSource::rowAt(uint64_t place) const { return contract::rotaryRowAt(place, headDim, rotaryDim); }

void WeightSource::readAhead(uint64_t cols, uint64_t begin, uint64_t end) const {
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

uint64_t WeightSource::sampleRow(uint64_t row, std::span<const std::byte> bytes) const {
  constexpr size_t sample = 64, step = 4096;
  uint64_t sum = hashWord(key, row);
  for (size_t at = 0; at < bytes.size(); at += step)
    sum = hashBytes(sum, bytes.subspan(at, std::min(sample, bytes.size() - at)));
  return sum;
}

WeightSource WeightSource::inMemory(const std::byte *rows, uint64_t first) const {
  WeightSource source = *this;
  source.data = rows;
  source.firstRow = first;
  source.file = nullptr;
  return source;
}

} // namespace bambac::rt
