// The passes from the model to its scheduled kernels; Passes.td says what each does and why.
#ifndef BAMBAC_PASSES_PASSES_H
#define BAMBAC_PASSES_PASSES_H

#include "dialects/bamba/Bamba.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MLProgram/IR/MLProgram.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace bambac {

class ScheduleFile;

#define GEN_PASS_DECL
#include "passes/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "passes/Passes.h.inc"

/// SelectSchedules with the overrides of a file that several targets share; null: none. The file outlives the pass.
std::unique_ptr<Pass> createSelectSchedules(ScheduleFile *overrides);

} // namespace bambac

#endif // BAMBAC_PASSES_PASSES_H
