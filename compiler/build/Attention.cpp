// An attention mixer: projections, rotation, the KV cache, attention, projection.
#include "compiler/build/EntryBuilder.h"

using namespace mlir;

namespace bambac {

Value EntryBuilder::buildBody(const Attention &attention, Value input) {
  const Rotary &rotary = attention.rotary;
  auto rotation = RotationAttr::get(builder.getContext(), rotary.frequenciesFor(*limits.maxContext), rotary.scale);
  auto rotate = [&](Value vectors) -> Value {
    int64_t width = cast<RankedTensorType>(vectors.getType()).getDimSize(1);
    return RopeOp::create(builder, loc, vectors, inputs.positions, activations(vectors, width),
                          builder.getI64IntegerAttr(attention.headDim), rotation)
        .getResult();
  };
  Value query = rotate(buildLinear(input, attention.query, types.wide));
  Value key = rotate(buildLinear(input, attention.key, types.wide));
  Value value = buildLinear(input, attention.value, types.wide);

  // The new keys and values go first: a token attends to itself.
  const int64_t page[] = {attention.kvHeads, limits.pageTokens, attention.headDim};
  Type element = attention.cacheScales ? types.codes : types.cache;
  ml_program::GlobalOp keyCache = getState("k_cache", StateKind::Page, page, element);
  ml_program::GlobalOp valueCache = getState("v_cache", StateKind::Page, page, element);
  Value scales = loadWeight(attention.cacheScales), keys = loadState(keyCache), values = loadState(valueCache);
  bool hasRuns = entry.getKind() != EntryKind::Decode;
  Value pieces = hasRuns ? inputs.pieces : Value(), starts = hasRuns ? inputs.starts : Value();
  auto append =
      KvAppendOp::create(builder, loc, key, value, inputs.positions, inputs.pages, keys, values, scales, pieces);
  storeState(keyCache, append.getNewKCache());
  storeState(valueCache, append.getNewVCache());

  Value attended =
      AttentionOp::create(builder, loc, query, append.getNewKCache(), append.getNewVCache(), inputs.positions,
                          inputs.pages, activations(query, attention.heads * attention.headDim), scales, starts,
                          builder.getF64FloatAttr(attention.scale), TypeAttr::get(builder.getF32Type()))
          .getResult();
  return buildLinear(attended, attention.output, types.wide);
}

} // namespace bambac
