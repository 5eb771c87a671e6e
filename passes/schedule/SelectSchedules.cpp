// Attaches schedules to kernels: see SelectSchedules in Passes.td.
#include "passes/Passes.h"
#include "passes/schedule/CpuCostModel.h"
#include "passes/schedule/CudaCostModel.h"
#include "passes/schedule/ScheduleFile.h"

namespace bambac {
#define GEN_PASS_DEF_SELECTSCHEDULES
#include "passes/Passes.h.inc"

namespace {

/// A schedule that code generation can follow. An overriding file may ask for one that it cannot.
LogicalResult checkSchedule(func::FuncOp kernel, CpuScheduleAttr schedule, CpuTargetAttr target) {
  auto root = cast<TilingInterface>(getKernelRoot(kernel));
  size_t rank = root.getLoopIteratorTypes().size();
  if (schedule.getWorkgroup().size() != rank)
    return kernel.emitError() << "schedule: expected " << rank << " workgroup sizes, found "
                              << schedule.getWorkgroup().size();
  bool hasLinear = false;
  kernel.walk([&](LinearOp) { hasLinear = true; });
  int64_t panel = 2 * target.getLanes();
  if (hasLinear && schedule.getWorkgroup().back() % panel != 0)
    return kernel.emitError() << "schedule: expected a multiple of " << panel << " workgroup columns, found "
                              << schedule.getWorkgroup().back();
  if (isa<SsmStepOp, SsmScanOp>(*root) && schedule.getWorkgroup()[0] != 1)
    return kernel.emitError() << "schedule: expected a workgroup of 1 head, found " << schedule.getWorkgroup()[0];
  if (auto scan = dyn_cast<SsmScanOp>(*root)) {
    int64_t tokens = scan.getNumTokens();
    if (schedule.getChunk() <= 0 || tokens % schedule.getChunk() != 0)
      return kernel.emitError() << "schedule: expected a chunk that divides " << tokens << " tokens, found "
                                << schedule.getChunk();
  }
  return success();
}

/// What the compiler of the kernel's code could only answer with a puzzle. Limits of a block are checked where the code
/// is known.
LogicalResult checkSchedule(func::FuncOp kernel, CudaScheduleAttr schedule, CudaTargetAttr) {
  for (NamedAttribute field : schedule.getFields())
    if (int64_t value = cast<IntegerAttr>(field.getValue()).getInt(); value <= 0)
      return kernel.emitError() << "schedule: expected '" << field.getName().getValue() << "' greater than 0, found "
                                << value;
  return success();
}

struct SelectSchedules : impl::SelectSchedulesBase<SelectSchedules> {
  using impl::SelectSchedulesBase<SelectSchedules>::SelectSchedulesBase;

  void runOnOperation() override {
    TargetInterface target = getTarget(getOperation());
    if (!target)
      return;
    llvm::Expected<ScheduleFile> overrides =
        file.empty() ? ScheduleFile() : ScheduleFile::read(file, target.getDevice());
    if (!overrides)
      return fail(overrides.takeError());
    for (auto kernel : getOperation().getOps<func::FuncOp>()) {
      if (!kernel->hasAttr(attr::kKernel))
        continue;
      auto cpu = dyn_cast<CpuTargetAttr>(target);
      LogicalResult attached =
          cpu ? attachCpu(kernel, cpu, *overrides) : attachCuda(kernel, cast<CudaTargetAttr>(target), *overrides);
      if (failed(attached))
        return signalPassFailure();
    }
  }

  void fail(llvm::Error error) {
    emitError(UnknownLoc::get(&getContext())) << llvm::toString(std::move(error));
    signalPassFailure();
  }

  static LogicalResult attachCpu(func::FuncOp kernel, CpuTargetAttr target, const ScheduleFile &overrides) {
    CpuScheduleAttr schedule = overrides.apply(kernel.getSymName(), chooseCpuSchedule(kernel, target));
    kernel->setAttr(attr::kSchedule, schedule);
    return checkSchedule(kernel, schedule, target);
  }

  static LogicalResult attachCuda(func::FuncOp kernel, CudaTargetAttr target, const ScheduleFile &overrides) {
    llvm::Expected<CudaScheduleAttr> schedule =
        overrides.apply(kernel.getSymName(), chooseCudaSchedule(kernel, target));
    if (!schedule)
      return emitError(UnknownLoc::get(kernel.getContext())) << llvm::toString(schedule.takeError());
    kernel->setAttr(attr::kSchedule, *schedule);
    return checkSchedule(kernel, *schedule, target);
  }
};

} // namespace
} // namespace bambac
