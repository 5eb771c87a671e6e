// The plan as the read-only tables of runtime/abi.h, in an object file.
#ifndef BAMBAC_CODEGEN_PLAN_EMITTABLES_H
#define BAMBAC_CODEGEN_PLAN_EMITTABLES_H

#include "codegen/plan/Plan.h"
#include "llvm/Support/Error.h"

namespace bambac::codegen {

/// An object file for this machine's system that defines bamba_rt_model_table and all that it points to. The functions
/// of the kernels are left for the linker.
llvm::Expected<SmallVector<char, 0>> emitTables(const Plan &plan, StringRef metadata);

} // namespace bambac::codegen

#endif // BAMBAC_CODEGEN_PLAN_EMITTABLES_H
