// bamba.sample on the processor: what its kernel calls for each row of logits.
#ifndef BAMBA_RUNTIME_HOST_SAMPLE_H
#define BAMBA_RUNTIME_HOST_SAMPLE_H

#include "runtime/contract/sampling.h"
#include <cstdint>

/// Draws the token after position `position` from the logits of `vocabulary` tokens, `greedy` being the most likely
/// one, as `sampling` asks, and finds log-probabilities. `scratch` has room for as many floats as there are logits.
/// Kernels call it by this name, which is none of the C interface: those may have a prefix.
extern "C" void bambac_sample_row(const float *logits, int64_t vocabulary, int32_t greedy, int32_t position,
                                  const bamba_rt_sampling *sampling, bamba_rt_sample *result, float *scratch);

#endif // BAMBA_RUNTIME_HOST_SAMPLE_H
