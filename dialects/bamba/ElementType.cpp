// One switch over all types: a new type of the contract does not compile before it has one in MLIR.
#include "dialects/bamba/ElementType.h"
#include "mlir/IR/Builders.h"

namespace bambac {

Type toMlirType(MLIRContext *context, bamba_rt_dtype type) {
  Builder builder(context);
  switch (type) {
  case BAMBA_RT_F32:
    return builder.getF32Type();
  case BAMBA_RT_BF16:
    return builder.getBF16Type();
  case BAMBA_RT_F16:
    return builder.getF16Type();
  case BAMBA_RT_I32:
    return builder.getI32Type();
  case BAMBA_RT_F64:
    return builder.getF64Type();
  case BAMBA_RT_F8E4M3:
    return builder.getType<mlir::Float8E4M3FNType>();
  case BAMBA_RT_I8:
    return builder.getI8Type();
  }
  llvm_unreachable("the switch covers all types");
}

std::optional<bamba_rt_dtype> elementTypeOf(Type type) {
  for (const contract::ElementType &known : contract::kElementTypes)
    if (toMlirType(type.getContext(), known.type) == type && !contract::isOfCheckpointsOnly(known))
      return known.type;
  return std::nullopt;
}

std::optional<bamba_rt_dtype> weightTypeOf(Type type) {
  std::optional<bamba_rt_dtype> found = elementTypeOf(type);
  return found && contract::describe(*found).isWeight ? found : std::nullopt;
}

} // namespace bambac
