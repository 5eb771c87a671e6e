// The weights of a model in memory, as the kernels read them.
#ifndef BAMBA_RUNTIME_MODEL_WEIGHTS_H
#define BAMBA_RUNTIME_MODEL_WEIGHTS_H

#include "runtime/device/device_backend.h"
#include <string>
#include <vector>

namespace bambac::rt {

/// Owns the memory of all weights on the backend's device, each aligned to deviceAlignment. Immutable; any thread may
/// read it. `model`, and the backend that it is opened on, must outlive it.
class Weights {
public:
  /// Loads the checkpoint at `path` (a folder or a file) with `threads` threads. Throws Error: what Checkpoint throws;
  /// BAMBA_BAD_CHECKPOINT that names a missing, unknown, misshapen or wrong-typed tensor, or the field of a config.json
  /// of another model; BAMBA_OUT_OF_MEMORY; BAMBA_IO_ERROR where a callback gave up; BAMBA_DEVICE_ERROR.
  static Weights load(const bamba_rt_model &model, const DeviceBackend &backend, const std::string &path,
                      unsigned threads, const bamba_load_options &options);

  /// Random numbers by the rules of initializer.h. Throws Error BAMBA_OUT_OF_MEMORY or BAMBA_DEVICE_ERROR.
  static Weights random(const bamba_rt_model &model, const DeviceBackend &backend, uint64_t seed, unsigned threads);

  /// Tells these weights from others: a hash over the tensors' names, shapes and types and over samples of all their
  /// rows (WeightSource::sampleRow), or over the seed of random ones. The same on every device and for every number of
  /// threads.
  uint64_t fingerprint() const { return hash; }

  /// Weight `index` of the model's table.
  std::byte *data(uint32_t index) const { return addresses[index]; }

private:
  /// Memory without the weights in it.
  Weights(const bamba_rt_model &model, const DeviceBackend &backend);
  void fill(const bamba_rt_model &model, std::span<const WeightSource> sources, unsigned threads, Progress progress,
            const DeviceBackend &backend);

  DeviceMemory memory;
  std::vector<std::byte *> addresses;
  uint64_t hash = 0;
};

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_MODEL_WEIGHTS_H
