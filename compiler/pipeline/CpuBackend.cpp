// Kernels for the processor: LLVM makes an object of each, and their text is a by-product of that.
#include "codegen/cpu/CpuCodegen.h"
#include "compiler/pipeline/Backend.h"

namespace bambac {
namespace {

/// The LLVM IR of a kernel, after a line that says how often it runs.
std::string describe(const codegen::CpuKernel &kernel) {
  return ("; ---- " + kernel.name + ": " + Twine(kernel.workgroups) + " workgroups, " + Twine(kernel.scratchBytes) +
          " bytes of scratch\n" + kernel.llvmIr)
      .str();
}

class CpuBackend : public Backend {
public:
  explicit CpuBackend(const CompileOptions &options) : options(options) {}

  LogicalResult emit(ModuleOp scheduled) override {
    codegen::CpuCodegenOptions codegenOptions;
    codegenOptions.threads = options.threads;
    codegenOptions.keepText = !options.dumpFolder.empty() || options.compileTo == Phase::Kernels;
    FailureOr<std::vector<codegen::CpuKernel>> compiled = codegen::compileCpuKernels(scheduled, codegenOptions);
    if (failed(compiled))
      return failure();
    kernels = std::move(*compiled);
    return success();
  }

  std::vector<KernelFile> getFiles() const override {
    std::vector<KernelFile> files;
    files.reserve(2 * kernels.size());
    for (const codegen::CpuKernel &kernel : kernels) {
      files.push_back({kernel.name + ".mlir", kernel.loops});
      files.push_back({kernel.name + ".ll", describe(kernel)});
    }
    return files;
  }

  void print(raw_ostream &stream) const override {
    for (const codegen::CpuKernel &kernel : kernels)
      stream << describe(kernel) << '\n';
  }

  FailureOr<std::vector<codegen::KernelCode>> compile(ModuleOp) override {
    std::vector<codegen::KernelCode> code;
    code.reserve(kernels.size());
    for (const codegen::CpuKernel &kernel : kernels)
      code.push_back({kernel.name, kernel.workgroups, kernel.scratchBytes, std::nullopt});
    return code;
  }

  std::vector<SmallVector<char, 0>> takeObjects() override {
    std::vector<SmallVector<char, 0>> objects;
    objects.reserve(kernels.size());
    for (codegen::CpuKernel &kernel : kernels)
      objects.emplace_back(kernel.object.begin(), kernel.object.end());
    kernels.clear();
    return objects;
  }

private:
  const CompileOptions &options;
  std::vector<codegen::CpuKernel> kernels;
};

} // namespace

std::unique_ptr<Backend> makeCpuBackend(const CompileOptions &options) { return std::make_unique<CpuBackend>(options); }

} // namespace bambac
