// Two tables of bytes, one for each half of a bf16, whose index is the magnitude of a code. A shift of the bits would
// make subnormal codes subnormal bf16, which dot products take for zero.
#include "codegen/cpu/emit/PairCodes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace bambac::codegen {

static constexpr int64_t kCodes = 2 * kCodePairs, kSignBit = 0x80;
/// Interleaving bytes of two registers works within each part of 128 bits.
static constexpr int64_t kPartBytes = 16;

/// The byte of each magnitude's bf16 from bit `shift` on, for magnitudes `first` to `first` + 63.
static Value makeTable(Emitter &e, int64_t first, unsigned shift) {
  SmallVector<int8_t> bytes;
  for (int64_t magnitude = first; magnitude < first + kCodes; ++magnitude) {
    APFloat number(APFloat::Float8E4M3FN(), APInt(8, magnitude));
    bool isInexact = false;
    number.convert(APFloat::BFloat(), APFloat::rmNearestTiesToEven, &isInexact);
    assert(!isInexact && "bf16 has every number of e4m3");
    bytes.push_back(static_cast<int8_t>(number.bitcastToAPInt().extractBitsAsZExtValue(8, shift)));
  }
  auto type = VectorType::get(kCodes, e.getBuilder().getI8Type());
  return arith::ConstantOp::create(e.getBuilder(), e.getLoc(), DenseElementsAttr::get(type, ArrayRef(bytes)));
}

/// An instruction whose index has seven bits ignores the sign.
static Value lookUp(Emitter &e, Value codes, unsigned shift) {
  OpBuilder &b = e.getBuilder();
  return LLVM::CallIntrinsicOp::create(b, e.getLoc(), codes.getType(),
                                       b.getStringAttr("llvm.x86.avx512.vpermi2var.qi.512"),
                                       ValueRange{makeTable(e, 0, shift), codes, makeTable(e, kCodes, shift)})
      .getResult(0);
}

std::pair<Value, Value> decodePairs(Emitter &e, Value codes) {
  OpBuilder &b = e.getBuilder();
  Location loc = e.getLoc();
  auto bytes = VectorType::get(kCodes, b.getI8Type()), pairs = VectorType::get(kCodes / 2, b.getBF16Type());
  codes = vector::BitCastOp::create(b, loc, bytes, codes);
  Value signs = arith::AndIOp::create(
      b, loc, codes,
      arith::ConstantOp::create(b, loc, DenseElementsAttr::get(bytes, b.getIntegerAttr(b.getI8Type(), -kSignBit))));
  Value high = arith::OrIOp::create(b, loc, lookUp(e, codes, 8), signs), low = lookUp(e, codes, 0);
  auto interleave = [&](int64_t half) -> Value {
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
