// The passes of CUDA code generation.
#ifndef BAMBAC_CODEGEN_CUDA_PASSES_TD
#define BAMBAC_CODEGEN_CUDA_PASSES_TD

include "mlir/Pass/PassBase.td"

def EmitCuda : Pass<"bamba-emit-cuda", "mlir::ModuleOp"> {
  let summary = "Print the CUDA C++ of each kernel to the standard output";
  let description = [{
    Prints the translation unit of every scheduled kernel, and of the kernels that pack the module's weights, each after a
    line `//--- NAME.cu`, so that `split-file` makes files of them. The module stays as it is. `bambac compile` prints the
    same texts; this pass is for kernels that are written by hand, as in tests. Nothing is compiled: no NVRTC is needed.

    Example: `bambac-opt --bamba-emit-cuda kernels.mlir -o /dev/null`
  }];
}

#endif
