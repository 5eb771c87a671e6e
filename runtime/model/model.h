// A compiled model: its tables, checked, the device that it is opened on, and its weights once they are loaded.
#ifndef BAMBA_RUNTIME_MODEL_MODEL_H
#define BAMBA_RUNTIME_MODEL_MODEL_H

#include "runtime/cuda/kernels.h"
#include "runtime/device/choose_device.h"
#include "runtime/device/device.h"
#include "runtime/model/weights.h"
#include <memory>
#include <optional>

namespace bambac::rt {

/// Immutable once its weights are there; any thread may then read it. The tables must outlive it.
class Model {
public:
  /// On the processor. Throws Error BAMBA_UNSUPPORTED or BAMBA_INTERNAL.
  explicit Model(const bamba_rt_model &table);

  /// On a CUDA device; its kernels are loaded. Throws also Error BAMBA_DEVICE_ERROR or BAMBA_OUT_OF_MEMORY.
  Model(const bamba_rt_model &table, std::shared_ptr<const cuda::Context> context);

  /// Throws what Weights::load throws, and Error BAMBA_INVALID_ARGUMENT where weights are there already. A load that
  /// fails leaves no weights behind.
  void load(const std::string &path, Progress progress);
  void loadRandom(uint64_t seed);

  const bamba_rt_model &table() const { return tables; }

  /// Throws Error BAMBA_NOT_READY before a load.
  const Weights &weights() const;

  /// The device as one session's own. `threads` compute, where the device is the processor; `stream` is the caller's
  /// CUstream or null. Throws Error BAMBA_INVALID_ARGUMENT for a stream on the processor.
  std::unique_ptr<Device> makeDevice(unsigned threads, void *stream) const;

  /// Fills in all fields but struct_size. The strings live as long as the model.
  void describe(bamba_model_info &info) const;

private:
  void expectNoWeights() const;

  const bamba_rt_model &tables;
  std::shared_ptr<const cuda::Kernels> kernels; ///< null on the processor
  std::optional<Weights> loaded;
};

/// Opens the library's model for `device`, as bamba_model_options say. `driver` is the name of CUDA's driver library.
/// Throws Error BAMBA_UNSUPPORTED and what Model throws.
Model openModel(const bamba_rt_library &library, const char *device, const char *driver = cuda::driverLibrary);

/// Bytes of one slot (`kind` BAMBA_RT_STATE_SLOT) or one page of all states of that kind.
uint64_t stateBytes(const bamba_rt_model &model, bamba_rt_state_kind kind);

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_MODEL_MODEL_H
