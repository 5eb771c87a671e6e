// The element types of the contract (runtime/contract/element_types.h) as types of MLIR.
#ifndef BAMBAC_DIALECTS_BAMBA_ELEMENTTYPE_H
#define BAMBAC_DIALECTS_BAMBA_ELEMENTTYPE_H

#include "dialects/LLVM.h"
#include "mlir/IR/Types.h"
#include "runtime/contract/element_types.h"

namespace bambac {

/// The type in MLIR.
Type toMlirType(MLIRContext *context, bamba_rt_dtype type);

/// The contract's type of a type in MLIR; none for one that is not in the contract.
std::optional<bamba_rt_dtype> elementTypeOf(Type type);

/// The same for a type that weights and states can have; none for others.
std::optional<bamba_rt_dtype> weightTypeOf(Type type);

} // namespace bambac

#endif // BAMBAC_DIALECTS_BAMBA_ELEMENTTYPE_H
