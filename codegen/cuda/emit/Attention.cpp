// Attention and what feeds its cache, each with the rotation of its vectors.
#include "codegen/cuda/emit/Epilogue.h"
#include "codegen/cuda/emit/Ops.h"

namespace bambac::codegen {
namespace {

/// The rotation of a value: its source's view, and its constants in the shape. Without one, kRotaryDim is 0.
FailureOr<View> rotated(KernelWriter &writer, Operation *user, Value value) {
  auto rope = value.getDefiningOp<RopeOp>();
  writer.constant("rotary_dim", int64_t(rope ? rope.getRotaryDim() : 0));
  writer.constant("theta", rope ? rope.getTheta().convertToDouble() : 1.0);
  return writer.view(user, rope ? rope.getInput() : value);
}

} // namespace

FailureOr<std::string> emitAttention(KernelWriter &writer, AttentionOp attention) {
  int64_t tokens = attention.getNumTokens();
  writer.constant("sequences", dimOf(attention.getPages(), 0));
  writer.constant("tokens", tokens);
  writer.constant("heads", attention.getNumKvHeads() * attention.getGroupSize());
  writer.constant("kv_heads", attention.getNumKvHeads());
  writer.constant("head_dim", attention.getHeadDim());
  writer.constant("page_tokens", attention.getPageTokens());
  writer.constant("max_pages", dimOf(attention.getPages(), 1));
  writer.constant("scale", attention.getScale().convertToDouble());
  FailureOr<View> query = rotated(writer, attention, attention.getQuery());
  FailureOr<std::string> epilogue = emitEpilogue(writer, attention.getResult(), nullptr);
  if (failed(query) || failed(epilogue))
    return failure();
  writer.constant("aligned", query->offset % kWidest == 0);
  std::string rows = writer.rows(*query), call = rows;
  for (Value value : {attention.getKCache(), attention.getVCache(), attention.getPositions(), attention.getPages()})
    call += ", " + writer.address(attention, value);
  call += ", " + *epilogue;
  if (tokens == 1)
    call += ", " + writer.workspace();
  return writer.finish(", " + StringRef(rows).split('{').first.str() + ", Epilogue", call);
}

FailureOr<std::string> emitKvAppend(KernelWriter &writer, KvAppendOp append) {
  auto cache = cast<RankedTensorType>(append.getKCache().getType());
  int64_t rows = dimOf(append.getV(), 0), sequences = dimOf(append.getPages(), 0);
  writer.constant("rows", rows);
  writer.constant("tokens", rows / sequences);
  writer.constant("kv_heads", cache.getDimSize(1));
  writer.constant("page_tokens", cache.getDimSize(2));
  writer.constant("head_dim", cache.getDimSize(3));
  writer.constant("max_pages", dimOf(append.getPages(), 1));
  FailureOr<View> keys = rotated(writer, append, append.getK()), values = writer.view(append, append.getV());
  if (failed(keys) || failed(values))
    return failure();
  writer.constant("vector", std::min(keys->alignment(kWidest), values->alignment(kWidest)));
  std::string call = writer.rows(*keys) + ", " + writer.rows(*values);
  for (Value value : {append.getPositions(), append.getPages()})
    call += ", " + writer.address(append, value);
  return writer.finish("", call + ", " + writer.address(append, append.getKCache()) + ", " +
                               writer.address(append, append.getVCache()));
}

FailureOr<std::string> emitRope(KernelWriter &writer, RopeOp rope) {
  writer.constant("rows", dimOf(rope.getInput(), 0));
  auto headDim = static_cast<int64_t>(rope.getHeadDim());
  writer.constant("heads", dimOf(rope.getInput(), 1) / headDim);
  writer.constant("head_dim", headDim);
  FailureOr<View> input = rotated(writer, rope, rope.getResult());
  FailureOr<View> result = writer.resultView(cast<OpResult>(rope.getResult()));
  if (failed(input) || failed(result))
    return failure();
  writer.constant("vector", std::min(input->alignment(kWidest), result->alignment(kWidest)));
  return writer.finish("", writer.rows(*input) + ", " + writer.address(rope, rope.getPositions()) + ", " +
                               writer.rows(*result));
}

} // namespace bambac::codegen
