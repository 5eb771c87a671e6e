// Rows that are looked up: of the embedding by token, and of a matrix by number.
#include "codegen/cuda/emit/Ops.h"

namespace bambac::codegen {

FailureOr<KernelText> emitEmbedding(KernelWriter &writer, EmbeddingOp embedding) {
  writer.rowCount(dimOf(embedding.getTokens(), 0));
  writer.constant("columns", dimOf(embedding.getTable(), 1));
  writer.constant("vocabulary", dimOf(embedding.getTable(), 0));
  FailureOr<View> table = writer.view(embedding, embedding.getTable());
  FailureOr<View> result = writer.resultView(cast<OpResult>(embedding.getResult()));
  if (failed(table) || failed(result))
    return failure();
  writer.constant("vector", std::min(table->alignment(kWidest), result->alignment(kWidest)));
  SmallVector<std::string> call{writer.address(embedding, embedding.getTokens(), "tokens"),
                                writer.rows(*table, "table"), writer.rows(*result, "result")};
  writer.addRows(call);
  return writer.finish({}, call);
}

FailureOr<KernelText> emitTakeRows(KernelWriter &writer, TakeRowsOp takeRows) {
  writer.rowCount(dimOf(takeRows.getRows(), 0));
  writer.constant("columns", dimOf(takeRows.getInput(), 1));
  writer.constant("input_rows", dimOf(takeRows.getInput(), 0));
  FailureOr<View> input = writer.view(takeRows, takeRows.getInput());
  FailureOr<View> result = writer.resultView(cast<OpResult>(takeRows.getResult()));
  if (failed(input) || failed(result))
    return failure();
  writer.constant("vector", std::min(input->alignment(kWidest), result->alignment(kWidest)));
  SmallVector<std::string> call{writer.rows(*input, "input"), writer.address(takeRows, takeRows.getRows(), "numbers"),
                                writer.rows(*result, "result")};
  writer.addRows(call);
  return writer.finish({}, call);
}

} // namespace bambac::codegen
