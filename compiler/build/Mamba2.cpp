// The mixer of a mamba layer: projection, causal convolution, selective state space, gated norm, projection.
#include "compiler/build/EntryBuilder.h"

using namespace mlir;

namespace bambac {

Value EntryBuilder::buildMamba(Value input) {
  int64_t inner = config.innerSize(), channels = config.convChannels();
  // Columns of the projection: z | x B C | dt.
  Value projected = linear(input, "mamba.in_proj", types.wide);
  Value gate = columns(projected, 0, inner);
  Value convInput = columns(projected, inner, channels);
  Value dt = columns(projected, inner + channels, config.mambaHeads);

  // Operands get names first: the order in which C++ evaluates arguments, and so that of the ops, is not fixed.
  Value taps = weight("mamba.conv1d"), bias = optionalWeight("mamba.conv1d.bias");
  Value convInit = activations(convInput, channels), convState = loadState("conv_state");
  Value positions = types.convRing ? inputs.positions : Value();
  auto conv = CausalConv1dOp::create(builder, loc, convInput, taps, inputs.slots, inputs.counts, convInit, convState,
                                     bias, positions);
  storeState("conv_state", conv.getNewState());
  Value mixed = buildSsm(conv.getResult(), dt);
  Value scale = weight("mamba.norm"), gatedInit = activations(mixed, inner);
  Value gated =
      GatedRmsNormOp::create(builder, loc, mixed, gate, scale, gatedInit, builder.getF64FloatAttr(config.rmsNormEps))
          .getResult();
  return linear(gated, "mamba.out_proj", types.wide);
}

Value EntryBuilder::buildSsm(Value convolved, Value dt) {
  int64_t inner = config.innerSize(), group = config.groupColumns();
  Value x = columns(convolved, 0, inner);
  Value b = columns(convolved, inner, group);
  Value c = columns(convolved, inner + group, group);
  Value aLog = weight("mamba.A_log"), d = weight("mamba.D"), dtBias = weight("mamba.dt_bias");
  Value init = emptyLike(dt, inner), state = loadState("ssm_state");
  auto dtMin = builder.getF64FloatAttr(config.dtMin), dtMax = builder.getF64FloatAttr(config.dtMax);
  auto acc = TypeAttr::get(builder.getF32Type());
  ValueRange results;
  if (entry.getKind() == EntryKind::Decode) {
    results =
        SsmStepOp::create(builder, loc, x, dt, b, c, aLog, d, dtBias, inputs.slots, init, state, dtMin, dtMax, acc)
            ->getResults();
  } else {
    int64_t chunk = std::min(config.chunkSize, entry.getChunk());
    results = SsmScanOp::create(builder, loc, x, dt, b, c, aLog, d, dtBias, inputs.slots, inputs.counts, init, state,
                                dtMin, dtMax, builder.getI64IntegerAttr(chunk), acc)
                  ->getResults();
  }
  storeState("ssm_state", results[1]);
  return results[0];
}

} // namespace bambac
