// A search by halves. A session takes its memory when it is made, so that making it is the question.

#include "runtime/run/bench/fit.h"
#include "runtime/run/failure.h"

#include <algorithm>

namespace bambac::run {

uint32_t findLargest(uint32_t most, const std::function<bool(uint32_t)> &fits) {
  if (fits(most))
    return most;
  uint32_t largest = 0, tooMany = most;
  while (tooMany - largest > 1) {
    uint32_t middle = largest + (tooMany - largest) / 2;
    (fits(middle) ? largest : tooMany) = middle;
  }
  return largest;
}

uint32_t findLargestBatch(const Bench &bench, uint32_t context, uint32_t steps) {
  uint32_t largest = findLargest(bench.model.getInfo().max_batch, [&](uint32_t batch) {
    try {
      makeDecodeSession(bench, batch, context, steps);
      return true;
    } catch (const OutOfMemory &) {
      return false;
    }
  });
  return std::max(largest, 1u);
}

} // namespace bambac::run
