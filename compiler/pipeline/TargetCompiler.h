// One target of a compilation: its module from the model to its kernels, and its plan.
#ifndef BAMBAC_COMPILER_PIPELINE_TARGETCOMPILER_H
#define BAMBAC_COMPILER_PIPELINE_TARGETCOMPILER_H

#include "codegen/plan/Plan.h"
#include "compiler/models/ModelDescription.h"
#include "compiler/pipeline/Backend.h"
#include "compiler/pipeline/Compile.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Support/Timing.h"

namespace bambac {

class ScheduleFile;

/// Brings one target's module from phase to phase. The module of the phase `scheduled` stays as it is from there on.
class TargetCompiler {
public:
  /// `name` is "cpu" or a CUDA architecture. Dumps go to `dumpFolder`, none where it is empty. `schedules` are
  /// overrides that all targets share, null where there are none.
  TargetCompiler(const CompileOptions &options, StringRef name, std::string dumpFolder, ScheduleFile *schedules,
                 mlir::MLIRContext &context, WarningHandler warn, mlir::TimingScope &timing)
      : options(options), name(name.str()), dumpFolder(std::move(dumpFolder)), schedules(schedules), context(context),
        warn(warn), timing(timing) {}

  /// Runs the phases up to `last`, at most `scheduled`.
  llvm::Error run(const ModelDescription &description, Phase last);
  /// Runs the phase `kernels`, after `scheduled`.
  llvm::Error toKernels();

  /// The module of a phase before `kernels`, the kernels' LLVM IR or CUDA C++ of that one.
  void print(raw_ostream &stream, Phase phase) const;

  /// Writes each kernel to files of its own, in a folder that is made where it is not there: NAME.cu, or for the
  /// processor NAME.mlir (loops over memory) and NAME.ll.
  llvm::Error writeKernels(StringRef folder) const;

  /// After the phase `kernels`, once each: the plan, which gets the kernels' code, and the objects that the library is
  /// linked from.
  llvm::Expected<codegen::Plan> takePlan();
  std::vector<SmallVector<char, 0>> takeObjects() { return backend->takeObjects(); }

  /// The limits that were resolved for the target, for the library's note of how it was made.
  LimitsAttr getLimits() const { return cast<LimitsAttr>((*module)->getAttr(attr::kLimits)); }

private:
  llvm::Error checkOptions(TargetInterface target);
  llvm::Error toModel(const ModelDescription &description);
  llvm::Error toFused();
  llvm::Error toScheduled();

  /// Runs passes and dumps what they made.
  llvm::Error runPasses(Phase phase, llvm::function_ref<void(mlir::OpPassManager &)> build);
  llvm::Error dump(Phase phase, StringRef extension, llvm::function_ref<void(raw_ostream &)> print);
  llvm::Error dumpModule(Phase phase);

  const CompileOptions &options;
  std::string name, dumpFolder;
  ScheduleFile *schedules;
  mlir::MLIRContext &context;
  WarningHandler warn;
  mlir::TimingScope &timing;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::unique_ptr<Backend> backend;
  std::vector<codegen::KernelCode> code;
};

} // namespace bambac

#endif // BAMBAC_COMPILER_PIPELINE_TARGETCOMPILER_H
