// Weights and states of a plan, made from the module's globals as launches ask for them.
#ifndef BAMBAC_CODEGEN_PLAN_GLOBALREADER_H
#define BAMBAC_CODEGEN_PLAN_GLOBALREADER_H

#include "codegen/plan/Plan.h"
#include "mlir/Dialect/MLProgram/IR/MLProgram.h"
#include "llvm/ADT/DenseMap.h"

namespace bambac::codegen {

/// Numbers the globals that are used, in the order of the module, and describes them in the plan.
class GlobalReader {
public:
  explicit GlobalReader(Plan &plan) : plan(plan) {}

  /// Describes each global that some function loads.
  LogicalResult collect(ModuleOp module);

  /// The place of a weight or state; fails with an error at `user` where the global is not of that sort.
  FailureOr<bamba_rt_arg> findWeight(Operation *user, SymbolRefAttr name) const;
  FailureOr<bamba_rt_arg> findState(Operation *user, SymbolRefAttr name) const;

private:
  LogicalResult addWeight(ml_program::GlobalOp global);
  LogicalResult linkScales(ml_program::GlobalOp global);
  LogicalResult addState(ml_program::GlobalOp global);
  FailureOr<bamba_rt_arg> find(Operation *user, SymbolRefAttr name, bamba_rt_space space, StringRef sort) const;

  Plan &plan;
  DenseMap<StringAttr, bamba_rt_arg> places;
};

} // namespace bambac::codegen

#endif // BAMBAC_CODEGEN_PLAN_GLOBALREADER_H
