// Checks look at the types of all values, so that no code generator meets one that it cannot print.
#include "dialects/bamba/Kernel.h"
#include "dialects/bamba/ElementType.h"

namespace bambac {

/// The first dimension of a state pool, of rank 3 or 4, is as long as a session makes it.
static bool isStatic(RankedTensorType type) {
  ArrayRef<int64_t> shape = type.getShape();
  return !ShapedType::isDynamicShape(shape.size() > 2 ? shape.drop_front() : shape);
}

/// Slots, heads, channels and states.
static constexpr int64_t kStateRank = 4;

LogicalResult checkTensors(mlir::func::FuncOp kernel) {
  auto check = [&](Location loc, Type value) -> LogicalResult {
    auto tensor = dyn_cast<RankedTensorType>(value);
    if (!tensor)
      return success();
    if (!isStatic(tensor))
      return emitError(loc) << "kernel '" << kernel.getSymName() << "': expected tensors of static shape, found "
                            << tensor;
    std::optional<bamba_rt_dtype> type = elementTypeOf(tensor.getElementType());
    if (!type || (type == BAMBA_RT_I8 && tensor.getRank() != kStateRank))
      return emitError(loc)
             << "kernel '" << kernel.getSymName()
             << "': expected an element type of runtime/contract/element_types.h, int8 for SSM states only, found "
             << tensor.getElementType() << " in " << tensor;
    return success();
  };
  for (Type type : kernel.getArgumentTypes())
    if (failed(check(kernel.getLoc(), type)))
      return failure();
  mlir::WalkResult walked = kernel.getBody().walk([&](Operation *op) -> mlir::WalkResult {
    for (Type type : op->getResultTypes())
      if (failed(check(op->getLoc(), type)))
        return mlir::WalkResult::interrupt();
    return mlir::WalkResult::advance();
  });
  return failure(walked.wasInterrupted());
}

mlir::BlockArgument findRows(mlir::func::FuncOp kernel) {
  for (mlir::BlockArgument argument : kernel.getArguments())
    if (kernel.getArgAttr(argument.getArgNumber(), attr::kRows))
      return argument;
  return {};
}

mlir::TilingInterface getTiledOp(mlir::func::FuncOp kernel) {
  for (Operation &op : llvm::reverse(kernel.getBody().front()))
    if (isa<mlir::TilingInterface>(op) && isa<DestinationStyleOpInterface>(op))
      return cast<mlir::TilingInterface>(op);
  return {};
}

LogicalResult failOnSchedule(mlir::func::FuncOp kernel, StringRef expected) {
  Attribute found = kernel->getAttr(attr::kSchedule);
  mlir::InFlightDiagnostic error = kernel.emitError() << "kernel '" << kernel.getSymName() << "': expected a #"
                                                      << expected << " as '" << attr::kSchedule << "', found ";
  if (found)
    return error << "#" << found.getAbstractAttribute().getName();
  return error << "none";
}

} // namespace bambac
