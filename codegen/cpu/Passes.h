// The passes of CPU code generation and the pipeline that runs them.
#ifndef BAMBAC_CODEGEN_CPU_PASSES_H
#define BAMBAC_CODEGEN_CPU_PASSES_H

#include "dialects/bamba/Bamba.h"
#include "mlir/Dialect/AMX/AMXDialect.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Dialect/X86Vector/X86VectorDialect.h"
#include "mlir/Pass/Pass.h"

namespace bambac::codegen {

#define GEN_PASS_DECL
#include "codegen/cpu/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "codegen/cpu/Passes.h.inc"

/// Scheduled kernels on tensors to loops over memory, workgroup by workgroup.
void buildCpuLoopsPipeline(OpPassManager &pm);

/// What buildCpuLoopsPipeline leaves, to the LLVM dialect with the runtime's calling convention.
void buildCpuLlvmPipeline(OpPassManager &pm);

/// Registers --bamba-cpu-loops and --bamba-cpu-llvm.
void registerCpuPipelines();

/// Bufferization of bamba ops, the interfaces of the upstream dialects that the passes need, and the translation to
/// LLVM IR. Call before a context is made from the registry.
void registerCpuCodegenInterfaces(DialectRegistry &registry);

/// Bufferization of bamba ops (part of the above).
void registerBufferization(DialectRegistry &registry);

} // namespace bambac::codegen

#endif // BAMBAC_CODEGEN_CPU_PASSES_H
