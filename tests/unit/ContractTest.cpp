// The compiler's side of runtime/contract: element types in MLIR and in the dialect, and the signature of entry points.
#include "dialects/bamba/ElementType.h"
#include "dialects/bamba/EntryPoint.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/FormatVariadic.h"
#include "gtest/gtest.h"

using namespace bambac;
using contract::ElementType;
using contract::kElementTypes;

static std::string print(Type type) {
  std::string text;
  llvm::raw_string_ostream(text) << type;
  return text;
}

TEST(ElementTypeOf, KnowsEachTypeOfTheContract) {
  MLIRContext context;
  for (const ElementType &type : kElementTypes) {
    Type mlirType = toMlirType(&context, type.type);
    EXPECT_EQ(elementTypeOf(mlirType).has_value(), !contract::isOfCheckpointsOnly(type)) << type.name;
    EXPECT_EQ(elementTypeOf(mlirType).value_or(type.type), type.type) << type.name;
    EXPECT_EQ(mlirType.getIntOrFloatBitWidth(), 8 * type.bytes) << type.name;
    EXPECT_EQ(weightTypeOf(mlirType).has_value(), type.isWeight) << type.name;
    EXPECT_EQ(contract::findElementType(type.name), &type);
  }
  EXPECT_EQ(contract::findElementType(std::string_view("f80")), nullptr);
  EXPECT_EQ(contract::findElementType(99u), nullptr);
  EXPECT_EQ(contract::listWeightTypes(&ElementType::safetensors), "F32, BF16, F16 or F8_E4M3");
  EXPECT_EQ(contract::listChosenTypes(&ElementType::name), "f32, bf16 or f16");
  EXPECT_EQ(contract::listNumberTypes(&ElementType::safetensors), "F32, BF16, F16 or F64");
}

TEST(ElementTypeOf, KnowsNoOther) {
  MLIRContext context;
  Builder builder(&context);
  for (Type type : {Type(builder.getF64Type()), Type(builder.getI16Type()), Type(builder.getIndexType()),
                    Type(builder.getIntegerType(32, /*isSigned=*/false))})
    EXPECT_EQ(elementTypeOf(type), std::nullopt) << print(type);
}

/// The ops of the dialect take what weights can have, codes apart, and nothing else: the lists in BambaDialect.td
/// agree.
TEST(ElementTypeOf, IsWhatTheDialectTakes) {
  MLIRContext context;
  context.loadDialect<BambaDialect, func::FuncDialect>();
  for (const ElementType &type : kElementTypes) {
    std::string tensor = "tensor<2x4x" + print(toMlirType(&context, type.type)) + ">", errors;
    ScopedDiagnosticHandler handler(&context, [&](Diagnostic &error) { errors += error.str() + "\n"; });
    std::string source = llvm::formatv("func.func private @f(%g: {0}, %i: {0}) -> {0} {{\n"
                                       "  %0 = bamba.swiglu ins(%g, %g : {0}, {0}) outs(%i : {0})\n"
                                       "  return %0 : {0}\n}\n",
                                       tensor);
    auto module = parseSourceString<ModuleOp>(source, &context);
    bool isNumber = type.isWeight && !type.isScaled;
    EXPECT_EQ(static_cast<bool>(module), isNumber) << tensor << ": " << errors;
    EXPECT_EQ(StringRef(errors).contains("must be 2D tensor of"), !isNumber) << errors;
  }
}

TEST(EntryPoint, HasTheArraysOfTheContract) {
  MLIRContext context;
  context.loadDialect<BambaDialect>();
  auto typesOf = [&](EntryKind kind, int64_t batch, int64_t chunk, int64_t kept) {
    EntrySizes sizes(EntryAttr::get(&context, kind, batch, chunk, kept), /*maxPages=*/3, /*vocabulary=*/30);
    std::string text;
    for (ArrayRef<contract::EntryArray> arrays : {ArrayRef(contract::kInputs), ArrayRef(contract::kOutputs)})
      for (const contract::EntryArray &array : arrays)
        text += std::string(array.name) + " " + print(typeOf(&context, array, sizes)) + "\n";
    return text;
  };
  EXPECT_EQ(typesOf(EntryKind::Decode, 4, 1, 0),
            "tokens tensor<4xi32>\npositions tensor<4xi32>\nslots tensor<4xi32>\nstarts tensor<5xi32>\n"
            "rows tensor<1xi32>\npending tensor<4xi32>\npieces tensor<4xi32>\nkept tensor<4xi32>\n"
            "kept_count tensor<1xi32>\nsampling tensor<4x18xi32>\npages tensor<4x3xi32>\nlogits tensor<4x30xf32>\n"
            "greedy tensor<4xi32>\nsamples tensor<4x42xi32>\n");
  EXPECT_EQ(typesOf(EntryKind::Prefill, 2, 8, 3),
            "tokens tensor<8xi32>\npositions tensor<8xi32>\nslots tensor<2xi32>\nstarts tensor<3xi32>\n"
            "rows tensor<1xi32>\npending tensor<2xi32>\npieces tensor<8xi32>\nkept tensor<3xi32>\n"
            "kept_count tensor<1xi32>\nsampling tensor<3x18xi32>\npages tensor<2x3xi32>\nlogits tensor<3x30xf32>\n"
            "greedy tensor<3xi32>\nsamples tensor<3x42xi32>\n");
  EXPECT_EQ(findArray(contract::kInputs, "slots")->number, static_cast<uint32_t>(BAMBA_RT_INPUT_SLOTS));
  EXPECT_EQ(findArray(contract::kInputs, "logits"), nullptr);
}
