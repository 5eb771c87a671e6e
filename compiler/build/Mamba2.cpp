// A Mamba2 mixer: projection, causal convolution, selective state space, gated norm, projection.
#include "compiler/build/EntryBuilder.h"

using namespace mlir;

namespace bambac {

Value EntryBuilder::buildBody(const Mamba2 &mamba, Value input) {
  Mamba2Columns parts = mamba.columns();
  int64_t taps = mamba.convTaps.shape.front(), channels = parts.convolved().count;
  // In a run of tokens this is most of what a layer writes; products of codes are far less exact than the narrower
  // type.
  bool isCoarse = mamba.inProj.quantization && entry.getKind() != EntryKind::Decode;
  Value projected = buildLinear(input, mamba.inProj, isCoarse ? types.activation : types.wide);
  Value gate = sliceColumns(projected, parts.gate);
  Value convInput = sliceColumns(projected, parts.convolved());
  Value dt = sliceColumns(projected, parts.dt);

  // Operands get names first: the order in which C++ evaluates arguments, and so that of the ops, is not fixed.
  Value tapWeights = loadWeight(mamba.convTaps), bias = loadWeight(mamba.convBias);
  ml_program::GlobalOp state =
      getState("conv_state", StateKind::Slot, {types.convRing ? taps : taps - 1, channels}, types.wide);
  Value convInit = activations(convInput, channels), convState = loadState(state);
  Value positions = types.convRing ? inputs.positions : Value();
  auto conv = CausalConv1dOp::create(builder, loc, convInput, tapWeights, inputs.slots, inputs.counts, convInit,
                                     convState, bias, positions);
  storeState(state, conv.getNewState());
  Value mixed = buildSsm(mamba, conv.getResult(), dt);
  Value scale = loadWeight(mamba.norm), gatedInit = activations(mixed, parts.gate.count);
  Value gated =
      GatedRmsNormOp::create(builder, loc, mixed, gate, scale, gatedInit, builder.getF64FloatAttr(model.normEps))
          .getResult();
  return buildLinear(gated, mamba.outProj, types.wide);
}

Value EntryBuilder::buildSsm(const Mamba2 &mamba, Value convolved, Value dt) {
  Mamba2Columns parts = mamba.columns();
  // The convolution's result begins with x.
  auto slice = [&](Columns columns) {
    return sliceColumns(convolved, {columns.first - parts.convolved().first, columns.count});
  };
  Value x = slice(parts.x), b = slice(parts.b), c = slice(parts.c);
  Value aLog = loadWeight(mamba.aLog), d = loadWeight(mamba.d), dtBias = loadWeight(mamba.dtBias);
  ml_program::GlobalOp stateGlobal =
      getState("ssm_state", StateKind::Slot, {mamba.heads, mamba.headDim, mamba.stateSize}, types.ssmState);
  Value init = emptyLike(dt, parts.x.count), state = loadState(stateGlobal);
  auto dtMin = builder.getF64FloatAttr(mamba.dtMin), dtMax = builder.getF64FloatAttr(mamba.dtMax);
  auto acc = TypeAttr::get(builder.getF32Type());
  ValueRange results;
  if (entry.getKind() == EntryKind::Decode) {
    results =
        SsmStepOp::create(builder, loc, x, dt, b, c, aLog, d, dtBias, inputs.slots, init, state, dtMin, dtMax, acc)
            ->getResults();
  } else {
    int64_t chunk = std::min(mamba.chunkSize, entry.getChunk());
    results = SsmScanOp::create(builder, loc, x, dt, b, c, aLog, d, dtBias, inputs.slots, inputs.counts, init, state,
                                dtMin, dtMax, builder.getI64IntegerAttr(chunk), acc)
                  ->getResults();
  }
  storeState(stateGlobal, results[1]);
  return results[0];
}

} // namespace bambac
