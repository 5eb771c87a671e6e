// Kernels cut into workgroups: see TileWorkgroups in Passes.td.
#include "codegen/cpu/Passes.h"
#include "dialects/bamba/Kernel.h"
#include "mlir/Dialect/SCF/Transforms/TileUsingInterface.h"
#include "mlir/Dialect/Tensor/Transforms/Transforms.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace bambac::codegen {
#define GEN_PASS_DEF_TILEWORKGROUPS
#include "codegen/cpu/Passes.h.inc"

namespace {

/// All results of the kernel come from its root, so that they can be computed tile by tile.
bool returnsOnlyRoot(func::FuncOp kernel, Operation *root) {
  Operation *terminator = kernel.getBody().front().getTerminator();
  return llvm::all_of(terminator->getOperands(), [&](Value value) { return value.getDefiningOp() == root; });
}

/// True where the first dimension that the root is cut along is that of the rows of what it computes.
bool cutsRows(OpBuilder &builder, TilingInterface root) {
  SmallVector<OpFoldResult> offsets, sizes, resultOffsets, resultSizes;
  for (Range range : root.getIterationDomain(builder)) {
    offsets.push_back(builder.getIndexAttr(0));
    sizes.push_back(range.size);
  }
  offsets[0] = sizes[0] = builder.getIndexAttr(1); // the second item
  return succeeded(root.getResultTilePosition(builder, 0, offsets, sizes, resultOffsets, resultSizes)) &&
         isConstantIntValue(resultOffsets[0], 1) && isConstantIntValue(resultSizes[0], 1);
}

LogicalResult tile(RewriterBase &rewriter, func::FuncOp kernel, TilingInterface root, ArrayRef<int64_t> workgroup) {
  if (!returnsOnlyRoot(kernel, root))
    return kernel.emitError() << "expected a kernel with several roots to be one workgroup";
  rewriter.setInsertionPoint(root);
  bool hasRows = workgroup[0] != 0 && cutsRows(rewriter, root);
  scf::SCFTileAndFuseOptions options;
  options.tilingOptions.setLoopType(scf::SCFTilingOptions::LoopType::ForallOp);
  options.tilingOptions.setTileSizes(getAsIndexOpFoldResult(kernel.getContext(), workgroup));
  // Slices of slices become one, so that fusion sees the producer through them.
  RewritePatternSet cleanup(kernel.getContext());
  tensor::populateMergeConsecutiveInsertExtractSlicePatterns(cleanup);
  options.cleanupPatterns = FrozenRewritePatternSet(std::move(cleanup));
  FailureOr<scf::SCFTileAndFuseResult> tiled = scf::tileConsumerAndFuseProducersUsingSCF(rewriter, root, options);
  if (failed(tiled))
    return kernel.emitError() << "cannot be cut into workgroups of " << workgroup << " of '" << root->getName() << "'";
  if (hasRows)
    tiled->loops.front()->setAttr(attr::kRows, rewriter.getUnitAttr());
  SmallVector<Value> results;
  for (Value result : root->getResults())
    results.push_back(tiled->replacements.lookup(result));
  rewriter.replaceOp(root, results);
  return success();
}

/// Workgroups that hold the whole of a dimension need no loop over it.
FailureOr<SmallVector<int64_t>> getTileSizes(OpBuilder &builder, func::FuncOp kernel, TilingInterface root,
                                             ArrayRef<int64_t> workgroup) {
  SmallVector<int64_t> sizes(workgroup);
  builder.setInsertionPoint(root);
  SmallVector<Range> domain = root.getIterationDomain(builder);
  if (sizes.size() != domain.size())
    return kernel.emitError() << "kernel '" << kernel.getSymName() << "': schedule: expected a workgroup of "
                              << domain.size() << " sizes, one for each loop of '" << root->getName() << "', found "
                              << sizes.size();
  for (auto [size, range] : llvm::zip(sizes, domain))
    if (std::optional<int64_t> extent = getConstantIntValue(range.size); extent && size >= *extent)
      size = 0;
  return sizes;
}

struct TileWorkgroups : impl::TileWorkgroupsBase<TileWorkgroups> {
  void runOnOperation() override {
    func::FuncOp kernel = getOperation();
    if (!kernel->hasAttr(attr::kKernel) || kernel.isExternal())
      return;
    FailureOr<CpuScheduleAttr> schedule = getSchedule<CpuScheduleAttr>(kernel);
    if (failed(schedule) || failed(checkTensors(kernel)))
      return signalPassFailure();
    TilingInterface root = getTiledOp(kernel);
    if (!root)
      return;
    IRRewriter rewriter(&getContext());
    FailureOr<SmallVector<int64_t>> sizes = getTileSizes(rewriter, kernel, root, schedule->getWorkgroup());
    if (failed(sizes))
      return signalPassFailure();
    if (llvm::any_of(*sizes, [](int64_t size) { return size != 0; }) && failed(tile(rewriter, kernel, root, *sizes)))
      return signalPassFailure();
    // The producers that were fused remain as dead code.
    RewritePatternSet patterns(&getContext());
    for (Dialect *dialect : getContext().getLoadedDialects())
      if (isa<tensor::TensorDialect, affine::AffineDialect, scf::SCFDialect>(dialect))
        dialect->getCanonicalizationPatterns(patterns);
    tensor::populateMergeConsecutiveInsertExtractSlicePatterns(patterns);
    // A fused producer needs room for its tile only, side by side, not for a slice of its whole result.
    tensor::populateFoldTensorEmptyPatterns(patterns);
    if (failed(applyPatternsGreedily(kernel, std::move(patterns))))
      return signalPassFailure();
  }
};

} // namespace
} // namespace bambac::codegen
