// Finds the file that knows a device.
#include "compiler/targets/Targets.h"
#include "compiler/targets/CpuTarget.h"
#include "compiler/targets/CudaTarget.h"

using namespace mlir;

namespace bambac {

llvm::Expected<TargetInterface> makeTarget(MLIRContext *context, StringRef name, const TargetOptions &options) {
  auto widen = [](auto target) -> llvm::Expected<TargetInterface> {
    if (!target)
      return target.takeError();
    return cast<TargetInterface>(*target);
  };
  return name == "cpu" ? widen(makeCpuTarget(context, options.cpu))
                       : widen(makeCudaTarget(context, name, options.multiprocessors));
}

void registerTargets(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, BambaDialect *) {
    attachCpuTargetInterface(context);
    attachCudaTargetInterface(context);
  });
}

} // namespace bambac
