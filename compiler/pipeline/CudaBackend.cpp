// Kernels for NVIDIA GPUs: CUDA C++, of which NVRTC makes cubins. The tables of a library hold those, so there are no
// objects.
#include "codegen/cuda/CudaCodegen.h"
#include "compiler/pipeline/Backend.h"

namespace bambac {
namespace {

class CudaBackend : public Backend {
public:
  explicit CudaBackend(const CompileOptions &options) : options(options) {}

  LogicalResult emit(ModuleOp scheduled) override {
    FailureOr<std::vector<codegen::CudaSource>> emitted = codegen::emitCudaKernels(scheduled);
    if (failed(emitted))
      return failure();
    sources = std::move(*emitted);
    return success();
  }

  std::vector<KernelFile> getFiles() const override {
    std::vector<KernelFile> files;
    files.reserve(sources.size());
    for (const codegen::CudaSource &source : sources)
      files.push_back({source.name + ".cu", source.unit()});
    return files;
  }

  void print(raw_ostream &stream) const override {
    for (const codegen::CudaSource &source : sources)
      stream << "//--- " << source.name << ".cu\n" << source.unit() << '\n';
  }

  FailureOr<std::vector<codegen::KernelCode>> compile(ModuleOp scheduled) override {
    codegen::CudaCodegenOptions codegenOptions;
    codegenOptions.threads = options.threads;
    codegenOptions.nvrtc = options.nvrtc;
    return codegen::compileCudaKernels(scheduled, sources, codegenOptions);
  }

  std::vector<SmallVector<char, 0>> takeObjects() override { return {}; }

private:
  const CompileOptions &options;
  std::vector<codegen::CudaSource> sources;
};

} // namespace

std::unique_ptr<Backend> makeCudaBackend(const CompileOptions &options) {
  return std::make_unique<CudaBackend>(options);
}

} // namespace bambac
