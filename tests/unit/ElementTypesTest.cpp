// Which types of weights a target can compute with.
#include "compiler/targets/ElementTypes.h"
#include "compiler/targets/CudaTarget.h"
#include "mlir/IR/MLIRContext.h"
#include "gtest/gtest.h"

using namespace bambac;

/// A processor with these features.
static TargetAttr processor(mlir::MLIRContext &context, llvm::StringRef features) {
  context.loadDialect<BambaDialect>();
  return TargetAttr::get(&context, Device::Cpu, mlir::StringAttr::get(&context, "ivybridge"),
                         mlir::StringAttr::get(&context, features), /*vectorBits=*/256, /*vectorRegisters=*/16,
                         /*cacheBytes=*/1 << 20, /*multiprocessors=*/0, llvm::ArrayRef<Fusion>());
}

/// The error's text, empty if there is none.
static std::string errorOf(WeightType type, TargetAttr target) { return llvm::toString(checkWeightType(type, target)); }

TEST(ElementTypes, HalvesNeedTheProcessorsConversions) {
  mlir::MLIRContext context;
  EXPECT_EQ(errorOf(WeightType::F16, processor(context, "+avx2,+f16c,+fma")), "");
  for (llvm::StringRef features : {"", "+avx2,-f16c,+fma", "+avx2,+fma"}) {
    TargetAttr target = processor(context, features);
    EXPECT_EQ(errorOf(WeightType::F16, target),
              "option '--dtype': expected bf16 or f32 for a processor without F16C like ivybridge, found 'f16'");
    EXPECT_EQ(errorOf(WeightType::BF16, target), "");
    EXPECT_EQ(errorOf(WeightType::F32, target), "");
  }
}

TEST(ElementTypes, TensorCoresNeedNarrowTypes) {
  mlir::MLIRContext context;
  context.loadDialect<BambaDialect>();
  llvm::Expected<TargetAttr> target = makeCudaTarget(&context, "sm_80");
  ASSERT_TRUE(static_cast<bool>(target));
  EXPECT_EQ(errorOf(WeightType::F16, *target), "");
  EXPECT_EQ(errorOf(WeightType::BF16, *target), "");
  EXPECT_EQ(errorOf(WeightType::F32, *target),
            "option '--dtype': expected bf16 or f16 for the target sm_80, found 'f32'");
}
