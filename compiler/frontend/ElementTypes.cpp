// Which tensor has which element type on which device.
#include "compiler/frontend/ElementTypes.h"
#include "mlir/IR/Builders.h"

using namespace mlir;

namespace bambac {

ElementTypes::ElementTypes(const CompileLimits &limits, TargetAttr target) {
  Builder builder(target.getContext());
  Type f32 = builder.getF32Type(), bf16 = builder.getBF16Type();
  bool cuda = target.getDevice() == Device::Cuda;
  matrix = limits.weightType == WeightType::BF16 ? bf16 : f32;
  activation = cuda ? bf16 : f32;
  cache = cuda ? bf16 : f32;
  ssmState = cuda && limits.stateType == WeightType::BF16 ? bf16 : f32;
  wide = f32;
  convRing = cuda;
}

} // namespace bambac
