// Gives linears' weights a panel layout: see PackWeights in Passes.td.
#include "passes/Passes.h"

namespace bambac {
#define GEN_PASS_DEF_PACKWEIGHTS
#include "passes/Passes.h.inc"

namespace {

/// True where argument `index` of the kernel is read only as the weight of linears.
bool isLinearWeight(func::FuncOp kernel, unsigned index) {
  BlockArgument argument = kernel.getArgument(index);
  return !argument.use_empty() && llvm::all_of(argument.getUses(), [](OpOperand &use) {
    auto linear = dyn_cast<LinearOp>(use.getOwner());
    return linear && use.get() == linear.getWeight() &&
           linear.getWeightMutable().getOperandNumber() == use.getOperandNumber();
  });
}

RankedTensorType withPanel(Type type, TargetInterface target) {
  auto tensor = cast<RankedTensorType>(type);
  PanelAttr panel = target.getWeightPanel(tensor.getElementType());
  return RankedTensorType::get(tensor.getShape(), tensor.getElementType(), panel);
}

/// Changes the type of a kernel's argument.
void retypeArgument(func::FuncOp kernel, unsigned index, Type type) {
  kernel.getArgument(index).setType(type);
  SmallVector<Type> inputs(kernel.getArgumentTypes());
  inputs[index] = type;
  kernel.setFunctionType(FunctionType::get(kernel.getContext(), inputs, kernel.getResultTypes()));
}

struct PackWeights : impl::PackWeightsBase<PackWeights> {
  void runOnOperation() override {
    TargetInterface target = getTarget(getOperation());
    if (!target)
      return;
    SymbolTable symbols(getOperation());
    for (auto kernel : getOperation().getOps<func::FuncOp>())
      if (kernel->hasAttr(attr::kKernel))
        for (unsigned index = 0; index < kernel.getNumArguments(); ++index)
          if (isLinearWeight(kernel, index))
            retypeArgument(kernel, index, withPanel(kernel.getArgument(index).getType(), target));
    getOperation().walk([&](LaunchOp launch) { packOperands(launch, symbols); });
  }

  /// Lets each operand come from a global with the type that the kernel now expects.
  void packOperands(LaunchOp launch, SymbolTable &symbols) {
    auto kernel = symbols.lookup<func::FuncOp>(launch.getKernel());
    for (OpOperand &operand : launch->getOpOperands()) {
      Type expected = kernel.getArgumentTypes()[operand.getOperandNumber()];
      if (operand.get().getType() == expected)
        continue;
      auto load = operand.get().getDefiningOp<ml_program::GlobalLoadConstOp>();
      if (!load) {
        launch.emitOpError() << "expected the weight of a linear to be loaded from a global";
        return signalPassFailure();
      }
      ml_program::GlobalOp global =
          getPacked(symbols.lookup<ml_program::GlobalOp>(load.getGlobal().getLeafReference()), expected, symbols);
      OpBuilder builder(launch);
      operand.set(ml_program::GlobalLoadConstOp::create(builder, load.getLoc(), expected,
                                                        FlatSymbolRefAttr::get(global.getSymNameAttr())));
    }
  }

  /// The packed twin of a global. The unpacked one goes with the dead symbols unless another op reads it.
  ml_program::GlobalOp getPacked(ml_program::GlobalOp global, Type type, SymbolTable &symbols) {
    std::string name = (global.getSymName() + ".panel").str();
    if (auto existing = symbols.lookup<ml_program::GlobalOp>(name))
      return existing;
    OpBuilder builder(global);
    auto packed = cast<ml_program::GlobalOp>(builder.clone(*global));
    packed.setSymName(name);
    packed.setType(type);
    packed.setValueAttr(ml_program::ExternAttr::get(&getContext(), type));
    symbols.insert(packed);
    return packed;
  }
};

} // namespace
} // namespace bambac
