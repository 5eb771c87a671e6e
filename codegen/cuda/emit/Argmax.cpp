// The largest element of each row, where that joined no linear.
#include "codegen/cuda/emit/Ops.h"

namespace bambac::codegen {

/// The widest access to f32.
static constexpr int64_t kWidestFloat = 4;
/// Columns that are worth a block of their own.
static constexpr int64_t kColumnsOfBlock = 1024;

FailureOr<KernelText> emitArgmax(KernelWriter &writer, ArgmaxOp argmax) {
  int64_t rows = dimOf(argmax.getInput(), 0), columns = dimOf(argmax.getInput(), 1);
  // Few rows are cut into pieces, so that the whole device reads them.
  int64_t pieces = (columns + kColumnsOfBlock - 1) / kColumnsOfBlock;
  int64_t splits = std::clamp<int64_t>(writer.getMultiprocessors() / rows, 1, pieces);
  writer.constant("rows", rows);
  writer.constant("columns", columns);
  writer.constant("splits", splits);
  FailureOr<View> logits = writer.view(argmax, argmax.getInput());
  FailureOr<View> result = writer.resultView(cast<OpResult>(argmax.getResult()));
  if (failed(logits) || failed(result))
    return failure();
  writer.constant("vector", logits->alignment(kWidestFloat));
  SmallVector<std::string> call{writer.rows(*logits, "input"), writer.address(*result, "result"),
                                splits > 1 ? writer.workspace() : "nullptr"};
  writer.addRows(call);
  return writer.finish({}, call);
}

} // namespace bambac::codegen
