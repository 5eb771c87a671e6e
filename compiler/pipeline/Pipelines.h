// The passes of each phase, as functions that add them to a pass manager.
#ifndef BAMBAC_COMPILER_PIPELINE_PIPELINES_H
#define BAMBAC_COMPILER_PIPELINE_PIPELINES_H

#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassOptions.h"

namespace bambac {

class ScheduleFile;

struct ScheduleOptions : mlir::PassPipelineOptions<ScheduleOptions> {
  Option<std::string> schedule{*this, "schedule",
                               llvm::cl::desc("JSON file of schedules that override the chosen ones")};
};

/// model -> fused: kernels and their launches.
void buildFusionPipeline(mlir::OpPassManager &pm);

/// fused -> scheduled: the layout of weights, schedules, costs and the memory plan.
/// `overrides` stands for a file that is shared with other targets, in place of the options' one.
void buildSchedulePipeline(mlir::OpPassManager &pm, const ScheduleOptions &options, ScheduleFile *overrides = nullptr);

/// Registers both as --bamba-fusion-pipeline and --bamba-schedule-pipeline.
void registerBambaPipelines();

} // namespace bambac

#endif // BAMBAC_COMPILER_PIPELINE_PIPELINES_H
