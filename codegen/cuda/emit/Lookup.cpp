// Rows that are looked up: of the embedding by token, and of each sequence's last token.
#include "codegen/cuda/emit/Ops.h"

namespace bambac::codegen {

FailureOr<std::string> emitEmbedding(KernelWriter &writer, EmbeddingOp embedding) {
  writer.constant("rows", dimOf(embedding.getTokens(), 0));
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

FailureOr<std::string> emitLastToken(KernelWriter &writer, LastTokenOp lastToken) {
  int64_t sequences = dimOf(lastToken.getCounts(), 0);
  writer.constant("sequences", sequences);
  writer.constant("tokens", dimOf(lastToken.getInput(), 0) / sequences);
  writer.constant("columns", dimOf(lastToken.getInput(), 1));
  FailureOr<View> input = writer.view(lastToken, lastToken.getInput());
  FailureOr<View> result = writer.resultView(cast<OpResult>(lastToken.getResult()));
  if (failed(input) || failed(result))
    return failure();
  writer.constant("vector", std::min(input->alignment(kWidest), result->alignment(kWidest)));
  return writer.finish({}, {writer.rows(*input, "input"), writer.address(lastToken, lastToken.getCounts(), "counts"),
                            writer.rows(*result, "result")});
}

} // namespace bambac::codegen
