// quantize: of each group of a row first the largest magnitude, which gives the scale, then the codes.
#include "codegen/cpu/emit/Ops.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

namespace bambac::codegen {
namespace {

/// Registers that a pass over a row works on side by side.
constexpr int64_t kRegisters = 4;
/// e4m3: the largest number, the exponent of the smallest normal one, and the bits of a fraction.
constexpr double kLargest = 448.0;
constexpr double kSmallestNormal = 0x1p-6;
constexpr int kFractionBits = 3;
/// The least scale of a group: what is smaller than 1/512 of it would be a subnormal code.
constexpr double kLeastScale = 1.0 / (kLargest * 512.0);

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
          e.store(roundToCodes(scaled), codes, {row, at}, lanes);
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
    return e.maxf(e.divf(e.largest(largest), e.f32(kLargest)), e.f32(kLeastScale));
  }

  /// The nearest numbers of e4m3, ties to even. A sum with 1.5 * 2^20 times the power of two of a number leaves as many
  /// bits of it as a fraction has; below the smallest normal number the power stays. NaN stays NaN.
  Value roundToCodes(Value value) {
    OpBuilder &b = e.getBuilder();
    Location loc = e.getLoc();
    auto type = cast<VectorType>(value.getType()), bits = type.clone(b.getI32Type());
    auto constant = [&](double number) { return e.constantLike(value, number); };
    auto clamp = [&](arith::CmpFPredicate beyond, double limit) {
      Value isBeyond = arith::CmpFOp::create(b, loc, beyond, value, constant(limit));
      value = e.select(isBeyond, constant(limit), value);
    };
    clamp(arith::CmpFPredicate::OGT, kLargest);
    clamp(arith::CmpFPredicate::OLT, -kLargest);
    Value exponentBits = arith::ConstantOp::create(b, loc, DenseElementsAttr::get(bits, int32_t{0x7F800000}));
    Value power = arith::AndIOp::create(b, loc, arith::BitcastOp::create(b, loc, bits, value), exponentBits);
    power = e.maxf(arith::BitcastOp::create(b, loc, type, power), constant(kSmallestNormal));
    constexpr int f32FractionBits = 23;
    Value shift = e.mulf(power, constant(1.5 * static_cast<double>(1 << (f32FractionBits - kFractionBits))));
    // Without permission to contract, so that nothing but these two roundings happens.
    Value sum = arith::AddFOp::create(b, loc, value, shift);
    return arith::SubFOp::create(b, loc, sum, shift);
  }

  Emitter &e;
  Value input, codes, scales, staticScales;
  int64_t group, columns;
};

} // namespace

LogicalResult emitOp(Emitter &emitter, QuantizeOp op, QuantizeOp::Adaptor buffers) {
  if (!getElementTypeOrSelf(op.getInit().getType()).isF32())
    return op.emitOpError() << "expected codes in f32 on the processor, found " << op.getInit().getType();
  QuantizeEmitter(emitter, op, buffers).emit();
  return success();
}

} // namespace bambac::codegen
