// Batches of the toy's sequences and what a session must answer, on any device.
#ifndef BAMBA_TESTS_RUNTIME_SESSION_CHECKS_H
#define BAMBA_TESTS_RUNTIME_SESSION_CHECKS_H

#include "runtime/session/session.h"
#include "tests/runtime/toy_model.h"

namespace bambac::rt::toy {

using Numbers = std::vector<int32_t>;

/// The logits of one token among those of several.
std::vector<float> row(std::span<const float> logits, size_t index);

bamba_batch_item item(bamba_sequence sequence, std::span<const int32_t> tokens,
                      bamba_logits logits = BAMBA_LOGITS_LAST);

/// Runs four batches of seven sequences, decoded and prefilled ones mixed, and expects the toy's logits and greedy
/// tokens. The session has seven slots, all free.
void checkMixedBatches(Session &session);

} // namespace bambac::rt::toy
#endif // BAMBA_TESTS_RUNTIME_SESSION_CHECKS_H
