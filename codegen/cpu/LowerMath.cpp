// Vector math without a library: see LowerMath in Passes.td.
#include "codegen/cpu/Passes.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/Vector/Transforms/LoweringPatterns.h"
#include "mlir/Dialect/X86Vector/Transforms.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace bambac::codegen {
#define GEN_PASS_DEF_LOWERMATH
#include "codegen/cpu/Passes.h.inc"

namespace {

struct LowerMath : impl::LowerMathBase<LowerMath> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    populateMathPolynomialApproximationPatterns(patterns, [](StringRef name) {
      return llvm::is_contained(
          {math::ExpOp::getOperationName(), math::Log1pOp::getOperationName(), math::LogOp::getOperationName()}, name);
    });
    auto transposes = x86vector::avx2::LoweringOptions().setTransposeOptions(
        x86vector::avx2::TransposeLoweringOptions().lower4x8xf32().lower8x8xf32());
    x86vector::avx2::populateSpecializedTransposeLoweringPatterns(patterns, transposes, /*benefit=*/10);
    vector::populateVectorTransposeLoweringPatterns(patterns, vector::VectorTransposeLowering::Shuffle16x16);
    vector::populateVectorShapeCastLoweringPatterns(patterns);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
} // namespace bambac::codegen
