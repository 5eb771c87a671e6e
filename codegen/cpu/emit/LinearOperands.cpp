// Vectors of the bias and of scales, and prefetches of lines of weights.
#include "codegen/cpu/emit/LinearOperands.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

namespace bambac::codegen {

static constexpr int64_t kCacheLine = 64;
/// Blocks of codes at most: their sums are added up in the result, one after the other, with an error of rounding each.
static constexpr int64_t kMostBlocks = 16;

LinearOperands::LinearOperands(Emitter &emitter, LinearOp op, LinearOp::Adaptor buffers)
    : e(emitter), input(buffers.getInput()), weight(buffers.getWeight()), bias(buffers.getBias()),
      inputScales(buffers.getInputScales()), weightScales(buffers.getWeightScales()), out(buffers.getInit()),
      weightType(getElementTypeOrSelf(weight.getType())), group(op.getGroupSize()),
      depth(op.getTermsAttr() ? op.getWeightColumns() : cast<MemRefType>(input.getType()).getDimSize(1)),
      panelWidth(cast<MemRefType>(weight.getType()).getDimSize(2)), rows(e.rowsThere(out)) {}

int64_t LinearOperands::columnsOfBlock(int64_t columns) const {
  return isScaled() ? std::max(columns, llvm::divideCeilSigned(depth, kMostBlocks)) : columns;
}

int64_t LinearOperands::groupsOfBlock(int64_t groups) const {
  return std::max(groups, llvm::divideCeilSigned(countGroups(depth), kMostBlocks));
}

int64_t LinearOperands::getBlock() {
  int64_t wanted = e.getSchedule() ? e.getSchedule().getDepth() : 0,
          columns = wanted > 0 ? std::min(wanted, depth) : depth;
  return hasGroups() ? groupsOfBlock(columns / group) * group : columnsOfBlock(columns);
}

Value LinearOperands::wholeTiles(int64_t rowTile) {
  Value tiles = e.div(e.add(rows, rowTile - 1), e.index(rowTile));
  return e.min(e.dim(out, 0), e.mul(tiles, rowTile));
}

Value LinearOperands::getStart(Value column, Lanes lanes) {
  return bias ? e.load(bias, {column}, lanes) : e.splat(0.0, lanes.width);
}

Value LinearOperands::getScale(Value row, Value number, Value column, Lanes lanes, double factor) {
  Value ofRow = e.load(inputScales, {row, number});
  if (factor != 1)
    ofRow = e.mulf(ofRow, e.f32(factor));
  return e.mulf(e.broadcast(ofRow, lanes.width), e.load(weightScales, {number, column}, lanes));
}

int64_t LinearOperands::linesAhead(int64_t elements, int64_t bytes) const {
  return llvm::divideCeil(bytes, elements * cast<MemRefType>(weight.getType()).getElementTypeBitWidth() / 8);
}

/// Beyond the last panel the address is not one of the weight's: hence integers.
void LinearOperands::prefetch(Value line, int64_t elements, Cache cache) {
  OpBuilder &b = e.getBuilder();
  Location loc = e.getLoc();
  int64_t elementBytes = cast<MemRefType>(weight.getType()).getElementTypeBitWidth() / 8;
  int64_t bytes = elements * elementBytes;
  Value base = memref::ExtractAlignedPointerAsIndexOp::create(b, loc, weight);
  Value offset = memref::ExtractStridedMetadataOp::create(b, loc, weight).getOffset();
  Value place = e.add(base, e.add(e.mul(offset, elementBytes), e.mul(line, bytes)));
  for (int64_t at = 0; at < bytes; at += kCacheLine) {
    Value address = arith::IndexCastOp::create(b, loc, b.getI64Type(), e.add(place, at));
    Value pointer = LLVM::IntToPtrOp::create(b, loc, LLVM::LLVMPointerType::get(b.getContext()), address);
    LLVM::Prefetch::create(b, loc, pointer, /*rw=*/0, /*hint=*/cache == Cache::Level1 ? 3 : 2, /*cache=*/1);
  }
}

} // namespace bambac::codegen
