// The weights of a model in memory, as the kernels read them.
#ifndef BAMBA_RUNTIME_MODEL_WEIGHTS_H
#define BAMBA_RUNTIME_MODEL_WEIGHTS_H

#include "runtime/checkpoint/weight_source.h"
#include "runtime/contract/abi.h"
#include "runtime/cuda/kernels.h"
#include "runtime/support/load_reporter.h"
#include <span>
#include <string>
#include <vector>

namespace bambac::rt {

/// Owns the memory of all weights, each aligned to deviceAlignment: on the processor, whose threads pack them, or,
/// where a load is given the model's `kernels`, on their CUDA device, which packs what the threads bring. Immutable;
/// any thread may read it. `model` must outlive it.
class Weights {
public:
  /// Loads the checkpoint at `path` (a folder or a file) with `threads` threads. Throws Error: what Checkpoint throws;
  /// BAMBA_BAD_CHECKPOINT that names a missing, unknown, misshapen or wrong-typed tensor; BAMBA_OUT_OF_MEMORY;
  /// BAMBA_IO_ERROR where `progress` gave up; BAMBA_DEVICE_ERROR.
  static Weights load(const bamba_rt_model &model, const std::string &path, unsigned threads, Progress progress,
                      const std::shared_ptr<const cuda::Kernels> &kernels = nullptr);

  /// Random numbers by the rules of initializer.h. Throws Error BAMBA_OUT_OF_MEMORY.
  static Weights random(const bamba_rt_model &model, uint64_t seed, unsigned threads,
                        const std::shared_ptr<const cuda::Kernels> &kernels = nullptr);

  /// Weight `index` of the model's table.
  std::byte *data(uint32_t index) const { return addresses[index]; }

private:
  /// Memory without the weights in it.
  Weights(const bamba_rt_model &model, const std::shared_ptr<const cuda::Kernels> &kernels);
  void fill(const bamba_rt_model &model, std::span<const WeightSource> sources, unsigned threads, Progress progress,
            const std::shared_ptr<const cuda::Kernels> &kernels);

  DeviceMemory memory;
  size_t bytes = 0;
  std::vector<std::byte *> addresses;
};

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_MODEL_WEIGHTS_H
