// causal_conv1d: some channels at a time, with the last inputs in registers while time runs.
#include "codegen/cpu/emit/Ops.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

namespace bambac::codegen {
namespace {

class ConvolutionEmitter {
public:
  ConvolutionEmitter(Emitter &emitter, CausalConv1dOp::Adaptor buffers)
      : e(emitter), input(buffers.getInput()), weight(buffers.getWeight()), bias(buffers.getBias()),
        slots(buffers.getSlots()), starts(buffers.getStarts()), out(buffers.getInit()), state(buffers.getState()),
        taps(cast<MemRefType>(weight.getType()).getDimSize(0)) {}

  void emit() {
    e.pieces(starts, [&](Value piece, Value firstRow, Value count) {
      Value slot = e.loadIndex(slots, {piece});
      e.columns(e.dim(out, 1), 2 * e.getLanes(), [&](Value channel, Lanes lanes) {
        convolve(slot, firstRow, count, channel, lanes);
        updateState(slot, firstRow, count, channel, lanes);
      });
    });
  }

private:
  void convolve(Value slot, Value firstRow, Value tokens, Value channel, Lanes lanes) {
    SmallVector<Value> window, factors;
    for (int64_t tap = 0; tap < taps; ++tap)
      factors.push_back(e.load(weight, {e.index(tap), channel}, lanes));
    for (int64_t tap = 0; tap < taps - 1; ++tap)
      window.push_back(e.load(state, {slot, e.index(tap), channel}, lanes));
    Value start = bias ? e.load(bias, {channel}, lanes) : e.splat(0.0, lanes.width);
    e.loop(e.index(0), tokens, 1, window, [&](Value token, ValueRange last) {
      Value row = e.add(firstRow, token);
      SmallVector<Value> inputs(last);
      inputs.push_back(e.load(input, {row, channel}, lanes));
      Value sum = start;
      for (auto [value, factor] : llvm::zip(inputs, factors))
        sum = e.fma(value, factor, sum);
      e.store(e.silu(sum), out, {row, channel}, lanes);
      return SmallVector<Value>(llvm::drop_begin(inputs));
    });
  }

  /// Row i of the new state is input `count - (taps - 1) + i`, or where that is before the first token, a later row of
  /// the old state: rows move towards the front, so they are read before they are overwritten.
  void updateState(Value slot, Value firstRow, Value count, Value channel, Lanes lanes) {
    for (int64_t i = 0; i < taps - 1; ++i) {
      Value token = e.add(count, i - (taps - 1));
      Value isOld = e.less(token, e.index(0));
      auto choice = scf::IfOp::create(
          e.getBuilder(), e.getLoc(), isOld,
          [&](OpBuilder &builder, Location loc) {
            Value kept = e.load(state, {slot, e.add(token, taps - 1), channel}, lanes);
            scf::YieldOp::create(builder, loc, kept);
          },
          [&](OpBuilder &builder, Location loc) {
            scf::YieldOp::create(builder, loc, e.load(input, {e.add(firstRow, token), channel}, lanes));
          });
      e.store(choice.getResult(0), state, {slot, e.index(i), channel}, lanes);
    }
  }

  Emitter &e;
  Value input, weight, bias, slots, starts, out, state;
  int64_t taps;
};

} // namespace

LogicalResult emitOp(Emitter &emitter, CausalConv1dOp op, CausalConv1dOp::Adaptor buffers) {
  if (op.getPositions())
    return op.emitOpError() << "expected no positions on the CPU, whose state keeps the last inputs in order";
  ConvolutionEmitter(emitter, buffers).emit();
  return success();
}

} // namespace bambac::codegen
