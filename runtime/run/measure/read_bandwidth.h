// Measures how fast this machine's memory can be read.
#ifndef BAMBAC_RUNTIME_RUN_MEASURE_READ_BANDWIDTH_H
#define BAMBAC_RUNTIME_RUN_MEASURE_READ_BANDWIDTH_H

#include <cstdint>

namespace bambac::measure {

/// What was read, again and again, and how fast at best.
struct Bandwidth {
  uint64_t bufferBytes = 0;
  double bytesPerSecond = 0;
};

/// Streams through a buffer of `bytes`, a part for each thread, several times.
Bandwidth measureReadBandwidth(uint64_t bytes, unsigned threads);

/// A size that no cache of this machine holds: four times the last-level cache, at least 1 GiB, if there is memory for
/// it.
uint64_t chooseMemoryBufferBytes();

} // namespace bambac::measure

#endif // BAMBAC_RUNTIME_RUN_MEASURE_READ_BANDWIDTH_H
