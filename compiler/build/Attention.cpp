// The mixer of an attention layer: projections, rotation, the KV cache, attention, projection.
#include "compiler/build/EntryBuilder.h"
#include <cmath>

using namespace mlir;

namespace bambac {

Value EntryBuilder::buildAttention(Value input) {
  auto rotate = [&](Value vectors) -> Value {
    int64_t width = cast<RankedTensorType>(vectors.getType()).getDimSize(1);
    return RopeOp::create(builder, loc, vectors, inputs.positions, activations(vectors, width),
                          builder.getI64IntegerAttr(config.headDim), builder.getI64IntegerAttr(config.rotaryDim),
                          builder.getF64FloatAttr(config.ropeTheta))
        .getResult();
  };
  Value query = rotate(linear(input, "self_attn.q_proj", types.wide));
  Value key = rotate(linear(input, "self_attn.k_proj", types.wide));
  Value value = linear(input, "self_attn.v_proj", types.wide);

  // The new keys and values go first: a token attends to itself.
  Value keys = loadState("k_cache"), values = loadState("v_cache");
  auto append = KvAppendOp::create(builder, loc, key, value, inputs.positions, inputs.pages, keys, values);
  storeState("k_cache", append.getNewKCache());
  storeState("v_cache", append.getNewVCache());

  double scale = 1.0 / std::sqrt(static_cast<double>(config.headDim));
  Value attended =
      AttentionOp::create(builder, loc, query, append.getNewKCache(), append.getNewVCache(), inputs.positions,
                          inputs.pages, activations(query, config.attentionHeads * config.headDim),
                          builder.getF64FloatAttr(scale), TypeAttr::get(builder.getF32Type()))
          .getResult();
  return linear(attended, "self_attn.o_proj", types.wide);
}

} // namespace bambac
