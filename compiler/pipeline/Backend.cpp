// Finds the backend of a device.
#include "compiler/pipeline/Backend.h"

namespace bambac {

std::unique_ptr<Backend> makeBackend(TargetInterface target, const CompileOptions &options) {
  switch (target.getDevice()) {
  case Device::Cpu:
    return makeCpuBackend(options);
  case Device::Cuda:
    return makeCudaBackend(options);
  }
  llvm_unreachable("every device has a backend");
}

} // namespace bambac
