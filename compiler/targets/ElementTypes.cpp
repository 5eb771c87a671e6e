// Which tensor has which element type on which device.
#include "compiler/targets/ElementTypes.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;

namespace bambac {

/// Whether the features of a target, "+avx2,-f16c,...", include one.
static bool hasFeature(TargetAttr target, StringRef feature) {
  return llvm::is_contained(llvm::split(target.getFeatures().getValue(), ','), ("+" + feature).str());
}

ElementTypes::ElementTypes(const CompileLimits &limits, TargetAttr target) {
  Builder builder(target.getContext());
  auto typeOf = [&](WeightType type) -> Type {
    return type == WeightType::F32    ? builder.getF32Type()
           : type == WeightType::BF16 ? builder.getBF16Type()
                                      : builder.getF16Type();
  };
  Type f32 = builder.getF32Type();
  bool cuda = target.getDevice() == Device::Cuda;
  matrix = typeOf(limits.weightType);
  activation = cuda ? matrix : f32;
  cache = cuda ? matrix : f32;
  ssmState = cuda ? typeOf(limits.stateType) : f32;
  wide = f32;
  convRing = cuda;
}

llvm::Error checkWeightType(WeightType type, TargetAttr target) {
  bool cuda = target.getDevice() == Device::Cuda;
  auto wrong = [&](StringRef expected) {
    return llvm::createStringError("option '--dtype': expected " + expected + " " + target.getArch().getValue() +
                                   ", found '" + stringifyWeightType(type) + "'");
  };
  if (cuda && type == WeightType::F32)
    return wrong("bf16 or f16 for the target");
  if (!cuda && type == WeightType::F16 && !hasFeature(target, "f16c"))
    return wrong("bf16 or f32 for a processor without F16C like");
  return llvm::Error::success();
}

} // namespace bambac
