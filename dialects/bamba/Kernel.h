// What schedules and code generation take for granted of a kernel: its schedule, the types of its tensors, the op that
// is cut.
#ifndef BAMBAC_DIALECTS_BAMBA_KERNEL_H
#define BAMBAC_DIALECTS_BAMBA_KERNEL_H

#include "dialects/bamba/Bamba.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace bambac {

/// Fails with an error where a tensor of the kernel has a size that is not known (other than the number of items of a
/// state pool), or an element type that is not in the contract.
LogicalResult checkTensors(mlir::func::FuncOp kernel);

/// The argument that says how many of a kernel's rows are there; null where all are.
mlir::BlockArgument findRows(mlir::func::FuncOp kernel);

/// The op that the schedule of a CPU cuts into workgroups: the last one that can be tiled. Null where there is none.
/// (The op that decides how a kernel is computed is getMainOp; element-wise ops may come after it.)
mlir::TilingInterface getTiledOp(mlir::func::FuncOp kernel);

/// The error for a kernel whose schedule is missing or of another kind than `expected`, "bamba.cpu_schedule".
LogicalResult failOnSchedule(mlir::func::FuncOp kernel, StringRef expected);

/// The schedule of a kernel; fails with an error where it is none of this kind.
template <typename Schedule> FailureOr<Schedule> getSchedule(mlir::func::FuncOp kernel) {
  if (auto schedule = kernel->getAttrOfType<Schedule>(attr::kSchedule))
    return schedule;
  return failOnSchedule(kernel, Schedule::name);
}

} // namespace bambac

#endif // BAMBAC_DIALECTS_BAMBA_KERNEL_H
