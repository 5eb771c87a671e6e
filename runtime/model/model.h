// A compiled model: its tables, checked, the device that it is opened on, and its weights once they are loaded.
#ifndef BAMBA_RUNTIME_MODEL_MODEL_H
#define BAMBA_RUNTIME_MODEL_MODEL_H

#include "runtime/device/device_backend.h"
#include "runtime/model/weights.h"
#include <memory>
#include <optional>

namespace bambac::rt {

/// Immutable once its weights are there; any thread may then read it. The tables must outlive it.
class Model {
public:
  /// `table` was checked (checkTable), and `backend` made for it.
  Model(const bamba_rt_model &table, std::shared_ptr<const DeviceBackend> backend)
      : tables(table), backend(std::move(backend)) {}

  /// Throws what Weights::load throws, and Error BAMBA_INVALID_ARGUMENT where weights are there already. A load that
  /// fails leaves no weights behind.
  void load(const std::string &path, const bamba_load_options &options);
  void loadRandom(uint64_t seed);

  const bamba_rt_model &table() const { return tables; }

  /// Throws Error BAMBA_NOT_READY before a load.
  const Weights &weights() const;

  /// As DeviceBackend::makeDevice.
  std::unique_ptr<Device> makeDevice(unsigned threads, void *stream) const {
    return backend->makeDevice(threads, stream);
  }

  /// Fills in all fields but struct_size. The strings live as long as the model.
  void describe(bamba_model_info &info) const;

private:
  void expectNoWeights() const;

  const bamba_rt_model &tables;
  std::shared_ptr<const DeviceBackend> backend;
  std::optional<Weights> loaded;
};

/// Bytes of one slot (`kind` BAMBA_RT_STATE_SLOT) or one page of all states of that kind.
uint64_t stateBytes(const bamba_rt_model &model, bamba_rt_state_kind kind);

/// Rows of logits that one step keeps at most.
uint64_t mostKeptRows(const bamba_rt_model &model);

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_MODEL_MODEL_H
