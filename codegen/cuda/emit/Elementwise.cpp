// Norms, lookups, and element-wise ops that are kernels of their own.
#include "codegen/cuda/emit/Epilogue.h"
#include "codegen/cuda/emit/Ops.h"

namespace bambac::codegen {
namespace {

/// The widest access to f32.
constexpr int64_t kWidestFloat = 4;
/// Columns that are worth a block of their own.
constexpr int64_t kColumnsOfBlock = 1024;

} // namespace

FailureOr<std::string> emitNorm(KernelWriter &writer, RmsNormOp norm) {
  writer.constant("rows", dimOf(norm.getInput(), 0));
  writer.constant("columns", dimOf(norm.getInput(), 1));
  writer.constant("epsilon", norm.getEps().convertToDouble());
  FailureOr<View> input = writer.view(norm, norm.getInput());
  FailureOr<View> result = writer.resultView(cast<OpResult>(norm.getResult()));
  if (failed(input) || failed(result))
    return failure();
  writer.constant("vector", std::min(input->alignment(kWidest), result->alignment(kWidest)));
  return writer.finish("", writer.rows(*input) + ", " + writer.address(norm, norm.getWeight()) + ", " +
                               writer.rows(*result));
}

FailureOr<std::string> emitEmbedding(KernelWriter &writer, EmbeddingOp embedding) {
  writer.constant("rows", dimOf(embedding.getTokens(), 0));
  writer.constant("columns", dimOf(embedding.getTable(), 1));
  writer.constant("vocabulary", dimOf(embedding.getTable(), 0));
  FailureOr<View> table = writer.view(embedding, embedding.getTable());
  FailureOr<View> result = writer.resultView(cast<OpResult>(embedding.getResult()));
  if (failed(table) || failed(result))
    return failure();
  writer.constant("vector", std::min(table->alignment(kWidest), result->alignment(kWidest)));
  return writer.finish("", writer.address(embedding, embedding.getTokens()) + ", " + writer.rows(*table) + ", " +
                               writer.rows(*result));
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
  return writer.finish("", writer.rows(*input) + ", " + writer.address(lastToken, lastToken.getCounts()) + ", " +
                               writer.rows(*result));
}

FailureOr<std::string> emitArgmax(KernelWriter &writer, ArgmaxOp argmax) {
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
  std::string call = writer.rows(*logits) + ", " + writer.address(*result);
  if (splits > 1)
    call += ", " + writer.workspace();
  return writer.finish("", call);
}

FailureOr<std::string> emitElementwise(KernelWriter &writer, Operation *last) {
  OpResult result = last->getResult(0);
  FailureOr<std::string> body = emitElementwiseBody(writer, result);
  if (failed(body))
    return failure();
  writer.constant("rows", dimOf(result, 0));
  writer.constant("columns", dimOf(result, 1));
  return writer.finish(", Epilogue", *body);
}

} // namespace bambac::codegen
