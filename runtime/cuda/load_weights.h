// Fills the weights of a model on a CUDA device.
#ifndef BAMBA_RUNTIME_CUDA_LOAD_WEIGHTS_H
#define BAMBA_RUNTIME_CUDA_LOAD_WEIGHTS_H

#include "runtime/checkpoint/weight_source.h"
#include "runtime/cuda/kernels.h"
#include "runtime/support/load_reporter.h"
#include "runtime/support/thread_pool.h"
#include <span>

namespace bambac::rt::cuda {

/// The checkpoint's bytes go to the device as they are, in pieces of some MiB, and are packed there; random numbers
/// are made on the host and go the same way. `weights` has the address of each weight in the device's memory, which is
/// zeroed. Returns early where `reporter` was stopped. Throws Error BAMBA_DEVICE_ERROR, BAMBA_OUT_OF_MEMORY or
/// BAMBA_IO_ERROR.
void loadWeights(const bamba_rt_model &model, std::span<const WeightSource> sources,
                 std::span<std::byte *const> weights, ThreadPool &pool, LoadReporter &reporter,
                 const std::shared_ptr<const Kernels> &kernels);

} // namespace bambac::rt::cuda
#endif // BAMBA_RUNTIME_CUDA_LOAD_WEIGHTS_H
