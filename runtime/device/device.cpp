#include "runtime/device/device.h"
#include <algorithm>

namespace bambac::rt {

void *Buffers::resolve(const bamba_rt_arg &arg) const {
  void *base = nullptr;
  switch (arg.space) {
  case BAMBA_RT_SPACE_WEIGHT:
    base = weights[arg.index];
    break;
  case BAMBA_RT_SPACE_STATE:
    base = states[arg.index];
    break;
  case BAMBA_RT_SPACE_ARENA:
    base = arena;
    break;
  case BAMBA_RT_SPACE_INPUT:
    base = inputs[arg.index];
    break;
  default:
    base = outputs[arg.index];
    break;
  }
  return static_cast<std::byte *>(base) + arg.offset;
}

double medianOf(std::vector<double> times) {
  auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
  std::ranges::nth_element(times, middle);
  return *middle;
}

} // namespace bambac::rt
