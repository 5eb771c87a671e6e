// How bamba-run writes sizes, counts, shapes and durations for people.
#ifndef BAMBAC_RUNTIME_RUN_FORMAT_H
#define BAMBAC_RUNTIME_RUN_FORMAT_H

#include "runtime/support/format_shape.h"

#include <cstdint>
#include <string>

namespace bambac::run {

/// "17.2 GiB"; below 1024 bytes the exact number, "96 B".
std::string formatBytes(uint64_t bytes);

/// "18,446,744": digits in groups of three.
std::string formatCount(uint64_t count);

using rt::formatShape;

/// "28.7 MFLOP"; below 1000 the exact number, "96 FLOP"; "-" for none.
std::string formatOperations(uint64_t operations);

/// "12.3 ms": three digits and the unit that suits.
std::string formatSeconds(double seconds);

} // namespace bambac::run

#endif // BAMBAC_RUNTIME_RUN_FORMAT_H
