// See TargetCompiler.h.
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

/// The LLVM IR of a kernel, after a line that says how often it runs.
static std::string describe(const codegen::CpuKernel &kernel) {
  return ("; ---- " + kernel.name + ": " + Twine(kernel.workgroups) + " workgroups, " + Twine(kernel.scratchBytes) +
          " bytes of scratch\n" + kernel.llvmIr)
      .str();
}

void TargetCompiler::print(raw_ostream &stream, Phase phase) const {
  if (phase < Phase::Kernels) {
    ModuleOp(module.get()).print(stream);
    stream << '\n';
  }
  if (phase != Phase::Kernels)
    return;
  for (const codegen::CpuKernel &kernel : cpuKernels)
    stream << describe(kernel) << '\n';
  for (const codegen::CudaSource &source : sources)
    stream << "//--- " << source.name << ".cu\n" << source.text << '\n';
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
/// was asked for are a warning, since another target of the library may keep them so.
llvm::Error TargetCompiler::checkTypes(TargetInterface target) {
  DiagnosticCollector diagnostics(&context, warn);
  Type matrix = toMlirType(&context, options.limits.weightType), state = toMlirType(&context, options.limits.stateType);
  auto atOption = [&] { return emitError(UnknownLoc::get(&context)) << "option '--dtype': "; };
  if (failed(target.verifyMatrixType(matrix, atOption)))
    return diagnostics.takeError("cannot compute with the type of option '--dtype'");
  Type kept = target.getElementTypes(matrix, state).ssmState;
  if (kept != state)
    emitWarning(UnknownLoc::get(&context))
        << "option '--state-dtype': the target " << name << " keeps states in " << kept << ", not in " << state;
  return llvm::Error::success();
}

llvm::Error TargetCompiler::toModel(const ModelDescription &description) {
  llvm::Expected<TargetInterface> target = makeTarget(&context, name, {options.cpu, options.multiprocessors});
  if (!target)
    return target.takeError();
  if (llvm::Error error = checkTypes(*target))
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

llvm::Error TargetCompiler::toCpuKernels() {
  DiagnosticCollector diagnostics(&context, warn);
  codegen::CpuCodegenOptions codegenOptions;
  codegenOptions.threads = options.threads;
  codegenOptions.keepText = !dumpFolder.empty() || options.compileTo == Phase::Kernels;
  FailureOr<std::vector<codegen::CpuKernel>> compiled = codegen::compileCpuKernels(*module, codegenOptions);
  if (failed(compiled))
    return diagnostics.takeError("cannot compile the kernels");
  cpuKernels = std::move(*compiled);
  return dumpFolder.empty() ? llvm::Error::success() : writeKernels(dumpPath(dumpFolder, Phase::Kernels, ""));
}

llvm::Error TargetCompiler::toCudaKernels() {
  DiagnosticCollector diagnostics(&context, warn);
  FailureOr<std::vector<codegen::CudaSource>> emitted = codegen::emitCudaKernels(*module);
  if (failed(emitted))
    return diagnostics.takeError("cannot emit the kernels");
  sources = std::move(*emitted);
  if (!dumpFolder.empty())
    if (llvm::Error error = writeKernels(dumpPath(dumpFolder, Phase::Kernels, "")))
      return error;
  // The sources are the phase's result; compiling them belongs to the library.
  if (options.compileTo == Phase::Kernels)
    return llvm::Error::success();
  codegen::CudaCodegenOptions codegenOptions;
  codegenOptions.threads = options.threads;
  codegenOptions.nvrtc = options.nvrtc;
  FailureOr<std::vector<codegen::KernelCode>> compiled = codegen::compileCudaKernels(*module, sources, codegenOptions);
  if (failed(compiled))
    return diagnostics.takeError("cannot compile the kernels");
  cudaKernels = std::move(*compiled);
  return llvm::Error::success();
}

llvm::Error TargetCompiler::toKernels() {
  TimingScope scope = timing.nest("kernels");
  return isCuda() ? toCudaKernels() : toCpuKernels();
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

llvm::Expected<codegen::Plan> TargetCompiler::makePlan() {
  DiagnosticCollector diagnostics(&context, warn);
  std::vector<codegen::KernelCode> code = std::move(cudaKernels);
  for (const codegen::CpuKernel &kernel : cpuKernels)
    code.push_back({kernel.name, kernel.workgroups, kernel.scratchBytes, std::nullopt});
  FailureOr<codegen::Plan> plan = codegen::buildPlan(*module, code);
  if (failed(plan))
    return diagnostics.takeError("cannot plan the library");
  return std::move(*plan);
}

std::vector<SmallVector<char, 0>> TargetCompiler::takeObjects() {
  std::vector<SmallVector<char, 0>> objects;
  objects.reserve(cpuKernels.size());
  for (codegen::CpuKernel &kernel : cpuKernels)
    objects.emplace_back(kernel.object.begin(), kernel.object.end());
  return objects;
}

static llvm::Error writeText(StringRef folder, const Twine &name, StringRef text) {
  SmallString<128> path(folder);
  llvm::sys::path::append(path, name);
  return writeOutput(path, [&](raw_ostream &stream) { stream << text; });
}

llvm::Error TargetCompiler::writeKernels(StringRef folder) const {
  if (std::error_code code = llvm::sys::fs::create_directories(folder))
    return llvm::createStringError("cannot create " + folder + ": " + code.message());
  for (const codegen::CudaSource &source : sources)
    if (llvm::Error error = writeText(folder, source.name + ".cu", source.text))
      return error;
  for (const codegen::CpuKernel &kernel : cpuKernels) {
    if (llvm::Error error = writeText(folder, kernel.name + ".mlir", kernel.loops))
      return error;
    if (llvm::Error error = writeText(folder, kernel.name + ".ll", describe(kernel)))
      return error;
  }
  return llvm::Error::success();
}

} // namespace bambac
