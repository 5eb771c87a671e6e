// Weights as they lie in memory: see ResolvePanels in Passes.td.
#include "codegen/cpu/Passes.h"

namespace bambac::codegen {
#define GEN_PASS_DEF_RESOLVEPANELS
#include "codegen/cpu/Passes.h.inc"

namespace {

/// The panels of an encoded matrix; null for any other type.
RankedTensorType getPanelsType(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  auto panel = tensor ? dyn_cast_or_null<PanelAttr>(tensor.getEncoding()) : PanelAttr();
  if (!panel)
    return {};
  int64_t size = panel.getSize(), group = panel.getGroup();
  SmallVector<int64_t> shape{llvm::divideCeilSigned(tensor.getDimSize(0), size),
                             panel.getWidth(tensor.getDimSize(1)) / group, size};
  if (group > 1)
    shape.push_back(group);
  return RankedTensorType::get(shape, tensor.getElementType());
}

struct ResolvePanels : impl::ResolvePanelsBase<ResolvePanels> {
  void runOnOperation() override {
    func::FuncOp kernel = getOperation();
    if (!kernel->hasAttr(attr::kKernel) || kernel.isExternal())
      return;
    for (BlockArgument argument : kernel.getArguments()) {
      RankedTensorType panels = getPanelsType(argument.getType());
      if (!panels)
        continue;
      for (OpOperand &use : argument.getUses()) {
        auto linear = dyn_cast<LinearOp>(use.getOwner());
        if (!linear || use.get() != linear.getWeight()) {
          use.getOwner()->emitOpError() << "expected only linears to read a weight in panels";
          return signalPassFailure();
        }
      }
      argument.setType(panels);
    }
    kernel.setFunctionType(
        FunctionType::get(&getContext(), kernel.getBody().getArgumentTypes(), kernel.getFunctionType().getResults()));
  }
};

} // namespace
} // namespace bambac::codegen
