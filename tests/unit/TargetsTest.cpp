// What each target answers: types, layouts and sizes, and what it refuses.
#include "compiler/targets/Targets.h"
#include "compiler/targets/CpuTarget.h"
#include "mlir/AsmParser/AsmParser.h"
#include "mlir/IR/MLIRContext.h"
#include "gtest/gtest.h"

using namespace bambac;

namespace {
class Targets : public testing::Test {
protected:
  Targets() : context(registry()) { context.loadDialect<BambaDialect>(); }

  static DialectRegistry registry() {
    DialectRegistry registry;
    registry.insert<BambaDialect>();
    registerTargets(registry);
    return registry;
  }

  TargetInterface parse(StringRef text) {
    auto target = dyn_cast_or_null<TargetInterface>(mlir::parseAttribute(text, &context));
    EXPECT_TRUE(target) << text.str();
    return target;
  }

  TargetInterface processor(StringRef features) {
    return parse(("#bamba.cpu_target<arch = \"ivybridge\", features = \"" + features +
                  "\", vector_bits = 256, vector_registers = 16, l2_bytes = 1048576>")
                     .str());
  }

  /// What the target says of matrices of this type, empty where it computes with them.
  std::string errorOf(TargetInterface target, Type matrix) {
    std::string text;
    mlir::ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) { text = diagnostic.str(); });
    auto atOption = [&] { return mlir::emitError(mlir::UnknownLoc::get(&context)); };
    EXPECT_EQ(succeeded(target.verifyMatrixType(matrix, atOption)), text.empty());
    return text;
  }

  MLIRContext context;
  Type f32 = mlir::Float32Type::get(&context), f16 = mlir::Float16Type::get(&context),
       bf16 = mlir::BFloat16Type::get(&context);
};
} // namespace

TEST_F(Targets, HalvesNeedTheProcessorsConversions) {
  EXPECT_EQ(errorOf(processor("+avx2,+f16c,+fma"), f16), "");
  for (StringRef features : {"", "+avx2,-f16c,+fma", "+avx2,+fma"}) {
    TargetInterface target = processor(features);
    EXPECT_EQ(errorOf(target, f16), "expected bf16 or f32 for a processor without F16C like ivybridge, found 'f16'");
    EXPECT_EQ(errorOf(target, bf16), "");
    EXPECT_EQ(errorOf(target, f32), "");
  }
}

TEST_F(Targets, TensorCoresNeedNarrowTypes) {
  llvm::Expected<TargetInterface> target = makeTarget(&context, "sm_80", {});
  ASSERT_TRUE(static_cast<bool>(target));
  EXPECT_EQ(errorOf(*target, f16), "");
  EXPECT_EQ(errorOf(*target, bf16), "");
  EXPECT_EQ(errorOf(*target, f32), "expected bf16 or f16 for the target sm_80, found 'f32'");
}

TEST_F(Targets, PairsOfColumnsNeedTileRegistersOrDotProducts) {
  auto withFeatures = [&](StringRef features, int64_t bits) {
    return parse(("#bamba.cpu_target<arch = \"sapphirerapids\", features = \"" + features +
                  "\", vector_bits = " + Twine(bits) + ", vector_registers = 32, l2_bytes = 1048576>")
                     .str());
  };
  StringRef tiles = "+gfni,+avx512vbmi,+avx512bf16,+amx-tile,+amx-bf16", dots = "+gfni,+avx512vbmi,+avx512bf16";
  Type code = mlir::Float8E4M3FNType::get(&context);
  TargetInterface target = withFeatures(tiles, 512);
  for (Type type : {bf16, code})
    EXPECT_EQ(target.getWeightPanel(type), PanelAttr::get(&context, 32, 2, 32));
  for (Type type : {f32, f16})
    EXPECT_EQ(target.getWeightPanel(type), PanelAttr::get(&context, 32, 1, 1));
  EXPECT_EQ(target.getElementTypes(bf16, f32).inputCodes, bf16);
  // Without tile registers, codes alone.
  target = withFeatures(dots, 512);
  EXPECT_EQ(target.getWeightPanel(code), PanelAttr::get(&context, 32, 2, 2));
  EXPECT_EQ(target.getWeightPanel(bf16), PanelAttr::get(&context, 32, 1, 1));
  EXPECT_EQ(target.getElementTypes(bf16, f32).inputCodes, bf16);
  EXPECT_FALSE(target.getInputTerms(/*rows=*/64, bf16));
  for (TargetInterface other :
       {withFeatures("+avx512vbmi,+amx-tile,+amx-bf16,+avx512bf16", 512),
        withFeatures("+gfni,+avx512vbmi,-amx-tile,+amx-bf16,-avx512bf16", 512), withFeatures("", 512)}) {
    EXPECT_EQ(other.getWeightPanel(bf16), PanelAttr::get(&context, 32, 1, 1));
    EXPECT_EQ(other.getWeightPanel(code), PanelAttr::get(&context, 32, 1, 1));
    EXPECT_EQ(other.getElementTypes(bf16, f32).inputCodes, f32);
  }
  EXPECT_EQ(withFeatures(dots, 256).getElementTypes(bf16, f32).inputCodes, f32);
}

