// A tiny model with hand-written kernels: what tests of the runtime run in place of compiled code.
#ifndef BAMBA_TESTS_RUNTIME_TOY_TABLE_H
#define BAMBA_TESTS_RUNTIME_TOY_TABLE_H

#include "runtime/contract/abi.h"

namespace bambac::rt::toy {

// The vocabulary is odd on purpose: most rows of logits are then not aligned.
inline constexpr int vocab = 11, dim = 4, pageTokens = 4, maxContext = 40, maxPages = 10;
inline constexpr int bosToken = 1, eosTokens[] = {2, 9};
inline constexpr int maxBatch = 4, maxRows = 8;
/// Every third token that is decoded writes the sums of its sequence.
inline constexpr int stateRing = 3;

// x[t] = embed[token] * norm + conv[1]
// s[t] = s[t-1] / 2 + x[t]                      the slot state, with the x of tokens that wait in its ring
// h[t] = s[t] + sum of x[p] / 4 over p <= t     x[p] read from the KV pages
// logits[t] = head h[t]; rows of padding get paddingLogit

/// In every logit of a row that belongs to no token, and in all of them where a buffer is not aligned.
inline constexpr float paddingLogit = 777.0f;

/// Called by the first workgroup of each step with the step's inputs, where it is not null.
using Observer = void (*)(int batch, int chunk, const int32_t *tokens, const int32_t *positions, const int32_t *slots,
                          const int32_t *starts, const int32_t *pieces, const int32_t *pages);
extern Observer observer;

/// The model of the library's table.
extern const bamba_rt_model toyTable;

} // namespace bambac::rt::toy
#endif // BAMBA_TESTS_RUNTIME_TOY_TABLE_H
