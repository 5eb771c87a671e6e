// Fills the weights of a model on the processor.
#ifndef BAMBA_RUNTIME_HOST_LOAD_WEIGHTS_H
#define BAMBA_RUNTIME_HOST_LOAD_WEIGHTS_H

#include "runtime/checkpoint/weight_source.h"
#include "runtime/contract/abi.h"
#include "runtime/support/load_reporter.h"
#include "runtime/support/thread_pool.h"
#include <span>

namespace bambac::rt {

/// Packs straight into the weights' memory, which is zeroed. `weights` has the address of each weight. Returns early
/// where `reporter` was stopped. Throws what packRows throws, and Error BAMBA_IO_ERROR.
void loadWeights(const bamba_rt_model &model, std::span<const WeightSource> sources,
                 std::span<std::byte *const> weights, ThreadPool &pool, LoadReporter &reporter);

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_HOST_LOAD_WEIGHTS_H
