#include "runtime/cuda/kernels.h"
#include "runtime/support/error.h"
#include <map>
#include <span>

namespace bambac::rt::cuda {

Kernels::Kernels(std::shared_ptr<const Context> context, const bamba_rt_model &model) : owner(std::move(context)) {
  const Driver &driver = owner->driver();
  Context::Current current(*owner);
  std::map<const void *, ModuleHandle> loaded;   // one image may have several kernels
  std::map<FunctionHandle, uint32_t> mostShared; // and one function several launches
  try {
    for (const bamba_rt_kernel &kernel : std::span(model.kernels, model.num_kernels)) {
      ModuleHandle &module = loaded[kernel.cuda->cubin];
      if (!module)
        module = load(kernel, model.target);
      FunctionHandle &function = functions.emplace_back();
      owner->check(driver.moduleGetFunction(&function, module, kernel.cuda->symbol), kernel.name);
      if (uint32_t &most = mostShared[function]; kernel.cuda->launch.shared_bytes > most) {
        most = kernel.cuda->launch.shared_bytes;
        owner->check(driver.funcSetAttribute(function, functionMaxDynamicShared, static_cast<int>(most)), kernel.name);
      }
      constexpr uint32_t portableCluster = 8;
      if (kernel.cuda->launch.cluster > portableCluster)
        owner->check(driver.funcSetAttribute(function, functionNonPortableCluster, 1), kernel.name);
    }
  } catch (...) {
    unload();
    throw;
  }
}

ModuleHandle Kernels::load(const bamba_rt_kernel &kernel, const char *target) {
  ModuleHandle module = nullptr;
  Result result = owner->driver().moduleLoadData(&module, kernel.cuda->cubin);
  if (result != success && result != errorOutOfMemory)
    fail(BAMBA_UNSUPPORTED,
         "{} ({}): kernel {}: expected a driver that takes its code for {}, found one for CUDA {}: {}", owner->device(),
         owner->product(), kernel.name, target, owner->driver().version(), owner->driver().describe(result));
  owner->check(result, kernel.name);
  modules.push_back(module);
  return module;
}

void Kernels::unload() noexcept {
  for (ModuleHandle module : modules)
    owner->driver().moduleUnload(module);
}

Kernels::~Kernels() {
  owner->release([this] { unload(); });
}

} // namespace bambac::rt::cuda
