// Asks for the process's affinity, which containers and taskset limit.
#include "runtime/support/processors.h"
#include <algorithm>
#include <sched.h>
#include <thread>

namespace bambac::rt {

unsigned availableProcessors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0)
    return static_cast<unsigned>(std::max(CPU_COUNT(&set), 1));
  return std::max(std::thread::hardware_concurrency(), 1u);
}

} // namespace bambac::rt
