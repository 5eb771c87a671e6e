// What must succeed although it allocates: it is tried until there is memory for it.
#ifndef BAMBA_RUNTIME_ENGINE_WITH_MEMORY_H
#define BAMBA_RUNTIME_ENGINE_WITH_MEMORY_H

#include <chrono>
#include <new>
#include <thread>

namespace bambac::rt {

/// Runs `body` until it does not throw std::bad_alloc; each time it goes on from where it was. The engine's thread has
/// nobody to report to, and must not lose an event: it waits until others give memory back.
template <typename Body> void withMemory(const Body &body) {
  while (true) {
    try {
      return body();
    } catch (const std::bad_alloc &) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
}

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_ENGINE_WITH_MEMORY_H
