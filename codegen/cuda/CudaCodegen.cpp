// Prints each kernel by its main op, and compiles the texts on a pool of threads.
#include "codegen/cuda/CudaCodegen.h"
#include "codegen/cuda/emit/Ops.h"
#include "codegen/cuda/emit/PackKernels.h"
#include "codegen/cuda/nvrtc/Cubin.h"
#include "codegen/cuda/nvrtc/DeviceHeaders.h"
#include "codegen/cuda/nvrtc/Nvrtc.h"
#include "dialects/bamba/Kernel.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/ThreadPool.h"
#include <numeric>

namespace bambac::codegen {

static FailureOr<KernelText> emitKernel(KernelWriter &writer, Operation *main) {
  return llvm::TypeSwitch<Operation *, FailureOr<KernelText>>(main)
      .Case<LinearOp>([&](auto op) { return emitLinear(writer, op); })
      .Case<SsmStepOp>([&](auto op) { return emitSsmStep(writer, op); })
      .Case<SsmFoldOp>([&](auto op) { return emitSsmFold(writer, op); })
      .Case<SsmScanOp>([&](auto op) { return emitSsmScan(writer, op); })
      .Case<CausalConv1dOp>([&](auto op) { return emitConvolution(writer, op); })
      .Case<AttentionOp>([&](auto op) { return emitAttention(writer, op); })
      .Case<KvAppendOp>([&](auto op) { return emitKvAppend(writer, op); })
      .Case<RmsNormOp>([&](auto op) { return emitNorm(writer, op); })
      .Case<QuantizeOp>([&](auto op) { return emitQuantize(writer, op); })
      .Case<EmbeddingOp>([&](auto op) { return emitEmbedding(writer, op); })
      .Case<TakeRowsOp>([&](auto op) { return emitTakeRows(writer, op); })
      .Case<ArgmaxOp>([&](auto op) { return emitArgmax(writer, op); })
      .Case<SampleOp>([&](auto op) { return emitSample(writer, op); })
      .Case<RopeOp>([&](auto op) { return emitRope(writer, op); })
      .Default([&](Operation *op) { return emitElementwise(writer, op); });
}

/// The source of one kernel with the schedule that it has now.
static FailureOr<CudaSource> emitSource(func::FuncOp kernel, CudaTargetAttr target) {
  FailureOr<CudaScheduleAttr> schedule = getSchedule<CudaScheduleAttr>(kernel);
  if (failed(schedule) || failed(checkTensors(kernel)))
    return failure();
  KernelWriter writer(kernel, target, *schedule);
  FailureOr<KernelText> text = emitKernel(writer, getMainOp(kernel.front()));
  if (failed(text))
    return failure();
  return CudaSource{kernel.getSymName().str(), std::move(*text), kernel.getLoc(), writer.getParams().vec()};
}

FailureOr<std::vector<CudaSource>> emitCudaKernels(ModuleOp scheduled) {
  auto target = scheduled->getAttrOfType<CudaTargetAttr>(attr::kTarget);
  if (!target)
    return scheduled.emitError() << "expected a #bamba.cuda_target as '" << attr::kTarget << "' of the module";
  std::vector<CudaSource> sources;
  for (auto kernel : scheduled.getOps<func::FuncOp>()) {
    if (!kernel->hasAttr(attr::kKernel))
      continue;
    FailureOr<CudaSource> source = emitSource(kernel, target);
    if (failed(source))
      return failure();
    sources.push_back(std::move(*source));
  }
  for (PackKernel &kernel : emitPackKernels(scheduled, target))
    sources.push_back(
        {std::move(kernel.name), std::move(kernel.text), kernel.loc, {{KernelParam::Kind::Piece, 0, {}}}});
  return sources;
}

namespace {

/// Compiles sources, and those whose schedules spill registers again with their fallbacks, round by round.
class CudaCompiler {
public:
  CudaCompiler(const Nvrtc &nvrtc, ModuleOp module, std::vector<CudaSource> &sources)
      : nvrtc(nvrtc), module(module), target(module->getAttrOfType<CudaTargetAttr>(attr::kTarget)), sources(sources),
        codes(sources.size()), errors(sources.size()) {}

  FailureOr<std::vector<KernelCode>> run(unsigned threads) {
    std::vector<size_t> round(sources.size());
    std::iota(round.begin(), round.end(), 0);
    while (!round.empty()) {
      llvm::DefaultThreadPool pool(llvm::hardware_concurrency(threads));
      std::vector<size_t> first = findFirst(round);
      for (auto [number, same] : llvm::zip(round, first))
        if (number == same)
          pool.async([&, number] { compile(number, unitOf(number, round, first)); });
      pool.wait();
      for (auto [number, same] : llvm::zip(round, first))
        share(number, same);
      llvm::erase_if(round, [&](size_t number) { return !spills(number) || !fallBack(number); });
    }
    for (size_t number = 0; number < sources.size(); ++number)
      warnOfSpills(number);
    for (auto kernel : module.getOps<func::FuncOp>())
      kernel->removeAttr(attr::kFallbacks);
    const ptrdiff_t failed = llvm::count_if(errors, [](const std::string &error) { return !error.empty(); });
    if (failed == 0)
      return std::move(codes);
    return reportFirst(failed);
  }

private:
  /// Of kernels that `failed`. What the first cannot do, the others mostly cannot either, such as an architecture.
  LogicalResult reportFirst(ptrdiff_t failed) {
    size_t first = llvm::find_if(errors, [](const std::string &error) { return !error.empty(); }) - errors.begin();
    InFlightDiagnostic diagnostic = emitError(sources[first].loc);
    diagnostic << "kernel '" << sources[first].name << "': " << errors[first];
    if (failed > 1)
      diagnostic << "; " << failed - 1 << " more failed";
    return diagnostic;
  }

