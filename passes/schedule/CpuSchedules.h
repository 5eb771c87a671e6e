// How CPU schedules are chosen, which fields each op reads, and what code generation can follow.
//
// A launch is a number of workgroups that threads take one at a time. Three costs decide their size:
//   - taking a workgroup costs something, so each should move at least kLeastBytes (a choice, not a measurement);
//   - the last workgroup of a launch leaves other threads idle, so there should be several for each thread;
//   - the block of a panel that a tall linear reads for each row tile should stay in the level-1 cache.
#ifndef BAMBAC_PASSES_SCHEDULE_CPUSCHEDULES_H
#define BAMBAC_PASSES_SCHEDULE_CPUSCHEDULES_H

#include "dialects/bamba/Bamba.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/Support/Error.h"

namespace bambac {

/// Chooses the schedule of a kernel from the shapes of its ops and the target's limits. The kernel's last op is the one
/// that is cut into workgroups.
CpuScheduleAttr chooseCpuSchedule(func::FuncOp kernel, CpuTargetAttr target);

/// The fields of #bamba.cpu_schedule that the code of a kernel depends on.
SmallVector<StringRef> getCpuFields(func::FuncOp kernel);

/// Fails, with a text without the kernel's name, where code generation cannot follow the schedule.
llvm::Error checkCpuSchedule(func::FuncOp kernel, CpuScheduleAttr schedule, CpuTargetAttr target);

} // namespace bambac

#endif // BAMBAC_PASSES_SCHEDULE_CPUSCHEDULES_H
