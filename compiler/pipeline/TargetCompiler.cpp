// Runs the passes of each phase on one target's module; its backend makes the code.
#include "compiler/pipeline/TargetCompiler.h"
#include "compiler/build/ModelBuilder.h"
#include "compiler/pipeline/DiagnosticCollector.h"
#include "compiler/pipeline/OutputFile.h"
#include "compiler/pipeline/Pipelines.h"
#include "compiler/targets/Targets.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace mlir;

namespace bambac {

static std::string dumpPath(StringRef folder, Phase phase, StringRef extension) {
  SmallString<128> path(folder);
  llvm::sys::path::append(path, "0" + Twine(static_cast<int>(phase) + 1) + "-" + stringifyPhase(phase) + extension);
  return std::string(path);
}

llvm::Error TargetCompiler::dump(Phase phase, StringRef extension, llvm::function_ref<void(raw_ostream &)> print) {
  return dumpFolder.empty() ? llvm::Error::success() : writeOutput(dumpPath(dumpFolder, phase, extension), print);
}

llvm::Error TargetCompiler::dumpModule(Phase phase) {
  return dump(phase, ".mlir", [&](raw_ostream &stream) { print(stream, phase); });
}

void TargetCompiler::print(raw_ostream &stream, Phase phase) const {
  if (phase == Phase::Kernels)
    return backend->print(stream);
  ModuleOp(module.get()).print(stream);
  stream << '\n';
}

llvm::Error TargetCompiler::runPasses(Phase phase, llvm::function_ref<void(OpPassManager &)> build) {
  StringRef phaseName = stringifyPhase(phase);
  TimingScope scope = timing.nest(phaseName);
  DiagnosticCollector diagnostics(&context, warn);
  PassManager pm(&context);
  pm.enableVerifier(options.verifyEach);
  pm.enableTiming(scope);
  if (failed(applyPassManagerCLOptions(pm)))
    return diagnostics.takeError("cannot set up the passes of phase '" + phaseName + "'");
  build(pm);
  if (failed(pm.run(*module)))
    return diagnostics.takeError("cannot compile to phase '" + phaseName + "'");
  return dumpModule(phase);
}

/// Matrices of a type that the target does not compute with are an error; states that it keeps in another type than
/// was asked for, or writes more often, are a warning, since another target of the library may do as asked.
llvm::Error TargetCompiler::checkOptions(TargetInterface target) {
  DiagnosticCollector diagnostics(&context, warn);
  Type matrix = toMlirType(&context, options.limits.weightType), state = toMlirType(&context, options.limits.stateType);
  auto atOption = [&] { return emitError(UnknownLoc::get(&context)) << "option '--dtype': "; };
  if (failed(target.verifyMatrixType(matrix, atOption)))
    return diagnostics.takeError("cannot compute with the type of option '--dtype'");
  Type kept = target.getElementTypes(matrix, state).ssmState;
  if (kept != state)
    emitWarning(UnknownLoc::get(&context))
        << "option '--state-dtype': the target " << name << " keeps states in " << kept << ", not in " << state;
  if (options.limits.stateRing.value_or(1) > target.getLongestStateRing())
    emitWarning(UnknownLoc::get(&context))
        << "option '--state-ring': the target " << name << " writes states at least every "
        << target.getLongestStateRing() << " steps, not every " << *options.limits.stateRing;
  return llvm::Error::success();
}

llvm::Error TargetCompiler::toModel(const ModelDescription &description) {
  llvm::Expected<TargetInterface> target = makeTarget(&context, name, {options.cpu, options.multiprocessors});
  if (!target)
    return target.takeError();
  if (llvm::Error error = checkOptions(*target))
    return error;
  CompileLimits wanted = options.limits;
  wanted.pageTokens = target->getPageTokens();
  llvm::Expected<CompileLimits> limits = resolveLimits(wanted, description, warn);
  if (!limits)
    return limits.takeError();
  module = buildModelModule(description, *limits, *target);
  // Without passes this only verifies what was built.
  return runPasses(Phase::Model, [](OpPassManager &) {});
}

llvm::Error TargetCompiler::toFused() {
  return runPasses(Phase::Fused, [](OpPassManager &pm) { buildFusionPipeline(pm); });
}

llvm::Error TargetCompiler::toScheduled() {
  return runPasses(Phase::Scheduled,
                   [&](OpPassManager &pm) { buildSchedulePipeline(pm, ScheduleOptions(), schedules); });
}

llvm::Error TargetCompiler::toKernels() {
  TimingScope scope = timing.nest("kernels");
  DiagnosticCollector diagnostics(&context, warn);
  backend = makeBackend(getTarget(*module), options);
  if (failed(backend->emit(*module)))
    return diagnostics.takeError("cannot emit the kernels");
  if (!dumpFolder.empty())
    if (llvm::Error error = writeKernels(dumpPath(dumpFolder, Phase::Kernels, "")))
      return error;
  // The text is the phase's result; its code belongs to the library.
  if (options.compileTo == Phase::Kernels)
    return llvm::Error::success();
  FailureOr<std::vector<codegen::KernelCode>> compiled = backend->compile(*module);
  if (failed(compiled))
    return diagnostics.takeError("cannot compile the kernels");
  code = std::move(*compiled);
  return llvm::Error::success();
}

llvm::Error TargetCompiler::run(const ModelDescription &description, Phase last) {
  if (llvm::Error error = toModel(description))
    return error;
  static constexpr std::pair<Phase, llvm::Error (TargetCompiler::*)()> steps[] = {
      {Phase::Fused, &TargetCompiler::toFused}, {Phase::Scheduled, &TargetCompiler::toScheduled}};
  for (auto [phase, step] : steps) {
    if (last < phase)
      break;
    if (llvm::Error error = (this->*step)())
      return error;
  }
  return llvm::Error::success();
}

llvm::Expected<codegen::Plan> TargetCompiler::takePlan() {
  DiagnosticCollector diagnostics(&context, warn);
  FailureOr<codegen::Plan> plan = codegen::buildPlan(*module, code);
  code.clear();
  if (failed(plan))
    return diagnostics.takeError("cannot plan the library");
  return std::move(*plan);
}

llvm::Error TargetCompiler::writeKernels(StringRef folder) const {
  if (std::error_code code = llvm::sys::fs::create_directories(folder))
    return llvm::createStringError("cannot create " + folder + ": " + code.message());
  for (const KernelFile &file : backend->getFiles()) {
    SmallString<128> path(folder);
    llvm::sys::path::append(path, file.name);
    if (llvm::Error error = writeOutput(path, [&](raw_ostream &stream) { stream << file.text; }))
      return error;
  }
  return llvm::Error::success();
}

} // namespace bambac