TEST_F(Targets, LevelsOfX86HaveNoTileRegisters) {
  for (StringRef level : {"x86-64-v3", "x86-64-v4"}) {
    llvm::Expected<CpuTargetAttr> target = makeCpuTarget(&context, level);
    ASSERT_TRUE(static_cast<bool>(target));
    EXPECT_FALSE(target->multipliesTiles() || target->multipliesPairs());
    EXPECT_FALSE(target->has("amx-tile"));
  }
}

TEST_F(Targets, SapphireRapidsMultipliesTiles) {
  llvm::Expected<CpuTargetAttr> target = makeCpuTarget(&context, "sapphirerapids");
  ASSERT_TRUE(static_cast<bool>(target));
  EXPECT_TRUE(target->multipliesTiles());
  EXPECT_FALSE(target->multipliesPairs());
  EXPECT_EQ(target->getVectorBits(), 512);
}

TEST_F(Targets, AProcessorListsTheFeaturesThatAreOn) {
  EXPECT_EQ(processor("+sse2,-avx512f,+cmov").getRequiredFeatures(), (SmallVector<StringRef>{"sse2", "cmov"}));
  EXPECT_TRUE(processor("").getRequiredFeatures().empty());
}

TEST_F(Targets, ArchitecturesSayWhichGpusRunTheirCode) {
  auto compute = [&](StringRef name) {
    llvm::Expected<TargetInterface> target = makeTarget(&context, name, {});
    EXPECT_TRUE(static_cast<bool>(target));
    EXPECT_EQ(target->getName(), name);
    ComputeCapability capability = target->getComputeCapability();
    return std::pair(capability.version, capability.exact);
  };
  EXPECT_EQ(compute("sm_80"), std::pair(80u, false));
  EXPECT_EQ(compute("sm_89"), std::pair(89u, false));
  EXPECT_EQ(compute("sm_90a"), std::pair(90u, true));
  EXPECT_EQ(processor("").getComputeCapability().version, 0u);
}

TEST_F(Targets, StatesKeepTheTypeThatWasAskedForOnCudaOnly) {
  ElementTypes host = processor("").getElementTypes(bf16, bf16);
  EXPECT_EQ(host.matrix, bf16);
  EXPECT_EQ(host.ssmState, f32);
  EXPECT_FALSE(host.convRing);
  llvm::Expected<TargetInterface> target = makeTarget(&context, "sm_90a", {});
  ASSERT_TRUE(static_cast<bool>(target));
  ElementTypes cuda = target->getElementTypes(f16, bf16);
  EXPECT_EQ(cuda.cache, f16);
  EXPECT_EQ(cuda.ssmState, bf16);
  EXPECT_EQ(cuda.wide, f32);
}

TEST_F(Targets, UnknownNamesAreRefused) {
  auto messageOf = [&](StringRef name, const TargetOptions &options) {
    llvm::Expected<TargetInterface> target = makeTarget(&context, name, options);
    return target ? std::string() : llvm::toString(target.takeError());
  };
  EXPECT_EQ(messageOf("sm_70", {}),
            "option '--target': expected cpu, sm_80, sm_86, sm_89, sm_90 or sm_90a, found 'sm_70'");
  EXPECT_EQ(messageOf("cpu", {"pentium"}),
            "option '--cpu': expected native, x86-64-v3, x86-64-v4 or sapphirerapids, found 'pentium'");
}
