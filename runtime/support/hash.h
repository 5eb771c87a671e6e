// A fast hash of bytes that finds damage and tells contents apart. It is not made to resist an attacker.
#ifndef BAMBA_RUNTIME_SUPPORT_HASH_H
#define BAMBA_RUNTIME_SUPPORT_HASH_H

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace bambac::rt {

/// Takes in one word after another; each step is a bijection of the sum, so that a changed word always changes the
/// result.
inline uint64_t hashWord(uint64_t sum, uint64_t word) {
  sum = (sum ^ word) * 0x9E3779B97F4A7C15;
  return sum ^ sum >> 32;
}

inline uint64_t hashBytes(uint64_t sum, std::span<const std::byte> bytes) {
  size_t at = 0;
  for (; at + 8 <= bytes.size(); at += 8) {
    uint64_t word;
    std::memcpy(&word, bytes.data() + at, 8);
    sum = hashWord(sum, word);
  }
  uint64_t last = 0;
  std::memcpy(&last, bytes.data() + at, bytes.size() - at);
  return hashWord(sum, last);
}

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_SUPPORT_HASH_H
