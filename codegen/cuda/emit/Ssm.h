// What a step and a scan of the state space recurrence have in common.
#ifndef BAMBAC_CODEGEN_CUDA_EMIT_SSM_H
#define BAMBAC_CODEGEN_CUDA_EMIT_SSM_H

#include "codegen/cuda/emit/KernelWriter.h"

namespace bambac::codegen {

/// The constants of such an op, and `State`, the type of the state's elements.
template <typename SsmOp> void describeSsm(KernelWriter &writer, SsmOp op) {
  writer.constant("heads", op.getNumHeads());
  writer.constant("head_dim", op.getHeadDim());
  writer.constant("state_size", op.getStateSize());
  writer.constant("groups", op.getNumGroups());
  if constexpr (requires { op.getDtMin(); }) {
    writer.constant("dt_min", op.getDtMin().convertToDouble());
    writer.constant("dt_max", op.getDtMax().convertToDouble());
  }
  Type element = cast<RankedTensorType>(op.getState().getType()).getElementType();
  writer.declare(("/// One element of the SSM state.\nusing State = " + cudaType(element) + ";\n").str());
}

/// The views of values; fails with an error at `op` where one of them is none.
inline FailureOr<SmallVector<View>> viewsOf(KernelWriter &writer, Operation *op, ValueRange values) {
  SmallVector<View> views;
  for (Value value : values) {
    FailureOr<View> view = writer.view(op, value);
    if (failed(view))
      return failure();
    views.push_back(*view);
  }
  return views;
}

/// The name of the buffer that x is taken from: often B and C are columns of the same.
inline StringRef nameOfX(ArrayRef<View> views) {
  return llvm::all_of(views, [&](const View &view) { return view.argument == views.front().argument; }) ? "xBC" : "x";
}

/// The arguments of a call from the heads' vectors to the slots.
template <typename SsmOp> SmallVector<std::string> headArguments(KernelWriter &writer, SsmOp op) {
  return {writer.address(op, op.getALog(), "aLog"), writer.address(op, op.getD(), "d"),
          writer.address(op, op.getDtBias(), "dtBias"), writer.address(op, op.getSlots(), "slots")};
}

} // namespace bambac::codegen

#endif // BAMBAC_CODEGEN_CUDA_EMIT_SSM_H
