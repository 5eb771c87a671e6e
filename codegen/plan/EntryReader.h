// Reads one entry point off its function: the launches in order, and where each of their operands lives.
#ifndef BAMBAC_CODEGEN_PLAN_ENTRYREADER_H
#define BAMBAC_CODEGEN_PLAN_ENTRYREADER_H

#include "codegen/plan/GlobalReader.h"
#include "codegen/plan/KernelTable.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace bambac::codegen {

class EntryReader {
public:
  EntryReader(Plan &plan, const GlobalReader &globals, KernelTable &kernels)
      : plan(plan), globals(globals), kernels(kernels) {}

  /// Appends the entry point to the plan.
  LogicalResult read(func::FuncOp function);

private:
  LogicalResult readInputs(func::FuncOp function);
  LogicalResult readOutputs(func::FuncOp function);
  LogicalResult readOp(Operation *op);
  LogicalResult readLaunch(LaunchOp launch);
  LogicalResult readStore(ml_program::GlobalStoreOp store);

  FailureOr<bamba_rt_arg> placeOfInput(LaunchOp launch, unsigned number);
  FailureOr<bamba_rt_arg> placeOfResult(LaunchOp launch, unsigned number);
  LogicalResult checkBuffer(LaunchOp launch, unsigned number, BufferAttr buffer);
  LogicalResult setPlace(Value value, FailureOr<bamba_rt_arg> place);

  Plan &plan;
  const GlobalReader &globals;
  KernelTable &kernels;
  PlanEntry entry;
  DenseMap<Value, bamba_rt_arg> places;
  DenseMap<Value, bamba_rt_arg> outputs; ///< launch results that the function returns
  DenseSet<Value> overwritten;           ///< values of a state that a launch has updated in place
};

} // namespace bambac::codegen

#endif // BAMBAC_CODEGEN_PLAN_ENTRYREADER_H
