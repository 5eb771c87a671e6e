// RMS norms that joined no linear.
#include "codegen/cuda/emit/Ops.h"
#include "dialects/bamba/Kernel.h"

namespace bambac::codegen {

FailureOr<KernelText> emitNorm(KernelWriter &writer, RmsNormOp norm) {
  writer.rowCount(dimOf(norm.getInput(), 0));
  writer.constant("columns", dimOf(norm.getInput(), 1));
  writer.constant("epsilon", norm.getEps().convertToDouble());
  FailureOr<View> input = writer.view(norm, norm.getInput());
  FailureOr<View> result = writer.resultView(cast<OpResult>(norm.getResult()));
  if (failed(input) || failed(result))
    return failure();
  writer.constant("vector", std::min(input->alignment(kWidest), result->alignment(kWidest)));
  SmallVector<std::string> call{writer.rows(*input, "input"), writer.address(norm, norm.getWeight(), "weight"),
                                writer.rows(*result, "result")};
  writer.addRows(call);
  return writer.finish({}, call);
}

} // namespace bambac::codegen
