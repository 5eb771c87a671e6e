// Tile registers to LLVM: see LowerTiles in Passes.td.
#include "codegen/cpu/Passes.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/LLVMCommon/ConversionTarget.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Dialect/AMX/Transforms.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Transforms/DialectConversion.h"

namespace bambac::codegen {
#define GEN_PASS_DEF_LOWERTILES
#include "codegen/cpu/Passes.h.inc"

namespace {

struct LowerTiles : impl::LowerTilesBase<LowerTiles> {
  void runOnOperation() override {
    auto hasTiles = [](Operation *op) {
      return isa<amx::AMXDialect>(op->getDialect()) ? WalkResult::interrupt() : WalkResult::advance();
    };
    if (!getOperation().walk(hasTiles).wasInterrupted())
      return;
    LLVMTypeConverter converter(&getContext());
    RewritePatternSet patterns(&getContext());
    LLVMConversionTarget target(getContext());
    populateAMXLegalizeForLLVMExportPatterns(converter, patterns);
    configureAMXLegalizeForExportTarget(target);
    cf::populateControlFlowToLLVMConversionPatterns(converter, patterns);
    target.addIllegalDialect<cf::ControlFlowDialect>();
    if (failed(applyPartialConversion(getOperation(), target, std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
} // namespace bambac::codegen
