// rope: the cosines and sines of a row once, then every head of it.
#include "codegen/cpu/emit/Ops.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

namespace bambac::codegen {
namespace {

class RopeEmitter {
public:
  RopeEmitter(Emitter &emitter, RopeOp op, RopeOp::Adaptor buffers)
      : e(emitter), op(op), buffers(buffers), half(op.getRotaryDim() / 2),
        width(std::min(2 * e.getLanes(), e.roundUp(std::max<int64_t>(half, 1)))), zero(e.index(0)) {}

  void emit() {
    int64_t headDim = op.getHeadDim();
    Value heads = e.div(e.dim(buffers.getInput(), 1), e.index(headDim));
    int64_t padded = (half + width - 1) / width * width;
    if (half > 0) {
      cosines = e.scratch({padded});
      sines = e.scratch({padded});
      storeFrequencies();
    }
    e.loop(e.dim(buffers.getInput(), 0), [&](Value row) {
      if (half > 0)
        computeAngles(row);
      e.loop(heads, [&](Value head) { rotateHead(row, e.mul(head, headDim)); });
    });
  }

private:
  void storeFrequencies() {
    frequencies = e.scratch({half});
    ArrayRef<double> exact = op.getRotation().getFrequencies();
    SmallVector<float> values(exact); // rounded here, once
    auto type = VectorType::get(half, e.getBuilder().getF32Type());
    Value constant =
        arith::ConstantOp::create(e.getBuilder(), e.getLoc(), DenseElementsAttr::get(type, ArrayRef<float>(values)));
    e.store(constant, frequencies, {zero}, {half, Value()});
  }

  void computeAngles(Value row) {
    OpBuilder &b = e.getBuilder();
    Value position = memref::LoadOp::create(b, e.getLoc(), buffers.getPositions(), row);
    position = arith::SIToFPOp::create(b, e.getLoc(), b.getF32Type(), position);
    e.loop(half, [&](Value j) {
      Value angle = e.mulf(position, e.load(frequencies, {j}));
      e.store(scaled(math::CosOp::create(b, e.getLoc(), angle)), cosines, {j});
      e.store(scaled(math::SinOp::create(b, e.getLoc(), angle)), sines, {j});
    });
  }

  Value scaled(Value value) {
    if (!op.getRotation().isScaled())
      return value;
    FloatAttr scale =
        e.getBuilder().getF32FloatAttr(static_cast<float>(op.getRotation().getScale().getValueAsDouble()));
    return e.mulf(value, arith::ConstantOp::create(e.getBuilder(), e.getLoc(), scale));
  }

  void rotateHead(Value row, Value start) {
    Value in = buffers.getInput(), out = buffers.getInit();
    e.columns(e.index(half), width, [&](Value j, Lanes lanes) {
      Value low = e.add(start, j), high = e.add(low, half);
      Value cosine = e.load(cosines, {j}, lanes), sine = e.load(sines, {j}, lanes);
      Value x = e.load(in, {row, low}, lanes), y = e.load(in, {row, high}, lanes);
      e.store(e.subf(e.mulf(x, cosine), e.mulf(y, sine)), out, {row, low}, lanes);
      e.store(e.addf(e.mulf(y, cosine), e.mulf(x, sine)), out, {row, high}, lanes);
    });
    int64_t rest = op.getHeadDim() - 2 * half;
    e.columns(e.index(rest), e.getLanes(), [&](Value j, Lanes lanes) {
      Value at = e.add(e.add(start, 2 * half), j);
      e.store(e.load(in, {row, at}, lanes), out, {row, at}, lanes);
    });
  }

  Emitter &e;
  RopeOp op;
  RopeOp::Adaptor buffers;
  int64_t half, width;
  Value zero, frequencies, cosines, sines;
};

} // namespace

LogicalResult emitOp(Emitter &emitter, RopeOp op, RopeOp::Adaptor buffers) {
  // The fusion that asks for neighbouring pairs is none of a CPU's.
  if (op.getInterleaved())
    return op.emitOpError() << "expected half-split pairs on a CPU, found interleaved ones";
  RopeEmitter(emitter, op, buffers).emit();
  return success();
}

} // namespace bambac::codegen
