#include "runtime/device/device.h"

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

} // namespace bambac::rt
