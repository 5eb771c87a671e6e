// The kernels of a plan, numbered as they are first launched.
#ifndef BAMBAC_CODEGEN_PLAN_KERNELTABLE_H
#define BAMBAC_CODEGEN_PLAN_KERNELTABLE_H

#include "codegen/plan/Plan.h"
#include "llvm/ADT/StringMap.h"

namespace bambac::codegen {

class KernelTable {
public:
  KernelTable(Plan &plan, ModuleOp module, ArrayRef<KernelCode> code);

  /// The number of the kernel that is launched; counts the launch. Fails with an error where the kernel has no
  /// schedule, no cost or no code.
  FailureOr<uint32_t> launch(LaunchOp launch);

  /// Adds the kernels that pack the plan's weights and names them there. Called after all launches.
  LogicalResult addPacking();

private:
  FailureOr<uint32_t> add(LaunchOp launch);
  FailureOr<uint32_t> addPacking(const PlanWeight &weight);

  Plan &plan;
  ModuleOp module;
  SymbolTable symbols;
  llvm::StringMap<const KernelCode *> code;
  llvm::StringMap<uint32_t> numbers;
};

} // namespace bambac::codegen

#endif // BAMBAC_CODEGEN_PLAN_KERNELTABLE_H
