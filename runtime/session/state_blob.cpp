#include "runtime/session/state_blob.h"
#include "runtime/support/error.h"
#include "runtime/support/hash.h"
#include "runtime/support/memory.h"
#include <algorithm>
#include <cstring>

namespace bambac::rt {
namespace {

constexpr char magic[] = {'B', 'A', 'M', 'B', 'A', 'S', 'E', 'Q'};
constexpr uint32_t version = 3;
constexpr size_t versionAt = 8, tokensAt = 12, fingerprintAt = 16, weightsAt = 24, payloadAt = 32, pendingAt = 40,
                 zeroAt = 44, checksumAt = 48;

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

uint64_t checksum(std::span<const std::byte> blob) {
  return hashBytes(hashBytes(0, blob.first(checksumAt)), blob.subspan(stateHeaderBytes));
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

void sealStateBlob(const StateShape &shape, SequenceTable::Tokens tokens, std::span<std::byte> blob) {
  std::memcpy(blob.data(), magic, sizeof(magic));
  store<uint32_t>(blob, versionAt, version);
  store<uint32_t>(blob, tokensAt, tokens.count);
  store<uint64_t>(blob, fingerprintAt, shape.fingerprint);
  store<uint64_t>(blob, weightsAt, shape.weights);
  store<uint64_t>(blob, payloadAt, blob.size() - stateHeaderBytes);
  store<uint32_t>(blob, pendingAt, tokens.pending);
  store<uint32_t>(blob, zeroAt, 0);
  store<uint64_t>(blob, checksumAt, checksum(blob));
}

StateBlob openStateBlob(const StateShape &shape, std::span<const std::byte> blob) {
  if (blob.size() < stateHeaderBytes)
    fail(BAMBA_BAD_STATE, "saved state: expected at least {} bytes, found {}", stateHeaderBytes, blob.size());
  if (std::memcmp(blob.data(), magic, sizeof(magic)) != 0)
    fail(BAMBA_BAD_STATE, "saved state: expected the letters BAMBASEQ at the start, found others");
  expectEqual("version", version, load<uint32_t>(blob, versionAt));
  expectEqual("fingerprint of the model", shape.fingerprint, load<uint64_t>(blob, fingerprintAt));
  expectEqual("fingerprint of the weights", shape.weights, load<uint64_t>(blob, weightsAt));
  uint32_t tokens = load<uint32_t>(blob, tokensAt);
  if (tokens > shape.maxContext)
    fail(BAMBA_BAD_STATE, "saved state: tokens: expected at most {}, found {}", shape.maxContext, tokens);
  uint32_t pending = load<uint32_t>(blob, pendingAt), mostPending = std::min(tokens, shape.stateRing - 1);
  if (pending > mostPending)
    fail(BAMBA_BAD_STATE, "saved state: tokens that wait: expected at most {}, found {}", mostPending, pending);
  expectEqual("bytes 44 to 47", 0U, load<uint32_t>(blob, zeroAt));
  uint64_t expected = shape.payloadBytes(tokens);
  expectEqual("bytes of payload by the header", expected, load<uint64_t>(blob, payloadAt));
  expectEqual("bytes of payload", expected, uint64_t{blob.size() - stateHeaderBytes});
  expectEqual("checksum", checksum(blob), load<uint64_t>(blob, checksumAt));
  return {{tokens, pending}, blob.subspan(stateHeaderBytes)};
}

} // namespace bambac::rt
