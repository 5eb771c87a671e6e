// The kernels of a model, loaded onto a device.
#ifndef BAMBA_RUNTIME_CUDA_KERNELS_H
#define BAMBA_RUNTIME_CUDA_KERNELS_H

#include "runtime/cuda/context.h"
#include <vector>

namespace bambac::rt::cuda {

/// Owns the loaded code. Immutable; any thread may read it. `model` must outlive it.
class Kernels {
public:
  /// Throws Error BAMBA_UNSUPPORTED where the driver does not take the code, BAMBA_DEVICE_ERROR, BAMBA_OUT_OF_MEMORY.
  Kernels(std::shared_ptr<const Context> context, const bamba_rt_model &model);
  ~Kernels();
  Kernels(const Kernels &) = delete;
  Kernels &operator=(const Kernels &) = delete;

  const std::shared_ptr<const Context> &context() const { return owner; }

  /// Of kernel `index` of the model's table.
  FunctionHandle function(uint32_t index) const { return functions[index]; }

private:
  ModuleHandle load(const bamba_rt_kernel &kernel, const char *target);
  void unload() noexcept;

  std::shared_ptr<const Context> owner;
  std::vector<ModuleHandle> modules;
  std::vector<FunctionHandle> functions;
};

} // namespace bambac::rt::cuda
#endif // BAMBA_RUNTIME_CUDA_KERNELS_H
