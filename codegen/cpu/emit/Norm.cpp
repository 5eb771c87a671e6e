// rms_norm and gated_rms_norm: two passes over each row, the first for its mean square.
#include "codegen/cpu/emit/Ops.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

namespace bambac::codegen {

/// Registers that a pass over a row works on side by side.
static constexpr int64_t kRegisters = 4;

/// The scale of a row: 1 / sqrt(mean of squares + eps).
static Value getScale(Emitter &e, Value squares, Value size, double eps) {
  int64_t columns = *getConstantIntValue(size);
  return e.rsqrt(e.addf(e.mulf(e.sum(squares), e.f32(1.0 / columns)), e.f32(eps)));
}

/// `out = row * scale * weight`
static void scaleRow(Emitter &e, Value source, Value weight, Value out, Value row, Value size, Value scale) {
  e.columns(size, kRegisters * e.getLanes(), [&](Value column, Lanes lanes) {
    Value scaled = e.mulf(e.load(source, {row, column}, lanes), e.broadcast(scale, lanes.width));
    e.store(e.mulf(scaled, e.load(weight, {column}, lanes)), out, {row, column}, lanes);
  });
}

LogicalResult emitOp(Emitter &e, RmsNormOp op, RmsNormOp::Adaptor buffers) {
  Value input = buffers.getInput(), size = e.dim(input, 1);
  int64_t width = kRegisters * e.getLanes();
  e.loop(e.dim(input, 0), [&](Value row) {
    SmallVector<Value> squares =
        e.columns(size, width, {e.splat(0.0, width)}, [&](Value column, Lanes lanes, ValueRange sums) {
          Value value = e.load(input, {row, column}, lanes);
          return SmallVector<Value>{e.fma(value, value, sums[0])};
        });
    Value scale = getScale(e, squares[0], size, op.getEps().convertToDouble());
    scaleRow(e, input, buffers.getWeight(), buffers.getInit(), row, size, scale);
  });
  return success();
}

LogicalResult emitOp(Emitter &e, GatedRmsNormOp op, GatedRmsNormOp::Adaptor buffers) {
  Value input = buffers.getInput(), gate = buffers.getGate(), out = buffers.getInit(), size = e.dim(input, 1);
  int64_t width = kRegisters * e.getLanes();
  e.loop(e.dim(input, 0), [&](Value row) {
    // The gated row waits in the result for its scale.
    SmallVector<Value> squares =
        e.columns(size, width, {e.splat(0.0, width)}, [&](Value column, Lanes lanes, ValueRange sums) {
          Value gated = e.mulf(e.load(input, {row, column}, lanes), e.silu(e.load(gate, {row, column}, lanes)));
          e.store(gated, out, {row, column}, lanes);
          return SmallVector<Value>{e.fma(gated, gated, sums[0])};
        });
    Value scale = getScale(e, squares[0], size, op.getEps().convertToDouble());
    scaleRow(e, out, buffers.getWeight(), out, row, size, scale);
  });
  return success();
}

} // namespace bambac::codegen
