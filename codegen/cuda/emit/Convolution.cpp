// The causal convolution, as a kernel of its own and as what its arguments are inside that of a step.
#include "codegen/cuda/emit/Convolution.h"
#include "codegen/cuda/emit/Ops.h"

namespace bambac::codegen {

FailureOr<SmallVector<std::string>> convolutionArguments(KernelWriter &writer, CausalConv1dOp conv, const View &input) {
  int64_t taps = cast<RankedTensorType>(conv.getWeight().getType()).getDimSize(0);
  if (!conv.getPositions())
    return conv.emitOpError() << "expected positions and a ring of inputs on CUDA";
  writer.constant("taps", taps);
  writer.constant("conv_ring", conv.getState().getType().getDimSize(1));
  return SmallVector<std::string>{
      writer.rows(input, "input"), writer.address(conv, conv.getWeight(), "convWeight"),
      conv.getBias() ? writer.address(conv, conv.getBias(), "convBias") : std::string("nullptr"),
      writer.address(conv, conv.getState(), "convState"), writer.address(conv, conv.getSlots(), "slots")};
}

FailureOr<KernelText> emitConvolution(KernelWriter &writer, CausalConv1dOp conv) {
  writer.constant("pieces", dimOf(conv.getSlots(), 0));
  writer.constant("rows", dimOf(conv.getInput(), 0));
  writer.constant("channels", dimOf(conv.getInput(), 1));
  FailureOr<View> view = writer.view(conv, conv.getInput());
  FailureOr<View> result = writer.resultView(cast<OpResult>(conv.getResult()));
  if (failed(view) || failed(result))
    return failure();
  FailureOr<SmallVector<std::string>> call = convolutionArguments(writer, conv, *view);
  if (failed(call))
    return failure();
  writer.constant("vector", std::min(view->alignment(kWidest), result->alignment(kWidest)));
  call->push_back(writer.address(conv, conv.getStarts(), "starts"));
  call->push_back(writer.address(conv, conv.getPositions(), "positions"));
  call->push_back(writer.rows(*result, "result"));
  return writer.finish({}, *call);
}

} // namespace bambac::codegen
