// The plans of a library as the read-only tables of runtime/contract/abi.h, in an object file.
#ifndef BAMBAC_CODEGEN_PLAN_EMITTABLES_H
#define BAMBAC_CODEGEN_PLAN_EMITTABLES_H

#include "codegen/plan/Metadata.h"
#include "llvm/Support/Error.h"

namespace bambac::codegen {

/// An object file for this machine's system that defines bamba_rt_library_table, with a model for each plan, and all
/// that it points to. The functions of CPU kernels are left for the linker.
llvm::Expected<SmallVector<char, 0>> emitTables(ArrayRef<Plan> plans, const CompilerInfo &compiler);

} // namespace bambac::codegen

#endif // BAMBAC_CODEGEN_PLAN_EMITTABLES_H
