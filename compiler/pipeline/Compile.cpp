// Runs the phases one after another, with a dump after each.
#include "compiler/pipeline/Compile.h"
#include "codegen/cpu/CpuCodegen.h"
#include "codegen/cpu/Passes.h"
#include "codegen/link/Link.h"
#include "codegen/plan/EmitTables.h"
#include "codegen/plan/Metadata.h"
#include "compiler/frontend/CpuTarget.h"
#include "compiler/frontend/ModelBuilder.h"
#include "compiler/pipeline/DiagnosticCollector.h"
#include "compiler/pipeline/OutputFile.h"
#include "compiler/pipeline/Pipelines.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Support/Timing.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/ThreadPool.h"

using namespace mlir;

namespace bambac {

using codegen::CpuKernel;

namespace {
/// One compilation: the context, the module in its current phase and where it shall go.
class Compilation {
public:
  Compilation(const CompileOptions &options, WarningHandler warn);
  llvm::Error run();

private:
  using Step = llvm::Error (Compilation::*)();

  // The way to each phase. The module of the phase `scheduled` stays as it is from there on.
  llvm::Error toModel();
  llvm::Error toFused();
  llvm::Error toScheduled();
  llvm::Error toKernels();
  llvm::Error toLibrary();

  llvm::Error runPasses(StringRef phase, llvm::function_ref<void(OpPassManager &)> build);
  bool stopsAt(Phase phase) const { return options.compileTo == phase; }
  bool dumps() const { return !options.dumpFolder.empty(); }
  llvm::Error dump(Phase phase, StringRef extension, llvm::function_ref<void(raw_ostream &)> print);
  /// Writes the dump of a phase whose result is the module, and the output where this phase is the last.
  llvm::Error finishModulePhase(Phase phase);
  llvm::Error dumpLoops();
  void printLlvmIr(raw_ostream &stream) const;
  std::string describeFlags() const;

