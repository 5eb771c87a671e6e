// One workgroup by its number: see DistributeWorkgroups in Passes.td.
#include "codegen/cpu/Passes.h"
#include "dialects/bamba/Kernel.h"
#include "mlir/IR/PatternMatch.h"

namespace bambac::codegen {
#define GEN_PASS_DEF_DISTRIBUTEWORKGROUPS
#include "codegen/cpu/Passes.h.inc"

namespace {

/// Workgroups along each dimension of the loop.
FailureOr<SmallVector<int64_t>> getCounts(scf::ForallOp loop) {
  SmallVector<int64_t> counts;
  for (auto [begin, end, step] : llvm::zip(loop.getMixedLowerBound(), loop.getMixedUpperBound(), loop.getMixedStep())) {
    std::optional<int64_t> first = getConstantIntValue(begin), last = getConstantIntValue(end),
                           stride = getConstantIntValue(step);
    if (!first || !last || !stride)
      return loop.emitError() << "expected the number of workgroups to be constant";
    counts.push_back(llvm::divideCeil(*last - *first, *stride));
  }
  return counts;
}

/// A condition that `row` is there; what is inserted next stands inside of it.
scf::IfOp enterIfThere(RewriterBase &rewriter, Location loc, Value row, Value rows) {
  Value number = memref::LoadOp::create(rewriter, loc, rows, {arith::ConstantIndexOp::create(rewriter, loc, 0)});
  number = arith::IndexCastOp::create(rewriter, loc, rewriter.getIndexType(), number);
  Value isThere = arith::CmpIOp::create(rewriter, loc, arith::CmpIPredicate::slt, row, number);
  auto branch = scf::IfOp::create(rewriter, loc, isThere, /*withElseRegion=*/false);
  rewriter.setInsertionPoint(branch.thenYield());
  return branch;
}

/// Puts all that a kernel does under the condition that it has a row.
void leaveIfEmpty(RewriterBase &rewriter, func::FuncOp kernel) {
  Block &body = kernel.getBody().front();
  SmallVector<Operation *> ops = llvm::map_to_vector(body.without_terminator(), [](Operation &op) { return &op; });
  rewriter.setInsertionPointToStart(&body);
  Value first = arith::ConstantIndexOp::create(rewriter, kernel.getLoc(), 0);
  scf::IfOp branch = enterIfThere(rewriter, kernel.getLoc(), first, findRows(kernel));
  for (Operation *op : ops)
    op->moveBefore(branch.thenYield());
}

/// Moves the loop's body to where the loop is, at the place of workgroup number `workgroup`. A workgroup of rows of
/// which `rows` are there (null: all) is left out where it has none of them.
void inlineAt(RewriterBase &rewriter, scf::ForallOp loop, ArrayRef<int64_t> counts, Value workgroup, Value rows) {
  Location loc = loop.getLoc();
  rewriter.setInsertionPoint(loop);
  SmallVector<OpFoldResult> basis;
  for (int64_t count : counts)
    basis.push_back(rewriter.getIndexAttr(count));
  auto place = affine::AffineDelinearizeIndexOp::create(rewriter, loc, workgroup, basis);
  SmallVector<Value> arguments;
  AffineExpr number = rewriter.getAffineDimExpr(0);
  for (auto [index, begin, step] : llvm::zip(place.getResults(), loop.getMixedLowerBound(), loop.getMixedStep())) {
    AffineExpr at = number * *getConstantIntValue(step) + *getConstantIntValue(begin);
    arguments.push_back(affine::AffineApplyOp::create(rewriter, loc, at, ValueRange{index}));
  }
  rewriter.eraseOp(loop.getTerminator());
  if (rows && loop->hasAttr(attr::kRows))
    enterIfThere(rewriter, loc, arguments.front(), rows);
  rewriter.inlineBlockBefore(loop.getBody(), rewriter.getInsertionBlock(), rewriter.getInsertionPoint(), arguments);
  rewriter.eraseOp(loop);
}

struct DistributeWorkgroups : impl::DistributeWorkgroupsBase<DistributeWorkgroups> {
  void runOnOperation() override {
    func::FuncOp kernel = getOperation();
    if (!kernel->hasAttr(attr::kKernel) || kernel.isExternal())
      return;
    IRRewriter rewriter(&getContext());
    if (failed(kernel.insertArgument(kernel.getNumArguments(), rewriter.getIndexType(), {}, kernel.getLoc())))
      return signalPassFailure();
    SmallVector<scf::ForallOp> loops(kernel.getBody().getOps<scf::ForallOp>());
    if (loops.size() > 1) {
      loops[1].emitError() << "expected at most one loop over workgroups in a kernel";
      return signalPassFailure();
    }
    int64_t workgroups = 1;
    if (!loops.empty()) {
      FailureOr<SmallVector<int64_t>> counts = getCounts(loops[0]);
      if (failed(counts))
        return signalPassFailure();
      workgroups = llvm::product_of(*counts);
      inlineAt(rewriter, loops[0], *counts, kernel.getArguments().back(), findRows(kernel));
    }
    if (kernel->hasAttr(attr::kMayBeEmpty))
      leaveIfEmpty(rewriter, kernel);
    kernel->setAttr(attr::kWorkgroups, rewriter.getI64IntegerAttr(workgroups));
  }
};

} // namespace
} // namespace bambac::codegen
