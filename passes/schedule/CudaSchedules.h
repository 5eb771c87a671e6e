// The candidates of CUDA schedules and their order.
//
// The main op of a kernel has one or more collectives, each with values of its fields that are worth trying. A
// candidate that the geometry calls illegal is never taken. The others are ordered by a stated cost; the first is the
// choice, the rest is what code generation may fall back to where the assembler has to spill registers.
#ifndef BAMBAC_PASSES_SCHEDULE_CUDASCHEDULES_H
#define BAMBAC_PASSES_SCHEDULE_CUDASCHEDULES_H

#include "dialects/bamba/Bamba.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace bambac {

/// The legal schedules of a kernel, cheapest first. Fails, naming the fields of the configuration that its sizes come
/// from, where there is none.
FailureOr<SmallVector<CudaScheduleAttr>> enumerateCudaSchedules(func::FuncOp kernel, CudaTargetAttr target);

} // namespace bambac

#endif // BAMBAC_PASSES_SCHEDULE_CUDASCHEDULES_H
