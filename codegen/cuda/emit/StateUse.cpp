#include "codegen/cuda/emit/StateUse.h"
#include "mlir/Dialect/MLProgram/IR/MLProgram.h"

namespace bambac::codegen {
namespace {

/// Whether a launch is given the state that its entry point began with.
bool isStateOfBegin(LaunchOp launch, Value pool) {
  auto load = pool.getDefiningOp<ml_program::GlobalLoadOp>();
  if (!load)
    return false;
  return llvm::none_of(launch->getBlock()->getOps<ml_program::GlobalStoreOp>(), [&](ml_program::GlobalStoreOp store) {
    return store.getGlobal() == load.getGlobal() && store->isBeforeInBlock(launch);
  });
}

} // namespace

bool areUnwritten(func::FuncOp kernel, ValueRange pools) {
  bool found = true;
  kernel->getParentOfType<ModuleOp>().walk([&](LaunchOp launch) {
    if (launch.getKernel() != kernel.getSymName())
      return;
    for (Value pool : pools) {
      auto argument = dyn_cast<BlockArgument>(pool);
      found &= argument && isStateOfBegin(launch, launch->getOperand(argument.getArgNumber()));
    }
  });
  return found;
}

} // namespace bambac::codegen
