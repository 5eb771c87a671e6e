// Makes kernel functions of dispatches: see OutlineKernels in Passes.td.
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/OperationSupport.h"
#include "passes/Passes.h"

namespace bambac {
#define GEN_PASS_DEF_OUTLINEKERNELS
#include "passes/Passes.h.inc"

namespace {

/// The size of what a kernel computes. Of a linear these are rows x columns x depth and the weight's element type, as
/// in 4x128x256_bf16, whatever ops follow it; of any other kernel the shape of its result, or of its first input where
/// the result is a state pool.
std::string describeSize(DispatchOp dispatch) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  dispatch.walk([&](LinearOp linear) {
    auto weight = cast<RankedTensorType>(linear.getWeight().getType());
    auto input = cast<RankedTensorType>(linear.getInput().getType());
    stream << input.getDimSize(0) << "x" << weight.getDimSize(0) << "x" << weight.getDimSize(1) << "_"
           << weight.getElementType();
    return WalkResult::interrupt();
  });
  if (!text.empty())
    return text;
  auto shaped = cast<RankedTensorType>(dispatch.getResultTypes().front());
  if (!shaped.hasStaticShape())
    shaped = cast<RankedTensorType>(dispatch.getInputs().front().getType());
  llvm::interleave(shaped.getShape(), stream, "x");
  return text;
}

/// A name that tells what a kernel computes: its ops from first to last, and its size: linear_add_4x128x256_bf16.
std::string makeKernelName(DispatchOp dispatch) {
  std::string name;
  for (Operation &op : dispatch.getBody().front().without_terminator()) {
    if (!isa<DestinationStyleOpInterface>(op))
      continue;
    StringRef stem = op.getName().stripDialect();
    name += name.empty() ? stem.str() : ("_" + stem).str();
  }
  return name + "_" + describeSize(dispatch);
}

struct OutlineKernels : impl::OutlineKernelsBase<OutlineKernels> {
  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    SmallVector<DispatchOp> dispatches;
    getOperation().walk([&](DispatchOp dispatch) { dispatches.push_back(dispatch); });
    for (DispatchOp dispatch : dispatches) {
      func::FuncOp kernel = getKernel(dispatch, symbols);
      OpBuilder builder(dispatch);
      auto launch = LaunchOp::create(builder, dispatch.getLoc(), dispatch.getResultTypes(), kernel.getSymName(),
                                     dispatch.getDpsInputs(), dispatch.getInits(), /*buffers=*/ArrayAttr());
      dispatch->replaceAllUsesWith(launch);
      dispatch.erase();
    }
  }

  /// The kernel with the same region as `dispatch`, made where there is none.
  func::FuncOp getKernel(DispatchOp dispatch, SymbolTable &symbols) {
    std::string name = makeKernelName(dispatch);
    // The text of a region without locations is its identity; kernels are few and small.
    std::string key;
    llvm::raw_string_ostream stream(key);
    if (dispatch.getRows())
      stream << (dispatch.getMayBeEmpty() ? "rows or none " : "rows ");
    OpPrintingFlags flags = OpPrintingFlags().useLocalScope();
    for (BlockArgument argument : dispatch.getBody().getArguments())
      stream << argument.getType() << ",";
    for (Operation &op : dispatch.getBody().front())
      op.print(stream, flags);
    func::FuncOp &kernel = kernels[key];
    if (kernel)
      ++numShared;
    else
      kernel = outline(dispatch, name, symbols);
    return kernel;
  }

  func::FuncOp outline(DispatchOp dispatch, StringRef name, SymbolTable &symbols) {
    ++numKernels;
    OpBuilder builder = OpBuilder::atBlockEnd(getOperation().getBody());
    auto type = builder.getFunctionType(dispatch.getOperandTypes(), dispatch.getResultTypes());
    auto kernel = func::FuncOp::create(builder, dispatch.getLoc(), name, type);
    kernel.setPrivate();
    kernel->setAttr(attr::kKernel, builder.getUnitAttr());
    if (dispatch.getRows())
      kernel.setArgAttr(0, attr::kRows, builder.getUnitAttr());
    if (dispatch.getMayBeEmpty())
      kernel->setAttr(attr::kMayBeEmpty, builder.getUnitAttr());
    symbols.insert(kernel);
    // Other dispatches with this region are still to be compared, so it is copied, not moved.
    IRMapping mapping;
    dispatch.getBody().cloneInto(&kernel.getBody(), mapping);
    auto yield = cast<YieldOp>(kernel.getBody().front().getTerminator());
    builder.setInsertionPoint(yield);
    func::ReturnOp::create(builder, yield.getLoc(), yield.getValues());
    yield.erase();
    return kernel;
  }

  llvm::StringMap<func::FuncOp> kernels;
};

} // namespace
} // namespace bambac
