// See CudaCodegen.h.
#include "codegen/cuda/CudaCodegen.h"
#include "codegen/cuda/emit/Ops.h"
#include "codegen/cuda/emit/PackKernels.h"
#include "codegen/cuda/nvrtc/Cubin.h"
#include "codegen/cuda/nvrtc/DeviceHeaders.h"
#include "codegen/cuda/nvrtc/Nvrtc.h"
#include "dialects/bamba/Kernel.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/ThreadPool.h"

namespace bambac::codegen {

static FailureOr<std::string> emitKernel(KernelWriter &writer, Operation *main) {
  return llvm::TypeSwitch<Operation *, FailureOr<std::string>>(main)
      .Case<LinearOp>([&](auto op) { return emitLinear(writer, op); })
      .Case<SsmStepOp>([&](auto op) { return emitSsmStep(writer, op); })
      .Case<SsmScanOp>([&](auto op) { return emitSsmScan(writer, op); })
      .Case<CausalConv1dOp>([&](auto op) { return emitConvolution(writer, op); })
      .Case<AttentionOp>([&](auto op) { return emitAttention(writer, op); })
      .Case<KvAppendOp>([&](auto op) { return emitKvAppend(writer, op); })
      .Case<RmsNormOp>([&](auto op) { return emitNorm(writer, op); })
      .Case<EmbeddingOp>([&](auto op) { return emitEmbedding(writer, op); })
      .Case<LastTokenOp>([&](auto op) { return emitLastToken(writer, op); })
      .Case<ArgmaxOp>([&](auto op) { return emitArgmax(writer, op); })
      .Case<RopeOp>([&](auto op) { return emitRope(writer, op); })
      .Default([&](Operation *op) { return emitElementwise(writer, op); });
}

FailureOr<std::vector<CudaSource>> emitCudaKernels(ModuleOp scheduled) {
  auto target = scheduled->getAttrOfType<CudaTargetAttr>(attr::kTarget);
  if (!target)
    return scheduled.emitError() << "expected a #bamba.cuda_target as '" << attr::kTarget << "' of the module";
  std::vector<CudaSource> sources;
  for (auto kernel : scheduled.getOps<func::FuncOp>()) {
    if (!kernel->hasAttr(attr::kKernel))
      continue;
    FailureOr<CudaScheduleAttr> schedule = getSchedule<CudaScheduleAttr>(kernel);
    if (failed(schedule) || failed(checkTensors(kernel)))
      return failure();
    KernelWriter writer(kernel, target, *schedule);
    FailureOr<std::string> text = emitKernel(writer, getMainOp(kernel.front()));
    if (failed(text))
      return failure();
    sources.push_back({kernel.getSymName().str(), std::move(*text), kernel.getLoc(), writer.getParams().vec()});
  }
  for (PackKernel &kernel : emitPackKernels(scheduled, target))
    sources.push_back(
        {std::move(kernel.name), std::move(kernel.text), kernel.loc, {{KernelParam::Kind::Piece, 0, {}}}});
  return sources;
}

namespace {

/// Compiles sources one by one; the errors of all are kept for the caller's thread.
class CudaCompiler {
public:
  CudaCompiler(const Nvrtc &nvrtc, CudaTargetAttr target) : nvrtc(nvrtc), target(target) {}

  llvm::Expected<KernelCode> compile(const CudaSource &source) const {
    llvm::Expected<NvrtcResult> result =
        nvrtc.compile(source.name, source.text, target.getArch().getValue(), getDeviceHeaders());
    if (!result)
      return result.takeError();
    KernelCode code;
    code.name = source.name;
    code.cuda.emplace();
    code.cuda->cubin = std::move(result->cubin);
    if (llvm::Error error = readResources(result->log, *code.cuda))
      return error;
    if (llvm::Error error = readLaunch(source.name, source.params, *code.cuda))
      return error;
    if (llvm::Error error = checkResources(*code.cuda))
      return error;
    return code;
  }

private:
  /// A schedule that spills or does not fit is the compiler's fault, or that of an overriding file.
  llvm::Error checkResources(const CudaCode &code) const {
    if (code.spillBytes)
      return llvm::createStringError("schedule: expected a kernel that keeps its values in registers on " +
                                     target.getArch().getValue() + ", found " + Twine(code.spillBytes) +
                                     " bytes spilled");
    uint64_t shared = code.launch.shared_bytes + code.staticSharedBytes, limit = target.getSharedBytes();
    if (shared > limit)
      return llvm::createStringError("schedule: expected at most " + Twine(limit) + " bytes of shared memory on " +
                                     target.getArch().getValue() + ", found " + Twine(shared));
    return llvm::Error::success();
  }

  const Nvrtc &nvrtc;
  CudaTargetAttr target;
};

} // namespace

FailureOr<std::vector<KernelCode>> compileCudaKernels(ModuleOp scheduled, ArrayRef<CudaSource> sources,
                                                      const CudaCodegenOptions &options) {
  auto target = scheduled->getAttrOfType<CudaTargetAttr>(attr::kTarget);
  llvm::Expected<Nvrtc> nvrtc = Nvrtc::open(options.nvrtc);
  if (!nvrtc)
    return scheduled.emitError() << llvm::toString(nvrtc.takeError());
  CudaCompiler compiler(*nvrtc, target);
  std::vector<KernelCode> codes(sources.size());
  std::vector<std::string> errors(sources.size());
  auto compileOne = [&](size_t number) {
    llvm::Expected<KernelCode> code = compiler.compile(sources[number]);
    if (code)
      codes[number] = std::move(*code);
    else
      errors[number] = llvm::toString(code.takeError());
  };
  llvm::DefaultThreadPool pool(llvm::hardware_concurrency(options.threads));
  for (size_t number = 0; number < sources.size(); ++number)
    pool.async([&compileOne, number] { compileOne(number); });
  pool.wait();
  for (auto [source, error] : llvm::zip(sources, errors))
    if (!error.empty())
      emitError(source.loc) << "kernel '" << source.name << "': " << error;
  if (llvm::any_of(errors, [](const std::string &error) { return !error.empty(); }))
    return failure();
  return codes;
}

} // namespace bambac::codegen
