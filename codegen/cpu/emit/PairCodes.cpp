// The bits of a normal code's bf16 are sums modulo 2 of the code's: one instruction makes a byte of each. Subnormal
// codes and zeros come from tables of bytes.
#include "codegen/cpu/emit/PairCodes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace bambac::codegen {

static constexpr int64_t kCodes = 2 * kCodePairs;
/// Interleaving bytes of two registers works within each part of 128 bits.
static constexpr int64_t kPartBytes = 16;
/// The bits of a code: the sign, the exponent from its first bit to its last, and the fraction.
static constexpr uint8_t kSign = 0x80, kExponent[] = {0x40, 0x20, 0x10, 0x08}, kFraction[] = {0x04, 0x02, 0x01};

static VectorType bytesOf(Emitter &e) { return VectorType::get(kCodes, e.getBuilder().getI8Type()); }

static Value constantBytes(Emitter &e, ArrayRef<int8_t> bytes) {
  return arith::ConstantOp::create(e.getBuilder(), e.getLoc(), DenseElementsAttr::get(bytesOf(e), bytes));
}

static Value andBytes(Emitter &e, Value bytes, uint8_t mask) {
  return arith::AndIOp::create(e.getBuilder(), e.getLoc(), bytes, constantBytes(e, static_cast<int8_t>(mask)));
}

static Value callIntrinsic(Emitter &e, StringRef name, ValueRange operands) {
  OpBuilder &b = e.getBuilder();
  return LLVM::CallIntrinsicOp::create(b, e.getLoc(), bytesOf(e), b.getStringAttr(name), operands).getResult(0);
}

/// The two bytes of each code's bf16.
struct Halves {
  Value high, low;
};

/// A byte for each code. Each of its bits, the first bit first, is the sum modulo 2 of some bits of the code, those
/// that `sums` has for it, and of the same bit of `constant`.
static Value sumBits(Emitter &e, Value codes, ArrayRef<uint8_t> sums, uint8_t constant) {
  SmallVector<int8_t> matrix; // the row of the first bit comes first
  while (matrix.size() < kCodes)
    llvm::append_range(matrix, sums);
  OpBuilder &b = e.getBuilder();
  return callIntrinsic(e, "llvm.x86.vgf2p8affineqb.512",
                       {codes, constantBytes(e, matrix), arith::ConstantIntOp::create(b, e.getLoc(), constant, 8)});
}

/// Where the exponent is not 0. A bf16 has the sign, eight bits of exponent and seven of fraction, and an exponent that
/// is 120 more: 01111 and the last three bits of a code's where the first is 0, 10000 and the same three where it is 1.
static Halves decodeNormal(Emitter &e, Value codes) {
  const auto [first, second, third, fourth] = kExponent;
  return {sumBits(e, codes, {kSign, first, first, first, first, first, second, third}, 0b00111100),
          sumBits(e, codes, {fourth, kFraction[0], kFraction[1], kFraction[2], 0, 0, 0, 0}, 0)};
}

/// The byte from bit `shift` on of the bf16 of each code whose exponent and sign are 0, by the last six bits of codes.
static Value lookUpSubnormal(Emitter &e, Value codes, unsigned shift) {
  SmallVector<int8_t> table;
  for (int64_t entry = 0; entry < kCodes; ++entry) {
    APFloat number(APFloat::Float8E4M3FN(), APInt(8, entry % 8));
    bool isInexact = false;
    number.convert(APFloat::BFloat(), APFloat::rmNearestTiesToEven, &isInexact);
    assert(!isInexact && "bf16 has every number of e4m3");
    table.push_back(static_cast<int8_t>(number.bitcastToAPInt().extractBitsAsZExtValue(8, shift)));
  }
  return callIntrinsic(e, "llvm.x86.avx512.permvar.qi.512", {constantBytes(e, table), codes});
}

static Halves decode(Emitter &e, Value codes) {
  OpBuilder &b = e.getBuilder();
  Location loc = e.getLoc();
  constexpr uint8_t exponent = kExponent[0] | kExponent[1] | kExponent[2] | kExponent[3];
  Value isSubnormal = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, andBytes(e, codes, exponent),
                                            constantBytes(e, int8_t{0}));
  auto [high, low] = decodeNormal(e, codes);
  high = e.select(isSubnormal, lookUpSubnormal(e, codes, 8), high);
  return {arith::OrIOp::create(b, loc, high, andBytes(e, codes, kSign)),
          e.select(isSubnormal, lookUpSubnormal(e, codes, 0), low)};
}

std::pair<Value, Value> decodePairs(Emitter &e, Value codes) {
  OpBuilder &b = e.getBuilder();
  Location loc = e.getLoc();
  auto pairs = VectorType::get(kCodes / 2, b.getBF16Type());
  auto [high, low] = decode(e, vector::BitCastOp::create(b, loc, bytesOf(e), codes));
  auto interleave = [&, high = high, low = low](int64_t half) -> Value {
    SmallVector<int64_t> order;
    for (int64_t part = 0; part < kCodes; part += kPartBytes)
      for (int64_t at = 0; at < kPartBytes / 2; ++at)
        llvm::append_values(order, part + half * kPartBytes / 2 + at, kCodes + part + half * kPartBytes / 2 + at);
    Value shuffled = vector::ShuffleOp::create(b, loc, low, high, order);
    return vector::BitCastOp::create(b, loc, pairs, shuffled);
  };
  return {interleave(0), interleave(1)};
}

Value orderPairs(Emitter &e, Value sums) {
  // A half of a part's bytes are four pairs.
  constexpr int64_t kRun = kPartBytes / 4;
  auto order = llvm::map_to_vector(llvm::seq<int64_t>(0, kCodePairs), [](int64_t pair) {
    return pair / kRun % 2 * (kCodePairs / 2) + pair / (2 * kRun) * kRun + pair % kRun;
  });
  return vector::ShuffleOp::create(e.getBuilder(), e.getLoc(), sums, sums, order);
}

} // namespace bambac::codegen
