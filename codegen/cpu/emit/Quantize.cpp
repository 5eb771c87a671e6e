// quantize: of each group of a row first the largest magnitude, which gives the scale, then the codes.
#include "codegen/cpu/emit/Codes.h"
#include "codegen/cpu/emit/Ops.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "runtime/contract/quantization.h"

namespace bambac::codegen {
namespace {

/// Registers that a pass over a row works on side by side.
constexpr int64_t kRegisters = 4;

class QuantizeEmitter {
public:
  QuantizeEmitter(Emitter &emitter, QuantizeOp op, QuantizeOp::Adaptor buffers)
      : e(emitter), input(buffers.getInput()), codes(buffers.getInit()), scales(buffers.getScalesInit()),
        staticScales(buffers.getStaticScales()), group(op.getGroupSize()),
        columns(cast<MemRefType>(input.getType()).getDimSize(1)) {}

  void emit() {
    Value fixed = staticScales ? e.largest(e.load(staticScales, {e.index(0)}, wholeVector())) : Value();
    e.loop(e.dim(input, 0), [&](Value row) {
      e.loop(e.dim(scales, 1), [&](Value number) {
        Value first = e.mul(number, group), size = e.partSize(e.index(columns), first, group);
        Value scale = fixed ? fixed : computeScale(row, first, size);
        e.store(scale, scales, {row, number});
        e.columns(size, kRegisters * e.getLanes(), [&](Value column, Lanes lanes) {
          Value at = e.add(first, column);
          Value scaled = e.divf(e.load(input, {row, at}, lanes), e.broadcast(scale, lanes.width));
          e.store(roundToE4m3(e, scaled), codes, {row, at}, lanes);
        });
      });
    });
  }

private:
  Lanes wholeVector() { return {cast<MemRefType>(staticScales.getType()).getDimSize(0), Value()}; }

  Value computeScale(Value row, Value first, Value size) {
    int64_t width = kRegisters * e.getLanes();
    Value largest = e.columns(size, width, {e.splat(0.0, width)}, [&](Value column, Lanes lanes, ValueRange values) {
      Value value = e.load(input, {row, e.add(first, column)}, lanes);
      return SmallVector<Value>{e.maxf(values[0], math::AbsFOp::create(e.getBuilder(), e.getLoc(), value))};
    })[0];
    return e.maxf(e.divf(e.largest(largest), e.f32(contract::kLargestE4m3)), e.f32(contract::kLeastInputScale));
  }

  Emitter &e;
  Value input, codes, scales, staticScales;
  int64_t group, columns;
};

} // namespace

LogicalResult emitOp(Emitter &emitter, QuantizeOp op, QuantizeOp::Adaptor buffers) {
  Type codes = getElementTypeOrSelf(op.getInit().getType());
  if (!codes.isF32() && !codes.isBF16()) // which both have every number of e4m3
    return op.emitOpError() << "expected codes in f32 or bf16 on the processor, found " << op.getInit().getType();
  QuantizeEmitter(emitter, op, buffers).emit();
  return success();
}

} // namespace bambac::codegen
