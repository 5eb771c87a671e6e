// A Mamba2 mixer: projection, causal convolution, selective state space, gated norm, projection.
#include "compiler/build/EntryBuilder.h"

using namespace mlir;

namespace bambac {

Value EntryBuilder::buildBody(const Mamba2 &mamba, Value input) {
  Mamba2Columns parts = mamba.columns();
  int64_t taps = mamba.convTaps.shape.front(), channels = parts.convolved().count;
  // This is most of what a layer writes; products of codes are far less exact than the narrower type. The recurrence's
  // result, which has the type of dt, and the convolution's state follow.
  Value projected = buildLinear(input, mamba.inProj, mamba.inProj.quantization ? types.activation : types.wide);
  Value gate = sliceColumns(projected, parts.gate);
  Value convInput = sliceColumns(projected, parts.convolved());
  Value dt = sliceColumns(projected, parts.dt);

  // Operands get names first: the order in which C++ evaluates arguments, and so that of the ops, is not fixed.
  Value tapWeights = loadWeight(mamba.convTaps), bias = loadWeight(mamba.convBias);
  // A ring keeps the inputs of tokens that wait for the SSM state too, so that they can be dropped again.
  int64_t kept = types.convRing ? taps + *limits.stateRing - 1 : taps - 1;
  ml_program::GlobalOp state =
      getState("conv_state", StateKind::Slot, {kept, channels}, getElementTypeOrSelf(projected.getType()));
  Value convInit = activations(convInput, channels), convState = loadState(state);
  Value positions = types.convRing ? inputs.positions : Value();
  auto conv = CausalConv1dOp::create(builder, loc, convInput, tapWeights, inputs.slots, inputs.starts, convInit,
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
  SsmOperands operands;
  operands.x = slice(parts.x);
  operands.dt = dt;
  operands.b = slice(parts.b);
  operands.c = slice(parts.c);
  operands.aLog = loadWeight(mamba.aLog);
  operands.d = loadWeight(mamba.d);
  operands.dtBias = loadWeight(mamba.dtBias);
  ml_program::GlobalOp stateGlobal =
      getState("ssm_state", StateKind::Slot, {mamba.heads, mamba.headDim, mamba.stateSize}, types.ssmState);
  operands.init = emptyLike(dt, parts.x.count);
  operands.state = loadState(stateGlobal);
  ml_program::GlobalOp scalesGlobal;
  if (isa<IntegerType>(types.ssmState)) {
    scalesGlobal = getState("ssm_scales", StateKind::Slot, {mamba.heads, mamba.headDim}, types.wide);
    operands.scales = loadState(scalesGlobal);
  }
  ValueRange results;
  if (entry.getKind() == EntryKind::Decode)
    results = buildSsmStep(mamba, operands)->getResults();
  else
    results = buildSsmScan(mamba, operands)->getResults();
  storeState(stateGlobal, results[1]);
  if (scalesGlobal)
    storeState(scalesGlobal, results.back());
  return results[0];
}

SsmStepOp EntryBuilder::buildSsmStep(const Mamba2 &mamba, const SsmOperands &o) {
  Value pending, entries, deltas;
  ml_program::GlobalOp entryPool, deltaPool;
  if (hasRing()) {
    std::tie(entryPool, deltaPool) = getRing(mamba);
    pending = inputs.pending;
    entries = loadState(entryPool);
    deltas = loadState(deltaPool);
  }
  auto step = SsmStepOp::create(builder, loc, o.x, o.dt, o.b, o.c, o.aLog, o.d, o.dtBias, inputs.slots, pending, o.init,
                                o.state, entries, deltas, o.scales, APFloat(mamba.dtMin), APFloat(mamba.dtMax),
                                builder.getF32Type());
  if (hasRing()) {
    storeState(entryPool, step.getNewRing()[0]);
    storeState(deltaPool, step.getNewRing()[1]);
  }
  return step;
}

SsmScanOp EntryBuilder::buildSsmScan(const Mamba2 &mamba, SsmOperands o) {
  if (hasRing())
    foldRing(mamba, o);
  int64_t chunk = std::min(mamba.chunkSize, entry.getChunk());
  return SsmScanOp::create(builder, loc, o.x, o.dt, o.b, o.c, o.aLog, o.d, o.dtBias, inputs.slots, inputs.starts,
                           o.init, o.state, o.scales, APFloat(mamba.dtMin), APFloat(mamba.dtMax), chunk,
                           builder.getF32Type());
}

void EntryBuilder::foldRing(const Mamba2 &mamba, SsmOperands &o) {
  auto [entryPool, deltaPool] = getRing(mamba);
  Value entries = loadState(entryPool), deltas = loadState(deltaPool);
  auto fold = SsmFoldOp::create(builder, loc, o.aLog, inputs.slots, inputs.pending, entries, deltas, o.state, o.scales,
                                builder.getF32Type());
  o.state = fold.getNewState();
  if (o.scales)
    o.scales = fold.getNewScales().front();
}

std::pair<ml_program::GlobalOp, ml_program::GlobalOp> EntryBuilder::getRing(const Mamba2 &mamba) {
  Mamba2Columns parts = mamba.columns();
  int64_t waiting = *limits.stateRing - 1;
  return {getState("ssm_entries", StateKind::Slot, {waiting, parts.x.count + parts.b.count}, types.activation),
          getState("ssm_deltas", StateKind::Slot, {waiting, mamba.heads}, types.wide)};
}

} // namespace bambac
