// bamba-cpu-compile: scheduled kernels to object files, so that a test can run them one by one.
#include "codegen/cpu/CpuCodegen.h"
#include "codegen/cpu/Passes.h"
#include "mlir/Dialect/MLProgram/IR/MLProgram.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

namespace cl = llvm::cl;

static bool write(const std::string &path, llvm::StringRef bytes) {
  std::error_code error;
  llvm::raw_fd_ostream stream(path, error);
  if (error) {
    llvm::errs() << path << ": " << error.message() << "\n";
    return false;
  }
  stream << bytes;
  return true;
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  cl::opt<std::string> input(cl::Positional, cl::desc("MODULE.mlir"), cl::Required);
  cl::opt<std::string> output("o", cl::desc("folder for NAME.o of each kernel"), cl::Required);
  cl::opt<bool> llvmIr("llvm", cl::desc("also write NAME.ll"));
  cl::opt<unsigned> threads("j", cl::desc("kernels compiled at a time"), cl::init(0));
  cl::ParseCommandLineOptions(argc, argv, "Compiles scheduled kernels; prints what it made as JSON\n");

  mlir::DialectRegistry registry;
  bambac::codegen::registerCpuCodegenInterfaces(registry);
  registry.insert<mlir::ml_program::MLProgramDialect>(); // the weights of a whole scheduled model
  mlir::MLIRContext context(registry);
  mlir::OwningOpRef<mlir::ModuleOp> module = mlir::parseSourceFile<mlir::ModuleOp>(input, &context);
  if (!module)
    return 1;
  bambac::codegen::CpuCodegenOptions options;
  options.keepText = llvmIr;
  options.threads = threads;
  auto kernels = bambac::codegen::compileCpuKernels(*module, options);
  if (mlir::failed(kernels))
    return 1;
  llvm::json::Array list;
  for (const bambac::codegen::CpuKernel &kernel : *kernels) {
    std::string stem = output + "/" + kernel.name;
    if (!write(stem + ".o", kernel.object) || (llvmIr && !write(stem + ".ll", kernel.llvmIr)))
      return 1;
    list.push_back(llvm::json::Object{
        {"name", kernel.name}, {"workgroups", kernel.workgroups}, {"scratch_bytes", kernel.scratchBytes}});
  }
  llvm::outs() << llvm::formatv("{0:2}\n", llvm::json::Value(std::move(list)));
  return 0;
}