  const CompileOptions &options;
  WarningHandler warn;
  std::optional<llvm::StdThreadPool> pool;
  MLIRContext context;
  DefaultTimingManager timingManager;
  TimingScope timing;
  OwningOpRef<ModuleOp> module;
  std::vector<CpuKernel> kernels;
};
} // namespace

static DialectRegistry makeRegistry() {
  DialectRegistry registry;
  registry.insert<BambaDialect>();
  codegen::registerCpuCodegenInterfaces(registry);
  return registry;
}

Compilation::Compilation(const CompileOptions &options, WarningHandler warn)
    : options(options), warn(warn), context(makeRegistry(), MLIRContext::Threading::DISABLED) {
  if (options.threads != 1) {
    pool.emplace(llvm::hardware_concurrency(options.threads));
    context.setThreadPool(*pool);
  }
  applyDefaultTimingManagerCLOptions(timingManager);
  timing = timingManager.getRootScope();
}

llvm::Error Compilation::dump(Phase phase, StringRef extension, llvm::function_ref<void(raw_ostream &)> print) {
  if (!dumps())
    return llvm::Error::success();
  SmallString<128> path(options.dumpFolder);
  llvm::sys::path::append(path, "0" + Twine(static_cast<int>(phase) + 1) + "-" + stringifyPhase(phase) + extension);
  return writeOutput(path, print);
}

llvm::Error Compilation::finishModulePhase(Phase phase) {
  auto print = [&](raw_ostream &stream) {
    module->print(stream);
    stream << '\n';
  };
  if (llvm::Error error = dump(phase, ".mlir", print))
    return error;
  return stopsAt(phase) ? writeOutput(options.output, print) : llvm::Error::success();
}

llvm::Error Compilation::runPasses(StringRef phase, llvm::function_ref<void(OpPassManager &)> build) {
  TimingScope scope = timing.nest(phase);
  DiagnosticCollector diagnostics(&context, warn);
  PassManager pm(&context);
  pm.enableVerifier(options.verifyEach);
  pm.enableTiming(scope);
  if (failed(applyPassManagerCLOptions(pm)))
    return diagnostics.takeError("cannot set up the passes of phase '" + phase + "'");
  build(pm);
  if (failed(pm.run(*module)))
    return diagnostics.takeError("cannot compile to phase '" + phase + "'");
  return llvm::Error::success();
}

llvm::Error Compilation::toModel() {
  if (options.target != "cpu")
    return llvm::createStringError("option '--target': expected cpu, found '" + StringRef(options.target) + "'");
  context.loadDialect<BambaDialect>();
  llvm::Expected<TargetAttr> target = makeCpuTarget(&context, options.cpu);
  if (!target)
    return target.takeError();
  llvm::Expected<ModelConfig> config = loadModelConfig(options.config, warn);
  if (!config)
    return config.takeError();
  llvm::Expected<CompileLimits> limits = resolveLimits(options.limits, *config, warn);
  if (!limits)
    return limits.takeError();
  module = buildModelModule(*config, *limits, *target);
  // Without passes this only verifies what was built.
  if (llvm::Error error = runPasses("model", [](OpPassManager &) {}))
    return error;
  return finishModulePhase(Phase::Model);
}

llvm::Error Compilation::toFused() {
  if (llvm::Error error = runPasses("fused", [](OpPassManager &pm) { buildFusionPipeline(pm); }))
    return error;
  return finishModulePhase(Phase::Fused);
}

llvm::Error Compilation::toScheduled() {
  ScheduleOptions schedule;
  schedule.schedule = options.scheduleFile;
  if (llvm::Error error = runPasses("scheduled", [&](OpPassManager &pm) { buildSchedulePipeline(pm, schedule); }))
    return error;
  return finishModulePhase(Phase::Scheduled);
}

void Compilation::printLlvmIr(raw_ostream &stream) const {
  for (const CpuKernel &kernel : kernels)
    stream << "; ---- " << kernel.name << ": " << kernel.workgroups << " workgroups, " << kernel.scratchBytes
           << " bytes of scratch\n"
           << kernel.llvmIr << '\n';
}

llvm::Error Compilation::dumpLoops() {
  if (!dumps())
    return llvm::Error::success();
  FailureOr<OwningOpRef<ModuleOp>> loops = codegen::lowerCpuKernelsToLoops(*module);
  if (failed(loops))
    return llvm::createStringError("cannot lower the kernels to loops");
  return dump(Phase::Kernels, ".mlir", [&](raw_ostream &stream) {
    (*loops)->print(stream);
    stream << '\n';
  });
}

llvm::Error Compilation::toKernels() {
  TimingScope scope = timing.nest("kernels");
  DiagnosticCollector diagnostics(&context, warn);
  codegen::CpuCodegenOptions codegenOptions;
  codegenOptions.threads = options.threads;
  codegenOptions.keepLlvmIr = dumps() || stopsAt(Phase::Kernels);
  FailureOr<std::vector<CpuKernel>> compiled = codegen::compileCpuKernels(*module, codegenOptions);
  if (failed(compiled))
    return diagnostics.takeError("cannot compile the kernels");
  kernels = std::move(*compiled);
  if (llvm::Error error = dumpLoops())
    return error;
  auto print = [&](raw_ostream &stream) { printLlvmIr(stream); };
  if (llvm::Error error = dump(Phase::Kernels, ".ll", print))
    return error;
  return stopsAt(Phase::Kernels) ? writeOutput(options.output, print) : llvm::Error::success();
}

std::string Compilation::describeFlags() const {
  auto limits = cast<LimitsAttr>((*module)->getAttr(attr::kLimits));
  bool halves = options.limits.weightType == WeightType::BF16;
  std::string flags;
  llvm::raw_string_ostream stream(flags);
  stream << "--target=" << options.target << " --cpu=" << options.cpu << " --dtype=" << (halves ? "bf16" : "f32")
         << " --max-batch=" << limits.getMaxBatch() << " --max-context=" << limits.getMaxContext()
         << " --prefill-chunk=" << limits.getPrefillChunk();
  return flags;
}

llvm::Error Compilation::toLibrary() {
  TimingScope scope = timing.nest("library");
  DiagnosticCollector diagnostics(&context, warn);
  std::vector<codegen::KernelCode> code;
  codegen::LinkOptions link;
  for (CpuKernel &kernel : kernels) {
    code.push_back({kernel.name, kernel.workgroups, kernel.scratchBytes});
    link.objects.emplace_back(kernel.object.begin(), kernel.object.end());
  }
  FailureOr<codegen::Plan> plan = codegen::buildPlan(*module, code);
  if (failed(plan))
    return diagnostics.takeError("cannot plan the library");
  llvm::Expected<SmallVector<char, 0>> tables =
      codegen::emitTables(*plan, codegen::makeMetadata(*plan, {options.version, describeFlags()}));
  if (!tables)
    return tables.takeError();
  link.objects.push_back(std::move(*tables));
  link.runtimeDir = options.runtimeFolder;
  link.soname = llvm::sys::path::filename(options.output).str();
  link.threads = options.threads;

  llvm::Expected<OutputFile> output = OutputFile::create(options.output);
  if (!output)
    return output.takeError();
  link.output = output->temporaryPath().str();
  if (llvm::Error error = codegen::linkLibrary(link))
    return error;
  return output->keep();
}

llvm::Error Compilation::run() {
  if (dumps())
    if (std::error_code code = llvm::sys::fs::create_directories(options.dumpFolder))
      return llvm::createStringError("cannot create " + options.dumpFolder + ": " + code.message());
  // An output that cannot be written is found before the work is done, not after.
  if (options.output != "-")
    if (llvm::Expected<OutputFile> probe = OutputFile::create(options.output); !probe)
      return probe.takeError();
  constexpr Step steps[] = {&Compilation::toModel, &Compilation::toFused, &Compilation::toScheduled,
                            &Compilation::toKernels, &Compilation::toLibrary};
  for (auto [phase, step] : llvm::zip(kPhases, steps)) {
    if (llvm::Error error = (this->*step)())
      return error;
    if (stopsAt(phase))
      break;
  }
  return llvm::Error::success();
}

llvm::Error compileModel(const CompileOptions &options, WarningHandler warn) {
  return Compilation(options, warn).run();
}

} // namespace bambac
