// ssm_step, and rows of ssm_scan that are pieces of their own: each row of a head's state is read, decayed, updated and
// written once.
#include "codegen/cpu/emit/Ops.h"
#include "codegen/cpu/emit/Ssm.h"

namespace bambac::codegen {
namespace {

template <typename Op> class StepEmitter {
public:
  StepEmitter(Emitter &emitter, Op op, typename Op::Adaptor buffers)
      : e(emitter), op(op), buffers(buffers), state(buffers.getState()), stateSize(op.getStateSize()),
        width(std::min(4 * e.getLanes(), e.roundUp(stateSize))) {}

  void emitRow(Value row, Value slot) {
    Value heads = e.dim(state, 1), perGroup = getHeadsPerGroup(e, op, state);
    e.loop(heads, [&](Value head) { emitHead(row, slot, head, e.mul(e.div(head, perGroup), stateSize)); });
  }

private:
  void emitHead(Value row, Value slot, Value head, Value groupColumn) {
    Value raw = e.addf(e.load(buffers.getDt(), {row, head}), e.load(buffers.getDtBias(), {head}));
    Value delta = emitDelta(e, op, raw);
    Value decay = e.broadcast(e.exp(e.mulf(delta, emitDecay(e, buffers.getALog(), head))), width);
    Value skip = e.load(buffers.getD(), {head});
    Value firstChannel = e.mul(head, op.getHeadDim());
    e.loop(op.getHeadDim(), [&](Value p) {
      Value channel = e.add(firstChannel, p);
      Value x = e.load(buffers.getX(), {row, channel});
      Value update = e.broadcast(e.mulf(x, delta), width);
      SmallVector<Value> sums =
          e.columns(e.index(stateSize), width, {e.splat(0.0, width)}, [&](Value n, Lanes lanes, ValueRange values) {
            Value column = e.add(groupColumn, n);
            Value added = e.mulf(update, e.load(buffers.getB(), {row, column}, lanes));
            Value next = e.fma(e.load(state, {slot, head, p, n}, lanes), decay, added);
            e.store(next, state, {slot, head, p, n}, lanes);
            return SmallVector<Value>{e.fma(next, e.load(buffers.getC(), {row, column}, lanes), values[0])};
          });
      e.store(e.fma(skip, x, e.sum(sums[0])), buffers.getInit(), {row, channel});
    });
  }

  Emitter &e;
  Op op;
  typename Op::Adaptor buffers;
  Value state;
  int64_t stateSize, width;
};

} // namespace

LogicalResult emitOp(Emitter &emitter, SsmStepOp op, SsmStepOp::Adaptor buffers) {
  StepEmitter step(emitter, op, buffers);
  emitter.loop(emitter.dim(buffers.getSlots(), 0),
               [&](Value row) { step.emitRow(row, emitter.loadIndex(buffers.getSlots(), {row})); });
  return success();
}

void emitStep(Emitter &emitter, SsmScanOp op, SsmScanOp::Adaptor buffers, Value row, Value slot) {
  StepEmitter(emitter, op, buffers).emitRow(row, slot);
}

} // namespace bambac::codegen