  /// For each source of a round the first that has the same kernel under another name.
  std::vector<size_t> findFirst(ArrayRef<size_t> round) const {
    llvm::StringMap<size_t> known;
    std::vector<size_t> first;
    for (size_t number : round) {
      std::string text;
      StringRef rest = sources[number].text.kernel, name = sources[number].name;
      for (size_t at = rest.find(name); at != StringRef::npos; at = rest.find(name)) {
        text += (rest.take_front(at) + "kernel").str();
        rest = rest.drop_front(at + name.size());
      }
      first.push_back(known.try_emplace(text + rest.str(), number).first->second);
    }
    return first;
  }

  /// A source, and how all those of the round are launched that have the same kernel.
  std::string unitOf(size_t number, ArrayRef<size_t> round, ArrayRef<size_t> first) const {
    std::string unit = sources[number].unit();
    for (auto [other, same] : llvm::zip(round, first))
      if (same == number && other != number)
        unit += "\n" + sources[other].text.launch;
    return unit;
  }

  /// Called by several threads at a time: touches no IR, and keeps the error for later.
  void compile(size_t number, const std::string &unit) {
    const CudaSource &source = sources[number];
    llvm::Expected<NvrtcResult> result =
        nvrtc.compile(source.name, unit, target.getArch().getValue(), getDeviceHeaders());
    if (!result) {
      errors[number] = llvm::toString(result.takeError());
      return;
    }
    KernelCode &code = codes[number] = KernelCode();
    code.name = source.name;
    code.cuda.emplace();
    code.cuda->cubin = std::move(result->cubin);
    code.cuda->symbol = source.name;
    if (llvm::Error error = readResources(result->log, *code.cuda))
      errors[number] = llvm::toString(std::move(error));
  }

  /// Gives a kernel the code of the first with the same source, and the launch and parameters that it has itself.
  void share(size_t number, size_t same) {
    if (number != same) {
      codes[number] = codes[same];
      codes[number].name = sources[number].name;
      errors[number] = errors[same];
    }
    if (!errors[number].empty())
      return;
    CudaCode &code = *codes[number].cuda;
    code.params.clear();
    llvm::Error error = readLaunch(sources[number].name, sources[number].params, code);
    errors[number] = error ? llvm::toString(std::move(error)) : checkShared(code);
  }

  bool spills(size_t number) const {
    return errors[number].empty() && codes[number].cuda && codes[number].cuda->spillBytes;
  }

  /// Gives a kernel the next of its fallbacks; false where none is left.
  bool fallBack(size_t number) {
    auto kernel = module.lookupSymbol<func::FuncOp>(sources[number].name);
    auto fallbacks = kernel ? kernel->getAttrOfType<ArrayAttr>(attr::kFallbacks) : ArrayAttr();
    if (!fallbacks || fallbacks.empty())
      return false;
    kernel->setAttr(attr::kSchedule, fallbacks[0]);
    kernel->setAttr(attr::kFallbacks, ArrayAttr::get(module.getContext(), fallbacks.getValue().drop_front()));
    FailureOr<CudaSource> source = emitSource(kernel, target);
    if (failed(source)) {
      errors[number] = "expected a fallback that can be printed";
      return false;
    }
    sources[number] = std::move(*source);
    return true;
  }

  /// A kernel that spills with every schedule, or with the one that a file asks for, is right, but slow.
  void warnOfSpills(size_t number) {
    if (!spills(number))
      return;
    InFlightDiagnostic warning = emitWarning(sources[number].loc);
    warning << "kernel '" << sources[number].name << "': expected values that fit into registers of "
            << target.getArch().getValue() << ", found " << codes[number].cuda->spillBytes
            << " bytes spilled, which takes time";
    if (auto kernel = module.lookupSymbol<func::FuncOp>(sources[number].name))
      warning << "; its sizes come from the configuration's " << getConfigFields(getMainOp(kernel.front()));
  }

  /// The geometry of a schedule is checked before; this finds what a collective without a schedule asks for.
  std::string checkShared(const CudaCode &code) const {
    uint64_t shared = code.launch.shared_bytes + code.staticSharedBytes, limit = target.getSharedBytes();
    if (shared <= limit)
      return {};
    return ("schedule: expected at most " + Twine(limit) + " bytes of shared memory on " + target.getArch().getValue() +
            ", found " + Twine(shared))
        .str();
  }

  const Nvrtc &nvrtc;
  ModuleOp module;
  CudaTargetAttr target;
  std::vector<CudaSource> &sources;
  std::vector<KernelCode> codes;
  std::vector<std::string> errors; ///< of each source, empty where there is none
};

} // namespace

FailureOr<std::vector<KernelCode>> compileCudaKernels(ModuleOp scheduled, std::vector<CudaSource> &sources,
                                                      const CudaCodegenOptions &options) {
  llvm::Expected<Nvrtc> nvrtc = Nvrtc::open(options.nvrtc);
  if (!nvrtc)
    return scheduled.emitError() << llvm::toString(nvrtc.takeError());
  return CudaCompiler(*nvrtc, scheduled, sources).run(options.threads);
}

} // namespace bambac::codegen
