// Allocations to scratch memory: see AllocToScratch in Passes.td.
#include "codegen/cpu/Passes.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Interfaces/ValueBoundsOpInterface.h"

namespace bambac::codegen {
#define GEN_PASS_DEF_ALLOCTOSCRATCH
#include "codegen/cpu/Passes.h.inc"

namespace {

/// Cache lines, and the widest vector.
constexpr int64_t kAlignment = 64;

/// An upper bound of the bytes that an allocation needs.
FailureOr<int64_t> getBytes(memref::AllocOp alloc) {
  MemRefType type = alloc.getType();
  int64_t bytes = llvm::divideCeil(type.getElementTypeBitWidth(), 8);
  for (int64_t dim = 0; dim < type.getRank(); ++dim) {
    if (!type.isDynamicDim(dim)) {
      bytes *= type.getDimSize(dim);
      continue;
    }
    Value size = alloc.getDynamicSizes()[type.getDynamicDimIndex(dim)];
    FailureOr<int64_t> bound = ValueBoundsConstraintSet::computeConstantBound(
        presburger::BoundType::UB, size, /*stopCondition=*/nullptr, /*closedUB=*/true);
    if (failed(bound))
      return failure();
    bytes *= std::max<int64_t>(*bound, 0);
  }
  return bytes;
}

struct AllocToScratch : impl::AllocToScratchBase<AllocToScratch> {
  void runOnOperation() override {
    func::FuncOp kernel = getOperation();
    if (!kernel->hasAttr(attr::kKernel) || kernel.isExternal())
      return;
    IRRewriter rewriter(&getContext());
    auto scratchType = MemRefType::get({ShapedType::kDynamic}, rewriter.getI8Type());
    if (failed(kernel.insertArgument(kernel.getNumArguments(), scratchType, {}, kernel.getLoc())))
      return signalPassFailure();
    Value scratch = kernel.getArguments().back();
    auto copies = kernel.walk([](memref::CopyOp copy) {
      copy.emitError() << "expected no copy of a buffer of " << copy.getSource().getType();
      return WalkResult::interrupt();
    });
    if (copies.wasInterrupted())
      return signalPassFailure();
    int64_t offset = 0;
    auto result = kernel.walk([&](memref::AllocOp alloc) {
      FailureOr<int64_t> bytes = getBytes(alloc);
      if (failed(bytes)) {
        alloc.emitError() << "expected a bounded size of the temporary " << alloc.getType();
        return WalkResult::interrupt();
      }
      rewriter.setInsertionPoint(alloc);
      Value at = arith::ConstantIndexOp::create(rewriter, alloc.getLoc(), offset);
      rewriter.replaceOpWithNewOp<memref::ViewOp>(alloc, alloc.getType(), scratch, at, alloc.getDynamicSizes());
      offset += llvm::alignTo(*bytes, kAlignment);
      ++numReplaced;
      return WalkResult::advance();
    });
    if (result.wasInterrupted())
      return signalPassFailure();
    kernel->setAttr(attr::kScratchBytes, rewriter.getI64IntegerAttr(offset));
  }
};

} // namespace
} // namespace bambac::codegen
