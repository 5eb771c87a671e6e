// The collectives that have a schedule: which op each computes, its fields, and whether a schedule is legal for an op.
// The numbers are those of the geometry headers, which the collectives include as well.
#ifndef BAMBAC_PASSES_SCHEDULE_CUDACOLLECTIVES_H
#define BAMBAC_PASSES_SCHEDULE_CUDACOLLECTIVES_H

#include "codegen/cuda/collectives/geometry/attention.h"
#include "codegen/cuda/collectives/geometry/mma_linear.h"
#include "codegen/cuda/collectives/geometry/ssm.h"
#include "codegen/cuda/collectives/geometry/wgmma_attention.h"
#include "codegen/cuda/collectives/geometry/wgmma_linear.h"
#include "codegen/cuda/collectives/geometry/wgmma_linear_skinny.h"
#include "dialects/bamba/Bamba.h"

namespace bambac {

/// The sizes of an op as the geometry headers want them.
geometry::LinearShape shapeOf(LinearOp linear);
geometry::AttentionShape shapeOf(AttentionOp attention);
geometry::SsmShape shapeOf(SsmScanOp scan);
geometry::SsmShape shapeOf(SsmStepOp step);
geometry::SsmShape shapeOf(SsmFoldOp fold);

/// What the target gives a block.
geometry::Limits limitsOf(CudaTargetAttr target);

/// "expected at most 101376 bytes of shared memory, found 162816", with "field 'split': " before it where the fault is
/// about a field.
std::string describeFault(const geometry::Fault &fault, CudaScheduleAttr schedule);

/// The schedule of a collective that a geometry describes, with its fields in the order of their declaration.
template <typename Geometry> CudaScheduleAttr makeSchedule(MLIRContext *context, const Geometry &geometry) {
  NamedAttrList fields;
  if constexpr (requires { Geometry::kFields; })
    for (const auto &field : Geometry::kFields)
      fields.append(field.name, IntegerAttr::get(IntegerType::get(context, 64), geometry.*field.value));
  return CudaScheduleAttr::get(context, StringAttr::get(context, Geometry::kCollective), fields.getDictionary(context));
}

/// Tokens of a chunk of a scan with this schedule: a field, or what the collective always takes.
int64_t getScanChunk(CudaScheduleAttr schedule);

/// Fails, with a text without the kernel's name, where `schedule` cannot compute a kernel with that main op: a
/// collective of another op, missing or unknown fields, or a fault that the geometry finds.
llvm::Error checkCudaSchedule(Operation *main, CudaScheduleAttr schedule, CudaTargetAttr target);

} // namespace bambac

#endif // BAMBAC_PASSES_SCHEDULE_CUDACOLLECTIVES_H
