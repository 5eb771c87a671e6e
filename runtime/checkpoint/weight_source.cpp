// Reads rows from their file, or generates them.
#include "runtime/checkpoint/weight_source.h"
#include "runtime/contract/weight_layout.h"
#include "runtime/support/element.h"
#include "runtime/support/hash.h"
#include <algorithm>

namespace bambac::rt {

static bool isNanCode(std::byte code) { return isNan(E4m3{static_cast<uint8_t>(code)}); }

uint64_t WeightSource::rowAt(uint64_t place) const { return contract::rotaryRowAt(place, headDim, rotaryDim); }

void WeightSource::readAhead(uint64_t cols, uint64_t begin, uint64_t end) const {
  uint64_t rowBytes = cols * elementBytes(dtype);
  if (file && begin < end)
    file->readAhead(offset + begin * rowBytes, (end - begin) * rowBytes);
}

void WeightSource::copyRows(uint64_t cols, uint64_t begin, uint64_t end, std::byte *to) const {
  uint64_t rowBytes = cols * elementBytes(dtype);
  std::span<std::byte> bytes(to, (end - begin) * rowBytes);
  if (numbers)
    std::copy_n(reinterpret_cast<const std::byte *>(numbers->data()) + begin * rowBytes, bytes.size(), to);
  else if (file)
    file->read(offset + begin * rowBytes, bytes);
  else if (dtype == BAMBA_RT_F8E4M3)
    generateCodes(begin * cols, (end - begin) * cols, reinterpret_cast<E4m3 *>(to));
  else
    random.generate(begin * cols, (end - begin) * cols, reinterpret_cast<float *>(to));
  if (file && dtype == BAMBA_RT_F8E4M3)
    checkCodes(cols, bytes);
}

void WeightSource::generateCodes(uint64_t index, uint64_t count, E4m3 *to) const {
  constexpr uint64_t step = 256;
  float generated[step];
  for (uint64_t at = 0; at < count; at += step) {
    uint64_t some = std::min(step, count - at);
    random.generate(index + at, some, generated);
    for (uint64_t i = 0; i < some; ++i)
      to[at + i] = fromF32<E4m3>(generated[i] / randomScale);
  }
}

/// Where there is one code of NaN, all rows are looked at for how many there are.
void WeightSource::checkCodes(uint64_t cols, std::span<const std::byte> codes) const {
  size_t found = 0; // a sum, which takes less time than to stop at the first
  for (std::byte code : codes)
    found += isNanCode(code);
  if (found == 0)
    return;
  std::vector<std::byte> row(cols);
  uint64_t count = 0, first = 0;
  for (uint64_t number = 0; number < rows; ++number) {
    file->read(offset + number * cols, row);
    for (uint64_t column = 0; column < cols; ++column)
      if (isNanCode(row[column]) && count++ == 0)
        first = number * cols + column;
  }
  fail(BAMBA_BAD_CHECKPOINT, "{}: tensor '{}': expected numbers, found NaN {} times, first at [{}, {}]", file->path(),
       tensor, count, first / cols, first % cols);
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
