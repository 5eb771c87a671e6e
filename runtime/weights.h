// The weights of a model in memory, as the kernels read them.
#ifndef BAMBA_RUNTIME_WEIGHTS_H
#define BAMBA_RUNTIME_WEIGHTS_H

#include "runtime/abi.h"
#include "runtime/cuda/context.h"
#include "runtime/device.h"
#include "runtime/include/bamba/bamba.h"
#include "runtime/weight_pack.h"
#include <string>
#include <vector>

namespace bambac::rt {

/// Whom to tell about a load; `call` may be null. Called from the loading thread only.
struct Progress {
  bamba_progress call = nullptr;
  void *user = nullptr;
};

/// Owns the memory of all weights, each aligned to deviceAlignment, on the processor or, where a load is given a
/// `context`, on a CUDA device. Immutable; any thread may read it. `model` must outlive it.
class Weights {
public:
  /// Loads the checkpoint at `path` (a folder or a file) with `threads` threads. Throws Error: what Checkpoint throws;
  /// BAMBA_BAD_CHECKPOINT that names a missing, unknown, misshapen or wrong-typed tensor; BAMBA_OUT_OF_MEMORY;
  /// BAMBA_IO_ERROR where `progress` gave up; BAMBA_DEVICE_ERROR.
  static Weights load(const bamba_rt_model &model, const std::string &path, unsigned threads, Progress progress,
                      const std::shared_ptr<const cuda::Context> &context = nullptr);

  /// Random numbers by the rules of initializer.h. Throws Error BAMBA_OUT_OF_MEMORY.
  static Weights random(const bamba_rt_model &model, uint64_t seed, unsigned threads,
                        const std::shared_ptr<const cuda::Context> &context = nullptr);

  /// Weight `index` of the model's table.
  std::byte *data(uint32_t index) const { return memory.get() + offsets[index]; }

private:
  Weights(const bamba_rt_model &model, const std::shared_ptr<const cuda::Context> &context);

  DeviceMemory memory;
  std::vector<size_t> offsets;
};

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_WEIGHTS_H
