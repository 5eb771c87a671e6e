// What a state ring moves.
#pragma once

namespace bambac::geometry {

/// Bytes that a decode step moves on average for a sequence with a ring of `length`: it reads the state and half the
/// entries, and writes an entry, or every so many steps the state.
constexpr double ringStepBytes(long long stateBytes, long long entryBytes, long long length) {
  double written = 1.0 / static_cast<double>(length), entries = static_cast<double>(length - 1) * (0.5 + written);
  return static_cast<double>(stateBytes) * (1.0 + written) + static_cast<double>(entryBytes) * entries;
}

} // namespace bambac::geometry
