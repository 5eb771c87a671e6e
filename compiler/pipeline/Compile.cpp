// Compiles each target of a library, and links what came out of them.
#include "compiler/pipeline/Compile.h"
#include "codegen/cpu/Passes.h"
#include "codegen/link/Link.h"
#include "codegen/plan/EmitTables.h"
#include "compiler/models/Families.h"
#include "compiler/pipeline/FusionReport.h"
#include "compiler/pipeline/OutputFile.h"
#include "compiler/pipeline/TargetCompiler.h"
#include "compiler/targets/Targets.h"
#include "passes/schedule/ScheduleFile.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/ThreadPool.h"

using namespace mlir;

namespace bambac {

namespace {
/// One compilation: the context, its targets and where the output shall go.
class Compilation {
public:
  Compilation(const CompileOptions &options, WarningHandler warn, WarningHandler note);
  llvm::Error run();

private:
  llvm::Error checkTargets() const;
  llvm::Error readSchedules();
  void noteRotation(const ModelDescription &model);
  llvm::Error prepareOutputs() const;
  std::string dumpFolder(StringRef target) const;
  bool writesSourceFiles() const;
  llvm::Error writeText();
  llvm::Error writeLibrary();
  std::string describeFlags() const;

  const CompileOptions &options;
  WarningHandler warn, note;
  std::optional<llvm::StdThreadPool> pool;
  FusionReport fusionReport;
  MLIRContext context;
  DefaultTimingManager timingManager;
  TimingScope timing;
  std::optional<ScheduleFile> schedules;
  std::vector<std::unique_ptr<TargetCompiler>> targets;
};
} // namespace

static DialectRegistry makeRegistry() {
  DialectRegistry registry;
  registry.insert<BambaDialect>();
  codegen::registerCpuCodegenInterfaces(registry);
  registerTargets(registry);
  return registry;
}

Compilation::Compilation(const CompileOptions &options, WarningHandler warn, WarningHandler note)
    : options(options), warn(warn), note(note), context(makeRegistry(), MLIRContext::Threading::DISABLED) {
  // Remarks of several threads would come in any order.
  if (options.threads != 1 && !options.explainFusion) {
    pool.emplace(llvm::hardware_concurrency(options.threads));
    context.setThreadPool(*pool);
  }
  if (options.explainFusion)
    fusionReport.listen(context);
  applyDefaultTimingManagerCLOptions(timingManager);
  timing = timingManager.getRootScope();
}

llvm::Error Compilation::checkTargets() const {
  for (auto [index, target] : llvm::enumerate(options.targets))
    if (!target.empty() && llvm::is_contained(ArrayRef(options.targets).take_front(index), target))
      return llvm::createStringError("option '--target': expected each target once, found '" + target + "' twice");
  return llvm::Error::success();
}

llvm::Error Compilation::readSchedules() {
  if (options.scheduleFile.empty())
    return llvm::Error::success();
  llvm::Expected<ScheduleFile> file = ScheduleFile::read(options.scheduleFile);
  if (!file)
    return file.takeError();
  schedules = std::move(*file);
  return llvm::Error::success();
}

/// A model whose rotation depends on the length of a sequence has one of its rotations in a library.
void Compilation::noteRotation(const ModelDescription &model) {
  int64_t context = targets.front()->getLimits().getMaxContext();
  if (const Rotary *rotary = model.findLongRotary(context))
    note(("the long factors of longrope are taken for all positions, since a context of " + Twine(context) +
          " tokens exceeds original_max_position_embeddings = " + Twine(rotary->shortContext) +
          "; a smaller --max-context takes the short ones")
             .str());
}

/// The folder of one target's dumps: with several targets each has its own.
std::string Compilation::dumpFolder(StringRef target) const {
  if (options.dumpFolder.empty() || options.targets.size() == 1)
    return options.dumpFolder;
  SmallString<128> folder(options.dumpFolder);
  llvm::sys::path::append(folder, target);
  return std::string(folder);
}

/// True where the kernels go to a folder: there each kernel has files of its own, on every target.
bool Compilation::writesSourceFiles() const {
  return options.compileTo == Phase::Kernels &&
         (StringRef(options.output).ends_with("/") || llvm::sys::fs::is_directory(options.output));
}

/// An output that cannot be written is found before the work is done, not after.
llvm::Error Compilation::prepareOutputs() const {
  if (!options.dumpFolder.empty())
    for (const std::string &target : options.targets)
      if (std::error_code code = llvm::sys::fs::create_directories(dumpFolder(target)))
        return llvm::createStringError("cannot create " + dumpFolder(target) + ": " + code.message());
  if (options.output != "-" && !writesSourceFiles())
    if (llvm::Expected<OutputFile> probe = OutputFile::create(options.output); !probe)
      return probe.takeError();
  return llvm::Error::success();
}

llvm::Error Compilation::writeText() {
  if (writesSourceFiles()) {
    for (auto [name, target] : llvm::zip(options.targets, targets)) {
      SmallString<128> folder(options.output);
      if (targets.size() > 1)
        llvm::sys::path::append(folder, name);
      if (llvm::Error error = target->writeKernels(folder))
        return error;
    }
    return llvm::Error::success();
  }
  return writeOutput(options.output, [&](raw_ostream &stream) {
    for (auto [name, target] : llvm::zip(options.targets, targets)) {
      if (targets.size() > 1)
        stream << "// ==== target " << name << "\n";
      target->print(stream, options.compileTo);
    }
  });
}

std::string Compilation::describeFlags() const {
  LimitsAttr limits = targets.front()->getLimits();
  std::string flags;
  llvm::raw_string_ostream stream(flags);
  stream << "--target=" << llvm::join(options.targets, ",") << " --cpu=" << options.cpu << " --dtype="
         << (options.quantization.fp8 ? "fp8" : StringRef(contract::describe(options.limits.weightType).name))
         << " --state-dtype=" << StringRef(contract::describe(options.limits.stateType).name)
         << (options.quantization.fp8Cache ? " --kv-dtype=fp8" : "")
         << (options.limits.accumulatesFast ? " --fp8-accumulate=fast" : "") << " --max-batch=" << limits.getMaxBatch()
         << " --max-context=" << limits.getMaxContext() << " --prefill-chunk=" << limits.getPrefillChunk();
  // By itself the target chooses the same again.
  if (options.limits.stateRing)
    stream << " --state-ring=" << (*options.limits.stateRing > 1 ? Twine(*options.limits.stateRing) : Twine("off"));
  if (!options.quantization.fp8Layers.empty())
    stream << " --fp8-layers=" << llvm::join(options.quantization.fp8Layers, ",");
  if (!options.quantization.bf16Layers.empty())
    stream << " --bf16-layers=" << llvm::join(options.quantization.bf16Layers, ",");
  if (options.quantization.fp8Head)
    stream << " --lm-head=" << (*options.quantization.fp8Head ? "fp8" : "bf16");
  if (!options.symbolPrefix.empty())
    stream << " --symbol-prefix=" << options.symbolPrefix;
  if (schedules)
    stream << " --schedule=" << schedules->getPath() << ' ' << schedules->getText();
  return flags;
}

llvm::Error Compilation::writeLibrary() {
  TimingScope scope = timing.nest("library");
  std::vector<codegen::Plan> plans;
  codegen::LinkOptions link;
  for (auto &target : targets) {
    llvm::Expected<codegen::Plan> plan = target->takePlan();
    if (!plan)
      return plan.takeError();
    plans.push_back(std::move(*plan));
    llvm::move(target->takeObjects(), std::back_inserter(link.objects));
  }
  llvm::Expected<SmallVector<char, 0>> tables = codegen::emitTables(plans, {options.version, describeFlags()});
  if (!tables)
    return tables.takeError();
  link.objects.push_back(std::move(*tables));
  link.runtimeDir = options.runtimeFolder;
  link.soname = llvm::sys::path::filename(options.output).str();
  link.symbolPrefix = options.symbolPrefix;
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
  if (llvm::Error error = checkTargets())
    return error;
  context.loadDialect<BambaDialect>();
  llvm::Expected<ModelDescription> model = loadModel(options.config, options.quantization, warn);
  if (!model)
    return model.takeError();
  if (llvm::Error error = readSchedules())
    return error;
  if (llvm::Error error = prepareOutputs())
    return error;
  for (const std::string &name : options.targets) {
    targets.push_back(std::make_unique<TargetCompiler>(options, name, dumpFolder(name),
                                                       schedules ? &*schedules : nullptr, context, warn, timing));
    // Kernels are compiled once all schedules are known to be right, which is quick to find out.
    if (llvm::Error error = targets.back()->run(*model, std::min(options.compileTo, Phase::Scheduled)))
      return error;
    if (targets.size() == 1)
      noteRotation(*model);
    if (options.explainFusion && options.targets.size() > 1)
      llvm::errs() << "==== target " << name << '\n';
    fusionReport.print(llvm::errs());
  }
  if (schedules && options.compileTo >= Phase::Scheduled)
    if (llvm::Error error = schedules->checkAllUsed(options.targets))
      return error;
  if (options.compileTo >= Phase::Kernels)
    for (auto &target : targets)
      if (llvm::Error error = target->toKernels())
        return error;
  return options.compileTo == Phase::Library ? writeLibrary() : writeText();
}

llvm::Error compileModel(const CompileOptions &options, WarningHandler warn, WarningHandler note) {
  return Compilation(options, warn, note).run();
}

} // namespace bambac
