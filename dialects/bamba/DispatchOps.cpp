// Checks of the ops that make kernels: dispatch, its yield, and launch.
#include "dialects/bamba/Bamba.h"
#include "dialects/bamba/Verify.h"
#include "mlir/Interfaces/FunctionInterfaces.h"

using namespace bambac;

/// The types of `found` must be those of `expected`, one by one.
static LogicalResult checkTypes(Operation *op, StringRef what, TypeRange expected, TypeRange found) {
  if (expected.size() != found.size())
    return op->emitOpError() << "expected " << expected.size() << " " << what << "s, found " << found.size();
  for (auto [index, pair] : llvm::enumerate(llvm::zip(expected, found)))
    if (std::get<0>(pair) != std::get<1>(pair))
      return op->emitOpError() << "expected " << what << " " << index << " of type " << std::get<0>(pair) << ", found "
                               << std::get<1>(pair);
  return success();
}

LogicalResult DispatchOp::verify() {
  if (failed(checkTypes(*this, "result", getInits().getTypes(), getResultTypes())))
    return failure();
  if (getRows() && getRows().getType().getShape() != ArrayRef<int64_t>{1})
    return emitOpError() << "expected one number of rows, found " << getRows().getType();
  if (getMayBeEmpty() && !getRows())
    return emitOpError() << "expected a number of rows with may_be_empty, found none";
  if (failed(checkTypes(*this, "block argument", getOperandTypes(), getBody().getArgumentTypes())))
    return failure();
  auto yield = dyn_cast<YieldOp>(getBody().front().getTerminator());
  if (!yield)
    return emitOpError() << "expected a region that ends in bamba.yield";
  return checkTypes(*this, "yielded value", getResultTypes(), yield.getValues().getTypes());
}

LogicalResult LaunchOp::verify() {
  if (failed(checkTypes(*this, "result", getInits().getTypes(), getResultTypes())))
    return failure();
  if (std::optional<ArrayAttr> buffers = getBuffers()) {
    if (buffers->size() != getNumResults())
      return emitOpError() << "expected " << getNumResults() << " buffers, found " << buffers->size();
    if (!llvm::all_of(*buffers, llvm::IsaPred<BufferAttr, UnitAttr>))
      return emitOpError() << "expected each buffer to be #bamba.buffer or unit, found " << *buffers;
  }
  return success();
}

LogicalResult LaunchOp::verifySymbolUses(SymbolTableCollection &symbolTables) {
  auto kernel = symbolTables.lookupNearestSymbolFrom<FunctionOpInterface>(*this, getKernelAttr());
  if (!kernel)
    return emitOpError() << "expected '" << getKernel() << "' to be a kernel, found no such function";
  if (failed(checkTypes(*this, "argument", kernel.getArgumentTypes(), getOperandTypes())))
    return failure();
  return checkTypes(*this, "kernel result", kernel.getResultTypes(), getResultTypes());
}
