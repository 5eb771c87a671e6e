// Processors convert halves, and an e4m3 is a half of the same bits, once they are in place: from the left the sign, a
// bit that is not there, the exponent and the fraction.
#include "codegen/cpu/emit/Codes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "runtime/contract/quantization.h"

namespace bambac::codegen {

/// The exponent of the smallest normal number, and the bits of a fraction.
static constexpr double kSmallestNormal = 0x1p-6;
static constexpr int kFractionBits = 3, kF32FractionBits = 23;
/// How far the fraction's first bit of a half is above that of a code.
static constexpr int64_t kShift = 7;
static constexpr int64_t kNanCode = 0x7F;

/// `like` with elements of another type.
static Type cloneWith(Type like, Type element) {
  auto vector = dyn_cast<VectorType>(like);
  return vector ? Type(vector.clone(element)) : element;
}

static Value constant(Emitter &e, Type type, int64_t value) {
  OpBuilder &b = e.getBuilder();
  TypedAttr element = b.getIntegerAttr(getElementTypeOrSelf(type), value);
  auto vector = dyn_cast<VectorType>(type);
  return arith::ConstantOp::create(b, e.getLoc(),
                                   vector ? TypedAttr(DenseElementsAttr::get(vector, Attribute(element))) : element);
}

/// A sum with 1.5 * 2^20 times the power of two of a number leaves as many bits of it as a fraction has; below the
/// smallest normal number the power stays.
Value roundToE4m3(Emitter &e, Value value) {
  OpBuilder &b = e.getBuilder();
  Location loc = e.getLoc();
  Type type = value.getType(), bits = cloneWith(type, b.getI32Type());
  auto clamp = [&](arith::CmpFPredicate beyond, double limit) {
    Value isBeyond = arith::CmpFOp::create(b, loc, beyond, value, e.constantLike(value, limit));
    value = e.select(isBeyond, e.constantLike(value, limit), value);
  };
  clamp(arith::CmpFPredicate::OGT, contract::kLargestE4m3);
  clamp(arith::CmpFPredicate::OLT, -contract::kLargestE4m3);
  Value power =
      arith::AndIOp::create(b, loc, arith::BitcastOp::create(b, loc, bits, value), constant(e, bits, 0x7F800000));
  power = e.maxf(arith::BitcastOp::create(b, loc, type, power), e.constantLike(value, kSmallestNormal));
  constexpr auto shift = static_cast<double>(1 << (kF32FractionBits - kFractionBits));
  Value large = e.mulf(power, e.constantLike(power, 1.5 * shift));
  // Without permission to contract, so that nothing but these two roundings happens.
  Value sum = arith::AddFOp::create(b, loc, value, large);
  return arith::SubFOp::create(b, loc, sum, large);
}

Value halfOfCodes(Emitter &e, Value codes) {
  OpBuilder &b = e.getBuilder();
  Location loc = e.getLoc();
  Type bytes = cloneWith(codes.getType(), b.getI8Type()), words = cloneWith(codes.getType(), b.getI16Type());
  Type halves = cloneWith(codes.getType(), b.getF16Type()), floats = cloneWith(codes.getType(), b.getF32Type());
  Value extended = arith::ExtSIOp::create(b, loc, words, arith::BitcastOp::create(b, loc, bytes, codes));
  Value shifted = arith::ShLIOp::create(b, loc, extended, constant(e, words, kShift));
  Value half = arith::AndIOp::create(b, loc, shifted, constant(e, words, static_cast<int16_t>(0xBFFF)));
  return arith::ExtFOp::create(b, loc, floats, Value(arith::BitcastOp::create(b, loc, halves, half)));
}

Value decodeE4m3(Emitter &e, Value codes) {
  OpBuilder &b = e.getBuilder();
  Location loc = e.getLoc();
  Value half = halfOfCodes(e, codes);
  Value number = e.mulf(half, e.constantLike(half, kHalfOfCode));
  Type bytes = cloneWith(codes.getType(), b.getI8Type());
  Value magnitude =
      arith::AndIOp::create(b, loc, arith::BitcastOp::create(b, loc, bytes, codes), constant(e, bytes, kNanCode));
  Value isNan = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, magnitude, constant(e, bytes, kNanCode));
  return e.select(isNan, e.constantLike(number, std::numeric_limits<double>::quiet_NaN()), number);
}

Value encodeE4m3(Emitter &e, Value value) {
  OpBuilder &b = e.getBuilder();
  Location loc = e.getLoc();
  Type words = cloneWith(value.getType(), b.getI16Type()), bytes = cloneWith(value.getType(), b.getI8Type());
  Type codes = cloneWith(value.getType(), b.getType<Float8E4M3FNType>());
  Value half = e.mulf(roundToE4m3(e, value), e.constantLike(value, 1 / kHalfOfCode));
  Value bits = arith::BitcastOp::create(
      b, loc, words, Value(arith::TruncFOp::create(b, loc, cloneWith(value.getType(), b.getF16Type()), half)));
  Value magnitude = arith::AndIOp::create(b, loc, arith::ShRUIOp::create(b, loc, bits, constant(e, words, kShift)),
                                          constant(e, words, kNanCode));
  Value isNan = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::UNO, value, value);
  magnitude = e.select(isNan, constant(e, words, kNanCode), magnitude);
  Value sign = arith::AndIOp::create(b, loc, arith::ShRUIOp::create(b, loc, bits, constant(e, words, 8)),
                                     constant(e, words, 0x80));
  Value code = arith::TruncIOp::create(b, loc, bytes, Value(arith::OrIOp::create(b, loc, sign, magnitude)));
  return arith::BitcastOp::create(b, loc, codes, code);
}

} // namespace bambac::codegen
