// split: f32 as terms of bf16, the high halves of what is left of them.
#include "codegen/cpu/emit/Ops.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace bambac::codegen {
namespace {

class SplitEmitter {
public:
  SplitEmitter(Emitter &emitter, SplitOp op, SplitOp::Adaptor buffers)
      : e(emitter), b(e.getBuilder()), loc(e.getLoc()), input(buffers.getInput()), out(buffers.getInit()),
        count(op.getTerms().getCount()), run(op.getTerms().getRun()),
        columns(cast<MemRefType>(input.getType()).getDimSize(1)), filled(op.getTerms().getFilled(columns)),
        width(op.getTerms().getWidth(columns)) {}

  void emit() {
    e.loop(e.dim(input, 0), [&](Value row) {
      e.columns(e.index(columns), run, [&](Value column, Lanes lanes) {
        storeTerms(e.load(input, {row, column}, lanes), row, e.mul(column, count));
      });
      if (filled < width)
        e.store(e.splat(0.0, run), out, {row, e.index(filled)}, {run, Value()});
    });
  }

private:
  void storeTerms(Value numbers, Value row, Value first) {
    for (int64_t term = 0; term < count; ++term) {
      storeTerm(numbers, {row, e.add(first, term * run)});
      if (term + 1 == count)
        return;
      // What is left of an infinity is finite after the first time.
      Value high = keepHighBits(numbers);
      numbers = term == 0 ? subtractHighBits(numbers, high) : e.subf(numbers, high);
    }
  }

  /// Numbers with the bits that bf16 has: a bf16, and what is left of a number is exact.
  Value keepHighBits(Value numbers) {
    auto floats = cast<VectorType>(numbers.getType()), words = floats.clone(b.getI32Type());
    Value mask = arith::ConstantOp::create(
        b, loc, DenseElementsAttr::get(words, b.getI32IntegerAttr(static_cast<int32_t>(0xFFFF0000))));
    Value bits = vector::BitCastOp::create(b, loc, words, numbers);
    return vector::BitCastOp::create(b, loc, floats, arith::AndIOp::create(b, loc, bits, mask).getResult());
  }

  /// What is left of a number without its high bits. Of an infinity it is nothing: a difference would be a NaN, which
  /// the sum of terms is not.
  Value subtractHighBits(Value number, Value high) {
    Value isHigh = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OEQ, number, high);
    return e.select(isHigh, e.constantLike(number, 0.0), e.subf(number, high));
  }

  /// The high halves of numbers. For what bf16 holds, that is all of a number, and takes one instruction where
  /// conversions take five.
  void storeTerm(Value numbers, ValueRange at) {
    auto halves = VectorType::get(2 * run, b.getI16Type());
    auto isHigh = llvm::map_to_vector(llvm::seq<int64_t>(0, run), [](int64_t i) { return 2 * i + 1; });
    Value bits = vector::BitCastOp::create(b, loc, halves, numbers);
    Value high = vector::ShuffleOp::create(b, loc, bits, bits, isHigh);
    Value term = vector::BitCastOp::create(b, loc, VectorType::get(run, b.getBF16Type()), high);
    vector::StoreOp::create(b, loc, term, out, at);
  }

  Emitter &e;
  OpBuilder &b;
  Location loc;
  Value input, out;
  int64_t count, run, columns, filled, width;
};

} // namespace

LogicalResult emitOp(Emitter &emitter, SplitOp op, SplitOp::Adaptor buffers) {
  if (!getElementTypeOrSelf(op.getInput().getType()).isF32() || !getElementTypeOrSelf(op.getInit().getType()).isBF16())
    return op.emitOpError() << "expected terms of bf16 of numbers of f32 on the processor, found "
                            << op.getInit().getType() << " of " << op.getInput().getType();
  SplitEmitter(emitter, op, buffers).emit();
  return success();
}

} // namespace bambac::codegen
