// sample: a call of the runtime for each row. The search for what top_k and top_p keep is scalar code on a processor,
// and the runtime's is what the GPU's kernel is tested against.
#include "codegen/cpu/emit/Ops.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

namespace bambac::codegen {

/// The function of runtime/host/sample.h, declared where the module does not yet know it.
static LLVM::LLVMFuncOp getFunction(Emitter &e, ModuleOp module) {
  constexpr StringLiteral name = "bambac_sample_row";
  if (auto found = module.lookupSymbol<LLVM::LLVMFuncOp>(name))
    return found;
  OpBuilder &b = e.getBuilder();
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(module.getBody());
  Type pointer = LLVM::LLVMPointerType::get(b.getContext());
  auto type =
      LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(b.getContext()),
                                  {pointer, b.getI64Type(), b.getI32Type(), b.getI32Type(), pointer, pointer, pointer});
  return LLVM::LLVMFuncOp::create(b, module.getLoc(), name, type);
}

/// The address of the first element of row `row`.
static Value addressOf(Emitter &e, Value memref, Value row) {
  OpBuilder &b = e.getBuilder();
  Location loc = e.getLoc();
  int64_t bytes = cast<MemRefType>(memref.getType()).getElementTypeBitWidth() / 8;
  Value base = memref::ExtractAlignedPointerAsIndexOp::create(b, loc, memref);
  auto metadata = memref::ExtractStridedMetadataOp::create(b, loc, memref);
  Value place = e.add(metadata.getOffset(), e.mul(row, metadata.getStrides().front()));
  Value address = arith::IndexCastOp::create(b, loc, b.getI64Type(), e.add(base, e.mul(place, bytes)));
  return LLVM::IntToPtrOp::create(b, loc, LLVM::LLVMPointerType::get(b.getContext()), address);
}

LogicalResult emitOp(Emitter &e, SampleOp op, SampleOp::Adaptor buffers) {
  OpBuilder &b = e.getBuilder();
  Location loc = e.getLoc();
  int64_t vocabulary = op.getLogits().getType().getDimSize(1);
  LLVM::LLVMFuncOp function = getFunction(e, op->getParentOfType<ModuleOp>());
  Value scratch = e.scratch({vocabulary}), zero = e.index(0);
  e.loop(e.dim(buffers.getLogits(), 0), [&](Value row) {
    Value place = buffers.getKept() ? e.loadIndex(buffers.getKept(), {row}) : row;
    Value size = arith::ConstantOp::create(b, loc, b.getI64IntegerAttr(vocabulary));
    Value greedy = memref::LoadOp::create(b, loc, buffers.getGreedy(), row);
    Value position = memref::LoadOp::create(b, loc, buffers.getPositions(), place);
    LLVM::CallOp::create(b, loc, function,
                         ValueRange{addressOf(e, buffers.getLogits(), row), size, greedy, position,
                                    addressOf(e, buffers.getSampling(), row), addressOf(e, buffers.getInit(), row),
                                    addressOf(e, scratch, zero)});
  });
  return success();
}

} // namespace bambac::codegen
