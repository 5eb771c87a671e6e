// The state space ops and the convolution in front of them.
#include "codegen/cuda/emit/Epilogue.h"
#include "codegen/cuda/emit/Ops.h"

namespace bambac::codegen {
namespace {

Type elementOf(Value value) { return cast<RankedTensorType>(value.getType()).getElementType(); }

template <typename SsmOp> void addShape(KernelWriter &writer, SsmOp op) {
  writer.constant("heads", op.getNumHeads());
  writer.constant("head_dim", op.getHeadDim());
  writer.constant("state_size", op.getStateSize());
  writer.constant("groups", op.getNumGroups());
  writer.constant("dt_min", op.getDtMin().convertToDouble());
  writer.constant("dt_max", op.getDtMax().convertToDouble());
  writer.type(("/// One element of the SSM state.\nusing State = " + cudaType(elementOf(op.getState())) + ";\n").str());
}

/// The views of values; fails where one of them is none.
FailureOr<SmallVector<View>> viewsOf(KernelWriter &writer, Operation *op, ValueRange values) {
  SmallVector<View> views;
  for (Value value : values) {
    FailureOr<View> view = writer.view(op, value);
    if (failed(view))
      return failure();
    views.push_back(*view);
  }
  return views;
}

/// The convolution that computes x, B and C of a step inside its kernel, or null.
CausalConv1dOp findConvolution(SsmStepOp step) {
  auto slice = step.getX().getDefiningOp<tensor::ExtractSliceOp>();
  return slice ? slice.getSource().getDefiningOp<CausalConv1dOp>() : nullptr;
}

/// The arguments of a convolution as a collective takes them, from the input to the slots.
FailureOr<std::string> convolutionArguments(KernelWriter &writer, CausalConv1dOp conv, const View &input) {
  int64_t taps = cast<RankedTensorType>(conv.getWeight().getType()).getDimSize(0);
  if (!conv.getPositions() || conv.getState().getType().getDimSize(1) != taps)
    return conv.emitOpError() << "expected positions and a ring of " << taps << " inputs on CUDA";
  writer.constant("taps", taps);
  std::string bias = conv.getBias() ? writer.address(conv, conv.getBias()) : "nullptr";
  return writer.rows(input) + ", " + writer.address(conv, conv.getWeight()) + ", " + bias + ", " +
         writer.address(conv, conv.getState()) + ", " + writer.address(conv, conv.getSlots());
}

/// "Rows<const bf16, 584>", the type of a view that is printed as "Rows<const bf16, 584>{arg0}".
std::string typeOf(StringRef rows) { return rows.split('{').first.str(); }

/// The expression of what gives a step its x, B and C.
FailureOr<std::string> emitStepInput(KernelWriter &writer, SsmStepOp step) {
  if (CausalConv1dOp conv = findConvolution(step)) {
    FailureOr<View> view = writer.view(conv, conv.getInput());
    if (failed(view))
      return failure();
    FailureOr<std::string> arguments = convolutionArguments(writer, conv, *view);
    if (failed(arguments))
      return failure();
    writer.operand(elementOf(conv.getResult()));
    writer.constant("input_vector", view->alignment(kWidest));
    return "ConvolvedInput<Shape, " + typeOf(writer.rows(*view)) + ">{" + *arguments + ", " +
           writer.address(conv, conv.getPositions()) + "}";
  }
  FailureOr<SmallVector<View>> views = viewsOf(writer, step, {step.getX(), step.getB(), step.getC()});
  if (failed(views))
    return failure();
  int64_t alignment = kWidest;
  std::string types, values;
  for (const View &view : *views) {
    alignment = view.alignment(alignment);
    std::string rows = writer.rows(view);
    types += (types.empty() ? "" : ", ") + typeOf(rows);
    values += (values.empty() ? "" : ", ") + rows;
  }
  writer.constant("taps", int64_t(1));
  writer.constant("input_vector", alignment);
  return "SsmInput<" + types + ">{" + values + "}";
}

} // namespace

FailureOr<std::string> emitSsmScan(KernelWriter &writer, SsmScanOp scan) {
  writer.constant("sequences", dimOf(scan.getSlots(), 0));
  writer.constant("tokens", scan.getNumTokens());
  addShape(writer, scan);
  FailureOr<SmallVector<View>> views = viewsOf(writer, scan, {scan.getX(), scan.getDt(), scan.getB(), scan.getC()});
  FailureOr<std::string> epilogue = emitEpilogue(writer, scan.getResult(), nullptr);
  if (failed(views) || failed(epilogue))
    return failure();
  bool isAligned = true;
  for (unsigned number : {0, 2, 3})
    isAligned &= (*views)[number].offset % kWidest == 0;
  writer.operand(views->front().element);
  writer.constant("aligned", isAligned);
  std::string call;
  for (const View &view : *views)
    call += writer.rows(view) + ", ";
  for (Value value : {scan.getALog(), scan.getD(), scan.getDtBias()})
    call += writer.address(scan, value) + ", ";
  call += writer.address(scan, scan.getSlots()) + ", " + writer.address(scan, scan.getCounts()) + ", ";
  return writer.finish(", State", call + writer.address(scan, scan.getState()) + ", " + *epilogue);
}

FailureOr<std::string> emitSsmStep(KernelWriter &writer, SsmStepOp step) {
  writer.constant("batch", cast<RankedTensorType>(step.getSlots().getType()).getDimSize(0));
  addShape(writer, step);
  FailureOr<View> dt = writer.view(step, step.getDt());
  FailureOr<std::string> epilogue = emitEpilogue(writer, step.getResult(), nullptr);
  if (failed(dt) || failed(epilogue))
    return failure();
  FailureOr<std::string> input = emitStepInput(writer, step);
  if (failed(input))
    return failure();
  std::string call = *input + ", " + writer.rows(*dt) + ", ";
  for (Value value : {step.getALog(), step.getD(), step.getDtBias()})
    call += writer.address(step, value) + ", ";
  call += writer.address(step, step.getSlots()) + ", ";
  return writer.finish(", State", call + writer.address(step, step.getState()) + ", " + *epilogue);
}

FailureOr<std::string> emitConvolution(KernelWriter &writer, CausalConv1dOp conv) {
  int64_t sequences = cast<RankedTensorType>(conv.getSlots().getType()).getDimSize(0);
  auto input = cast<RankedTensorType>(conv.getInput().getType());
  writer.constant("sequences", sequences);
  writer.constant("tokens", input.getDimSize(0) / sequences);
  writer.constant("channels", input.getDimSize(1));
  FailureOr<View> view = writer.view(conv, conv.getInput());
  FailureOr<View> result = writer.resultView(cast<OpResult>(conv.getResult()));
  if (failed(view) || failed(result))
    return failure();
  FailureOr<std::string> arguments = convolutionArguments(writer, conv, *view);
  if (failed(arguments))
    return failure();
  writer.constant("vector", std::min(view->alignment(kWidest), result->alignment(kWidest)));
  return writer.finish("", *arguments + ", " + writer.address(conv, conv.getCounts()) + ", " +
                               writer.address(conv, conv.getPositions()) + ", " + writer.rows(*result));
}

} // namespace bambac::codegen
