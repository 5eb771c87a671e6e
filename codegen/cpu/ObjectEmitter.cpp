// Translation to LLVM IR, its optimization and machine code.
#include "codegen/cpu/ObjectEmitter.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/Triple.h"
#include <mutex>

namespace bambac::codegen {

static constexpr const char *kTriple = "x86_64-unknown-linux-gnu";

static void initializeTargets() {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    LLVMInitializeX86AsmParser();
  });
}

ObjectEmitter::ObjectEmitter(std::unique_ptr<llvm::TargetMachine> machine, int64_t vectorBits, unsigned optLevel)
    : machine(std::move(machine)), vectorBits(vectorBits), optLevel(optLevel) {}
ObjectEmitter::ObjectEmitter(ObjectEmitter &&) noexcept = default;
ObjectEmitter::~ObjectEmitter() = default;

static llvm::CodeGenOptLevel toCodeGenLevel(unsigned optLevel) {
  return llvm::CodeGenOpt::getLevel(static_cast<int>(optLevel)).value_or(llvm::CodeGenOptLevel::Aggressive);
}

FailureOr<ObjectEmitter> ObjectEmitter::create(Location loc, StringRef cpu, StringRef features, int64_t vectorBits,
                                               unsigned optLevel) {
  initializeTargets();
  llvm::Triple triple(kTriple);
  std::string message;
  const llvm::Target *target = llvm::TargetRegistry::lookupTarget(triple, message);
  if (!target)
    return emitError(loc) << "expected an LLVM with the target " << kTriple << ": " << message;
  std::unique_ptr<llvm::TargetMachine> machine(target->createTargetMachine(
      triple, cpu, features, llvm::TargetOptions(), llvm::Reloc::PIC_, std::nullopt, toCodeGenLevel(optLevel)));
  if (!machine || !machine->getMCSubtargetInfo()->isCPUStringValid(cpu))
    return emitError(loc) << "unknown processor '" << cpu << "'";
  return ObjectEmitter(std::move(machine), vectorBits, optLevel);
}

std::unique_ptr<llvm::Module> ObjectEmitter::translate(ModuleOp module, llvm::LLVMContext &context) {
  std::unique_ptr<llvm::Module> translated = translateModuleToLLVMIR(module, context, "kernels");
  if (!translated)
    return nullptr;
  translated->setTargetTriple(machine->getTargetTriple());
  translated->setDataLayout(machine->createDataLayout());
  for (llvm::Function &function : *translated) {
    if (function.isDeclaration())
      continue;
    function.addFnAttr("target-cpu", machine->getTargetCPU());
    function.addFnAttr("target-features", machine->getTargetFeatureString());
    // LLVM would split 512-bit vectors on processors that it tunes for 256.
    function.addFnAttr("prefer-vector-width", std::to_string(vectorBits));
    function.addFnAttr("min-legal-vector-width", std::to_string(vectorBits));
    function.addFnAttr(llvm::Attribute::NoUnwind);
  }

  llvm::PipelineTuningOptions tuning;
  tuning.LoopVectorization = optLevel > 1;
  tuning.LoopInterleaving = optLevel > 1;
  tuning.SLPVectorization = false; // everything that pays is a vector already
  llvm::PassBuilder builder(machine.get(), tuning);
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager components;
  llvm::ModuleAnalysisManager modules;
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(components);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, components, modules);
  static const llvm::OptimizationLevel levels[] = {llvm::OptimizationLevel::O0, llvm::OptimizationLevel::O1,
                                                   llvm::OptimizationLevel::O2, llvm::OptimizationLevel::O3};
  builder.buildPerModuleDefaultPipeline(levels[std::min(optLevel, 3u)]).run(*translated, modules);
  return translated;
}

FailureOr<std::string> ObjectEmitter::emitObject(Location loc, llvm::Module &module) {
  SmallVector<char, 0> bytes;
  llvm::raw_svector_ostream stream(bytes);
  llvm::legacy::PassManager passes;
  if (machine->addPassesToEmitFile(passes, stream, nullptr, llvm::CodeGenFileType::ObjectFile))
    return emitError(loc) << "expected a target that can write object files";
  passes.run(module);
  return std::string(bytes.begin(), bytes.end());
}

} // namespace bambac::codegen
