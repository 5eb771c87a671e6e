// The cost model by which CPU schedules are chosen.
//
// A launch is a number of workgroups that threads take one at a time. Three costs decide their size:
//   - taking a workgroup costs something, so each should move at least kLeastBytes (a choice, not a measurement);
//   - the last workgroup of a launch leaves other threads idle, so there should be several for each thread;
//   - the block of a panel that a tall linear reads for each row tile should stay in the level-1 cache.
#ifndef BAMBAC_PASSES_SCHEDULE_CPUCOSTMODEL_H
#define BAMBAC_PASSES_SCHEDULE_CPUCOSTMODEL_H

#include "dialects/bamba/Bamba.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace bambac {

/// Chooses the schedule of a kernel from the shapes of its ops and the target's limits. The kernel's last op is the one
/// that is cut into workgroups.
CpuScheduleAttr chooseCpuSchedule(func::FuncOp kernel, CpuTargetAttr target);

/// The op whose iteration space `workgroup` refers to: the last compute op of the kernel.
Operation *getKernelRoot(func::FuncOp kernel);

} // namespace bambac

#endif // BAMBAC_PASSES_SCHEDULE_CPUCOSTMODEL_H
