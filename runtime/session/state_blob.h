// The bytes of a saved sequence: a header that ties them to a model and its weights and protects them, and then the
// state.
#ifndef BAMBA_RUNTIME_SESSION_STATE_BLOB_H
#define BAMBA_RUNTIME_SESSION_STATE_BLOB_H

#include "runtime/session/sequence_table.h"
#include <cstddef>
#include <cstdint>
#include <span>

namespace bambac::rt {

// Layout, numbers in little-endian order:
//   0   8  the letters BAMBASEQ
//   8   4  version, 3
//  12   4  tokens that the sequence holds
//  16   8  fingerprint of the model: its configuration and what its states mean
//  24   8  fingerprint of the weights
//  32   8  bytes of the payload
//  40   4  tokens of the sequence that wait in rings
//  44   4  zero
//  48   8  checksum of bytes 0 to 47 and the payload
//  56      payload: one slot of every slot state, then the sequence's pages in order, each with every page state
inline constexpr size_t stateHeaderBytes = 56;

/// What a model says about the blobs that it can take.
struct StateShape {
  uint64_t fingerprint, weights;
  uint32_t maxContext, pageTokens, stateRing;
  uint64_t slotBytes, pageBytes;

  /// Bytes after the header for a sequence of `tokens` tokens, at most maxContext. Throws Error BAMBA_OUT_OF_MEMORY
  /// where they overflow.
  uint64_t payloadBytes(uint64_t tokens) const;
};

struct StateBlob {
  SequenceTable::Tokens tokens;
  std::span<const std::byte> payload;
};

/// Writes the header before a payload that is in its place already; `blob` is all of it.
void sealStateBlob(const StateShape &shape, SequenceTable::Tokens tokens, std::span<std::byte> blob);

/// Checks a blob and finds its payload. Throws Error BAMBA_BAD_STATE that names the field, what was expected and what
/// was found. Pure; thread-safe.
StateBlob openStateBlob(const StateShape &shape, std::span<const std::byte> blob);

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_SESSION_STATE_BLOB_H
