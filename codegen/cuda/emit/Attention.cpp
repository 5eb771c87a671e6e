// Attention and what feeds it where that joined no projection: the append to its cache, and the rotation.
#include "codegen/cuda/emit/Epilogue.h"
#include "codegen/cuda/emit/Ops.h"
#include "llvm/ADT/StringExtras.h"
#include <cmath>

namespace bambac::codegen {

FailureOr<std::string> emitAttention(KernelWriter &writer, AttentionOp attention) {
  int64_t tokens = attention.getNumTokens();
  writer.operand(attention.getKCache().getType().getElementType());
  writer.constant("sequences", dimOf(attention.getPages(), 0));
  writer.constant("tokens", tokens);
  writer.constant("heads", attention.getNumKvHeads() * attention.getGroupSize());
  writer.constant("kv_heads", attention.getNumKvHeads());
  writer.constant("head_dim", attention.getHeadDim());
  writer.constant("page_tokens", attention.getPageTokens());
  writer.constant("max_pages", dimOf(attention.getPages(), 1));
  writer.constant("scale", attention.getScale().convertToDouble());
  FailureOr<View> query = writer.view(attention, attention.getQuery());
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

void describeCache(KernelWriter &writer, KvAppendOp append) {
  auto cache = cast<RankedTensorType>(append.getKCache().getType());
  writer.constant("tokens", dimOf(append.getV(), 0) / dimOf(append.getPages(), 0));
  writer.constant("kv_heads", cache.getDimSize(1));
  writer.constant("page_tokens", cache.getDimSize(2));
  writer.constant("max_pages", dimOf(append.getPages(), 1));
}

FailureOr<std::string> emitKvAppend(KernelWriter &writer, KvAppendOp append) {
  writer.constant("rows", dimOf(append.getV(), 0));
  writer.constant("head_dim", cast<RankedTensorType>(append.getKCache().getType()).getDimSize(3));
  describeCache(writer, append);
  FailureOr<View> keys = writer.view(append, append.getK()), values = writer.view(append, append.getV());
  if (failed(keys) || failed(values))
    return failure();
  writer.constant("vector", std::min(keys->alignment(kWidest), values->alignment(kWidest)));
  std::string call = writer.rows(*keys) + ", " + writer.rows(*values);
  for (Value value : {append.getPositions(), append.getPages()})
    call += ", " + writer.address(append, value);
  return writer.finish("", call + ", " + writer.address(append, append.getKCache()) + ", " +
                               writer.address(append, append.getVCache()));
}

/// theta^(-2 j / rotary_dim) in the roundings of a table in f32: at position 262144 a last-place error of a frequency
/// already turns a pair by a hundredth of a radian.
static std::string frequencyTable(RopeOp rope) {
  auto rotaryDim = static_cast<int64_t>(rope.getRotaryDim());
  SmallVector<std::string> values;
  for (int64_t j = 0; j < rotaryDim / 2; ++j) {
    float exponent = static_cast<float>(2 * j) / static_cast<float>(rotaryDim);
    auto power = static_cast<float>(std::pow(rope.getTheta().convertToDouble(), static_cast<double>(exponent)));
    values.push_back(floatLiteral(1.0f / power));
  }
  if (values.empty()) // nothing turns, and nothing is read
    values.push_back(floatLiteral(0.0));
  return ("/// Radians by which one position turns each pair.\n__device__ const float kFrequencies[" +
          Twine(values.size()) + "] = {" + llvm::join(values, ", ") + "};\n")
      .str();
}

void describeRope(KernelWriter &writer, RopeOp rope) {
  writer.constant("head_dim", static_cast<int64_t>(rope.getHeadDim()));
  writer.constant("rotary_dim", static_cast<int64_t>(rope.getRotaryDim()));
  writer.type(frequencyTable(rope));
}

FailureOr<std::string> emitRope(KernelWriter &writer, RopeOp rope) {
  writer.constant("rows", dimOf(rope.getInput(), 0));
  writer.constant("heads", dimOf(rope.getInput(), 1) / static_cast<int64_t>(rope.getHeadDim()));
  writer.constant("interleaved", rope.getInterleaved());
  describeRope(writer, rope);
  FailureOr<View> input = writer.view(rope, rope.getInput());
  FailureOr<View> result = writer.resultView(cast<OpResult>(rope.getResult()));
  if (failed(input) || failed(result))
    return failure();
  writer.constant("vector", std::min(input->alignment(kWidest), result->alignment(kWidest)));
  return writer.finish("", writer.rows(*input) + ", " + writer.address(rope, rope.getPositions()) + ", kFrequencies, " +
                               writer.rows(*result));
}

} // namespace bambac::codegen
