// Attaches schedules to kernels: see SelectSchedules in Passes.td.
#include "passes/CpuCostModel.h"
#include "passes/Passes.h"
#include "passes/ScheduleFile.h"

namespace bambac {
#define GEN_PASS_DEF_SELECTSCHEDULES
#include "passes/Passes.h.inc"

namespace {

/// A schedule that code generation can follow. An overriding file may ask for one that it cannot.
LogicalResult checkSchedule(func::FuncOp kernel, CpuScheduleAttr schedule, TargetAttr target) {
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
    int64_t tokens = cast<ShapedType>(scan.getX().getType()).getDimSize(0) /
                     cast<ShapedType>(scan.getSlots().getType()).getDimSize(0);
    if (schedule.getChunk() <= 0 || tokens % schedule.getChunk() != 0)
      return kernel.emitError() << "schedule: expected a chunk that divides " << tokens << " tokens, found "
                                << schedule.getChunk();
  }
  return success();
}

struct SelectSchedules : impl::SelectSchedulesBase<SelectSchedules> {
  using impl::SelectSchedulesBase<SelectSchedules>::SelectSchedulesBase;

  void runOnOperation() override {
    auto target = getOperation()->getAttrOfType<TargetAttr>(attr::kTarget);
    if (!target || target.getDevice() != Device::Cpu)
      return;
    ScheduleFile overrides;
    if (!file.empty()) {
      llvm::Expected<ScheduleFile> read = ScheduleFile::read(file);
      if (!read) {
        emitError(UnknownLoc::get(&getContext())) << llvm::toString(read.takeError());
        return signalPassFailure();
      }
      overrides = std::move(*read);
    }
    for (auto kernel : getOperation().getOps<func::FuncOp>()) {
      if (!kernel->hasAttr(attr::kKernel))
        continue;
      CpuScheduleAttr schedule = overrides.apply(kernel.getSymName(), chooseCpuSchedule(kernel, target));
      if (failed(checkSchedule(kernel, schedule, target)))
        return signalPassFailure();
      kernel->setAttr(attr::kSchedule, schedule);
    }
  }
};

} // namespace
} // namespace bambac
