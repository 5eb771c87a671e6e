// What code generation of every device takes for granted of a kernel, as checks with an error each.
#ifndef BAMBAC_DIALECTS_BAMBA_KERNEL_H
#define BAMBAC_DIALECTS_BAMBA_KERNEL_H

#include "dialects/bamba/Bamba.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace bambac {

/// Fails with an error where a tensor of the kernel has a size that is not known (other than the number of items of a
/// state pool), or an element type that is not in the contract.
LogicalResult checkTensors(mlir::func::FuncOp kernel);

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
