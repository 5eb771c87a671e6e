// Each kernel in a module of its own, compiled on a thread of its own.
#include "codegen/cpu/CpuCodegen.h"
#include "codegen/cpu/ObjectEmitter.h"
#include "codegen/cpu/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/ThreadPool.h"
#include "llvm/Support/raw_ostream.h"
#include <atomic>

namespace bambac::codegen {
namespace {

/// A module with the target of `source` and only the kernels among `kernels`.
OwningOpRef<ModuleOp> extract(ModuleOp source, ArrayRef<func::FuncOp> kernels) {
  OwningOpRef<ModuleOp> module = ModuleOp::create(source.getLoc());
  if (Attribute target = source->getAttr(attr::kTarget))
    (*module)->setAttr(attr::kTarget, target);
  for (func::FuncOp kernel : kernels) {
    func::FuncOp copy = kernel.clone();
    copy.setPrivate(); // nobody calls it, so its results may go
    module->push_back(copy);
  }
  return module;
}

SmallVector<func::FuncOp> getKernels(ModuleOp module) {
  return llvm::filter_to_vector(module.getOps<func::FuncOp>(),
                                [](func::FuncOp function) { return function->hasAttr(attr::kKernel); });
}

/// Compiles one kernel after the other; one a thread.
class KernelCompiler {
public:
  KernelCompiler(CpuTargetAttr target, const CpuCodegenOptions &options) : target(target), options(options) {}

  LogicalResult compile(ModuleOp module, CpuKernel &result) {
    Location loc = module.getLoc();
    PassManager toLoops(module.getContext()), toLlvm(module.getContext());
    buildCpuLoopsPipeline(toLoops);
    buildCpuLlvmPipeline(toLlvm);
    if (failed(toLoops.run(module)))
      return failure();
    if (options.keepText) {
      llvm::raw_string_ostream stream(result.loops);
      module.print(stream);
    }
    if (failed(toLlvm.run(module)))
      return failure();
    for (auto function : module.getOps<LLVM::LLVMFuncOp>())
      if (function->hasAttr(attr::kKernel)) {
        result.name = function.getSymName();
        result.workgroups = function->getAttrOfType<IntegerAttr>(attr::kWorkgroups).getInt();
        result.scratchBytes = function->getAttrOfType<IntegerAttr>(attr::kScratchBytes).getInt();
      }
    std::string cpu = options.cpu.empty() ? target.getArch().str() : options.cpu;
    std::string features = options.features.empty() ? target.getFeatures().str() : options.features;
    FailureOr<ObjectEmitter> emitter =
        ObjectEmitter::create(loc, cpu, features, target.getVectorBits(), options.optLevel);
    if (failed(emitter))
      return failure();
    llvm::LLVMContext context;
    std::unique_ptr<llvm::Module> translated = emitter->translate(module, context);
    if (!translated)
      return failure();
    if (options.keepText) {
      llvm::raw_string_ostream stream(result.llvmIr);
      translated->print(stream, nullptr);
    }
    FailureOr<std::string> object = emitter->emitObject(loc, *translated);
    if (failed(object))
      return failure();
    result.object = std::move(*object);
    return success();
  }

private:
  CpuTargetAttr target;
  const CpuCodegenOptions &options;
};

} // namespace

FailureOr<std::vector<CpuKernel>> compileCpuKernels(ModuleOp scheduled, const CpuCodegenOptions &options) {
  auto target = scheduled->getAttrOfType<CpuTargetAttr>(attr::kTarget);
  if (!target)
    return scheduled.emitError() << "expected a #bamba.cpu_target as '" << attr::kTarget << "' of the module";
  SmallVector<func::FuncOp> kernels = getKernels(scheduled);
  std::vector<OwningOpRef<ModuleOp>> modules;
  for (func::FuncOp kernel : kernels)
    modules.push_back(extract(scheduled, kernel));

  // Dialects must not be loaded by several threads at a time.
  PassManager all(scheduled.getContext());
  buildCpuLoopsPipeline(all);
  buildCpuLlvmPipeline(all);
  DialectRegistry registry;
  all.getDependentDialects(registry);
  scheduled.getContext()->appendDialectRegistry(registry);
  for (StringRef name : registry.getDialectNames())
    scheduled.getContext()->getOrLoadDialect(name);

  std::vector<CpuKernel> results(kernels.size());
  std::atomic<bool> isFailed = false;
  auto compileOne = [&](size_t number) {
    if (!isFailed && failed(KernelCompiler(target, options).compile(*modules[number], results[number])))
      isFailed = true;
    modules[number] = nullptr;
  };
  if (options.threads == 1 || !scheduled.getContext()->isMultithreadingEnabled()) {
    for (size_t number = 0; number < kernels.size(); ++number)
      compileOne(number);
  } else {
    llvm::DefaultThreadPool pool(llvm::hardware_concurrency(options.threads));
    for (size_t number = 0; number < kernels.size(); ++number)
      pool.async([&compileOne, number] { compileOne(number); });
    pool.wait();
  }
  if (isFailed)
    return failure();
  return results;
}

} // namespace bambac::codegen
