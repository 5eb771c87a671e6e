// The passes of CUDA code generation.
#ifndef BAMBAC_CODEGEN_CUDA_PASSES_H
#define BAMBAC_CODEGEN_CUDA_PASSES_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace bambac::codegen {

#define GEN_PASS_DECL
#include "codegen/cuda/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "codegen/cuda/Passes.h.inc"

} // namespace bambac::codegen

#endif // BAMBAC_CODEGEN_CUDA_PASSES_H
