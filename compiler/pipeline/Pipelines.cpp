// The order of the passes, and why it is this order.
#include "compiler/pipeline/Pipelines.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"
#include "passes/Passes.h"

using namespace mlir;

namespace bambac {

void buildFusionPipeline(OpPassManager &pm) {
  // Folds what a configuration switches off (a rotation of no dimensions) before fusion looks for patterns.
  pm.addNestedPass<func::FuncOp>(createCanonicalizerPass());
  // A gate and a norm that are still one op could join no other kernel.
  pm.addNestedPass<func::FuncOp>(createDecomposeGatedNorms());
  // While each projection still has a weight of its own.
  pm.addPass(createInterleaveRotaryPairs());
  // Siblings first: once a linear is inside a dispatch, its neighbours no longer see it.
  pm.addPass(createFuseSiblingLinears());
  // Linears that were merged share what is split.
  pm.addNestedPass<func::FuncOp>(createSplitInputs());
  pm.addNestedPass<func::FuncOp>(createFormDispatches());
  pm.addNestedPass<func::FuncOp>(createBoundRows());
  // Equal slices inside dispatches must be one for equal kernels to look equal.
  pm.addNestedPass<func::FuncOp>(createCSEPass());
  pm.addPass(createOutlineKernels());
}

void buildSchedulePipeline(OpPassManager &pm, const ScheduleOptions &options, ScheduleFile *overrides) {
  // The layout of weights is part of a kernel's type, and schedules depend on it.
  pm.addPass(createPackWeights());
  // Weights that were stacked or packed are left without a reader; the library must not load them.
  pm.addNestedPass<func::FuncOp>(createCSEPass());
  pm.addPass(createSymbolDCEPass());
  pm.addPass(overrides ? createSelectSchedules(overrides)
                       : createSelectSchedules(SelectSchedulesOptions{options.schedule.getValue()}));
  pm.addPass(createEstimateCosts());
  // Last: from here on the set of buffers is fixed.
  pm.addNestedPass<func::FuncOp>(createPlanMemory());
}

void registerBambaPipelines() {
  PassPipelineRegistration<>("bamba-fusion-pipeline", "model -> fused: kernels and their launches",
                             [](OpPassManager &pm) { buildFusionPipeline(pm); });
  PassPipelineRegistration<ScheduleOptions>(
      "bamba-schedule-pipeline", "fused -> scheduled: layouts, schedules, costs and the memory plan",
      [](OpPassManager &pm, const ScheduleOptions &options) { buildSchedulePipeline(pm, options); });
}

} // namespace bambac
