// Times decoding and prefill of a model.
#ifndef BAMBAC_RUNTIME_RUN_BENCHTIMINGS_H
#define BAMBAC_RUNTIME_RUN_BENCHTIMINGS_H

#include "runtime/run/Model.h"

namespace bambac::run {

/// Seconds of one step or prompt.
struct Timing {
  double median = 0;
  double best = 0;
  size_t samples = 0;
};

/// Steps that are run before those that count: they touch the session's memory and wake its threads.
inline constexpr uint32_t warmUpSteps = 3;

/// `batch` sequences that hold `context` tokens each are continued by `steps` tokens, all in one step.
Timing timeDecode(const Model &model, uint32_t threads, uint32_t batch, uint32_t context, uint32_t steps);

/// A prompt of `tokens` in an empty sequence, as often as a few seconds allow.
Timing timePrefill(const Model &model, uint32_t threads, uint32_t tokens);

} // namespace bambac::run

#endif // BAMBAC_RUNTIME_RUN_BENCHTIMINGS_H
