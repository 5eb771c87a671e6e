// Prints what emitCudaKernels gives: see EmitCuda in Passes.td.
#include "codegen/cuda/CudaCodegen.h"
#include "codegen/cuda/Passes.h"

namespace bambac::codegen {
#define GEN_PASS_DEF_EMITCUDA
#include "codegen/cuda/Passes.h.inc"

namespace {

struct EmitCuda : impl::EmitCudaBase<EmitCuda> {
  void runOnOperation() override {
    FailureOr<std::vector<CudaSource>> sources = emitCudaKernels(getOperation());
    if (failed(sources))
      return signalPassFailure();
    for (const CudaSource &source : *sources)
      llvm::outs() << "//--- " << source.name << ".cu\n" << source.unit() << '\n';
    markAllAnalysesPreserved();
  }
};

} // namespace
} // namespace bambac::codegen
