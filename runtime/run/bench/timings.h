// Times decoding and prefill of a model, as a whole and kernel by kernel.
#ifndef BAMBAC_RUNTIME_RUN_BENCH_TIMINGS_H
#define BAMBAC_RUNTIME_RUN_BENCH_TIMINGS_H

#include "runtime/run/bench/sizes.h"
#include "runtime/run/bench/spread.h"
#include "runtime/run/measure/gpu.h"

#include <optional>

namespace bambac::run {

/// Seconds of one step or prompt, from the call until the next token is known.
struct Timing {
  Spread call;
  /// What a CUDA device works on it: of decode steps that follow each other without a pause, so that the host is out of
  /// it.
  std::optional<Spread> device;

  /// What the kernels are measured by.
  double busy() const { return device ? device->median : call.median; }
};

/// How large a session was and what it cost to create.
struct SessionCost {
  double seconds = 0;
  uint64_t slots = 0;
  uint64_t pages = 0;     ///< of the KV cache
  size_t deviceBytes = 0; ///< of the CUDA device that are in use; 0: no such device
};

/// A model under measurement. `gpu` is null where it runs on the processor, with `threads` threads.
struct Bench {
  const LoadedModel &model;
  const measure::Gpu *gpu;
  uint32_t threads;
};

/// `batch` sequences that hold `context` tokens each are continued by `steps` tokens, all in one step. Where they have
/// no room for all of these, they are emptied in between.
Timing timeDecode(const Bench &bench, uint32_t batch, uint32_t context, uint32_t steps, SessionCost &cost);

/// Makes the session that timeDecode would, and closes it. Throws OutOfMemory.
void makeDecodeSession(const Bench &bench, uint32_t batch, uint32_t context, uint32_t steps);

/// A prompt of `tokens` in an empty sequence, as often as a few seconds allow.
Timing timePrefill(const Bench &bench, uint32_t tokens, SessionCost &cost);

/// What each launch of such a step, and of such a prompt, takes.
std::vector<bamba_launch_time> profileDecode(const Bench &bench, uint32_t batch, uint32_t context);
std::vector<bamba_launch_time> profilePrefill(const Bench &bench, uint32_t tokens);

} // namespace bambac::run

#endif // BAMBAC_RUNTIME_RUN_BENCH_TIMINGS_H
