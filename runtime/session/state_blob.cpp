#include "runtime/session/state_blob.h"
#include "runtime/support/error.h"
#include "runtime/support/memory.h"
#include <cstring>

namespace bambac::rt {
namespace {

constexpr char magic[] = {'B', 'A', 'M', 'B', 'A', 'S', 'E', 'Q'};
constexpr uint32_t version = 1;
constexpr size_t versionAt = 8, tokensAt = 12, fingerprintAt = 16, payloadAt = 24, checksumAt = 32;

template <typename T> T load(std::span<const std::byte> bytes, size_t at) {
  T value = 0;
  for (size_t i = 0; i < sizeof(T); ++i)
    value |= static_cast<T>(std::to_integer<T>(bytes[at + i]) << (8 * i));
  return value;
}

template <typename T> void store(std::span<std::byte> bytes, size_t at, T value) {
  for (size_t i = 0; i < sizeof(T); ++i)
    bytes[at + i] = static_cast<std::byte>(value >> (8 * i));
}

/// Takes in one word after another; each step is a bijection of the sum, so that a changed word always changes the
/// result.
uint64_t addWord(uint64_t sum, uint64_t word) {
  sum = (sum ^ word) * 0x9E3779B97F4A7C15;
  return sum ^ sum >> 32;
}

uint64_t addBytes(uint64_t sum, std::span<const std::byte> bytes) {
  size_t at = 0;
  for (; at + 8 <= bytes.size(); at += 8) {
    uint64_t word;
    std::memcpy(&word, bytes.data() + at, 8);
    sum = addWord(sum, word);
  }
  uint64_t last = 0;
  std::memcpy(&last, bytes.data() + at, bytes.size() - at);
  return addWord(sum, last);
}

uint64_t checksum(std::span<const std::byte> blob) {
  return addBytes(addBytes(0, blob.first(checksumAt)), blob.subspan(stateHeaderBytes));
}

template <typename T> void expectEqual(const char *field, T expected, T found) {
  if (expected != found)
    fail(BAMBA_BAD_STATE, "saved state: {}: expected {}, found {}", field, expected, found);
}

} // namespace

uint64_t StateShape::payloadBytes(uint64_t tokens) const {
  uint64_t pages = pageTokens ? (tokens + pageTokens - 1) / pageTokens : 0;
  return checkedAdd(slotBytes, checkedMul(pages, pageBytes, "a saved state"), "a saved state");
}

void sealStateBlob(const StateShape &shape, uint32_t tokens, std::span<std::byte> blob) {
  std::memcpy(blob.data(), magic, sizeof(magic));
  store<uint32_t>(blob, versionAt, version);
  store<uint32_t>(blob, tokensAt, tokens);
  store<uint64_t>(blob, fingerprintAt, shape.fingerprint);
  store<uint64_t>(blob, payloadAt, blob.size() - stateHeaderBytes);
  store<uint64_t>(blob, checksumAt, checksum(blob));
}

StateBlob openStateBlob(const StateShape &shape, std::span<const std::byte> blob) {
  if (blob.size() < stateHeaderBytes)
    fail(BAMBA_BAD_STATE, "saved state: expected at least {} bytes, found {}", stateHeaderBytes, blob.size());
  if (std::memcmp(blob.data(), magic, sizeof(magic)) != 0)
    fail(BAMBA_BAD_STATE, "saved state: expected the letters BAMBASEQ at the start, found others");
  expectEqual("version", version, load<uint32_t>(blob, versionAt));
  expectEqual("fingerprint of the model", shape.fingerprint, load<uint64_t>(blob, fingerprintAt));
  uint32_t tokens = load<uint32_t>(blob, tokensAt);
  if (tokens > shape.maxContext)
    fail(BAMBA_BAD_STATE, "saved state: tokens: expected at most {}, found {}", shape.maxContext, tokens);
  uint64_t expected = shape.payloadBytes(tokens);
  expectEqual("bytes of payload by the header", expected, load<uint64_t>(blob, payloadAt));
  expectEqual("bytes of payload", expected, uint64_t{blob.size() - stateHeaderBytes});
  expectEqual("checksum", checksum(blob), load<uint64_t>(blob, checksumAt));
  return {tokens, blob.subspan(stateHeaderBytes)};
}

} // namespace bambac::rt
