// The rules by which CUDA schedules are chosen.
//
// The op that gives a kernel its work names the collective, its rows choose between variants: few rows leave a linear
// bound by the stream of its weights, many by the rate of the tensor cores. Tiles then follow from the instructions'
// shapes, and the number of stages from the shared memory that one block may have.
#ifndef BAMBAC_PASSES_SCHEDULE_CUDACOSTMODEL_H
#define BAMBAC_PASSES_SCHEDULE_CUDACOSTMODEL_H

#include "dialects/bamba/Bamba.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace bambac {

/// Chooses the collective of a kernel and its fields from the shapes of its ops and the target's limits.
CudaScheduleAttr chooseCudaSchedule(func::FuncOp kernel, CudaTargetAttr target);

} // namespace bambac

#endif // BAMBAC_PASSES_SCHEDULE_CUDACOSTMODEL_H
