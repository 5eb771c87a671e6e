// Tokens drawn from rows of logits.
#include "codegen/cuda/emit/Ops.h"

namespace bambac::codegen {

FailureOr<KernelText> emitSample(KernelWriter &writer, SampleOp sample) {
  writer.size("rows", dimOf(sample.getLogits(), 0));
  writer.constant("columns", dimOf(sample.getLogits(), 1));
  FailureOr<View> logits = writer.view(sample, sample.getLogits());
  FailureOr<View> result = writer.resultView(cast<OpResult>(sample.getResult()));
  if (failed(logits) || failed(result))
    return failure();
  writer.constant("vector", logits->alignment(4));
  SmallVector<std::string> call{writer.rows(*logits, "logits"),
                                writer.address(sample, sample.getGreedy(), "greedy"),
                                writer.address(sample, sample.getPositions(), "positions"),
                                sample.getKept() ? writer.address(sample, sample.getKept(), "kept") : "nullptr",
                                writer.address(sample, sample.getSampling(), "sampling"),
                                writer.address(*result, "samples")};
  writer.addRows(call);
  return writer.finish({}, call);
}

} // namespace bambac::codegen
