// Which state pools a kernel finds as its step does.
#ifndef BAMBAC_CODEGEN_CUDA_EMIT_STATEUSE_H
#define BAMBAC_CODEGEN_CUDA_EMIT_STATEUSE_H

#include "dialects/bamba/Bamba.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace bambac::codegen {

/// Whether no kernel of a step writes the pools before `kernel` does, in any entry point that launches it: `pools` are
/// arguments of the kernel. Each launch of an entry point as a whole begins when the one before has ended, so that such
/// a kernel may read them before it waits for its predecessors.
bool areUnwritten(func::FuncOp kernel, ValueRange pools);

} // namespace bambac::codegen

#endif // BAMBAC_CODEGEN_CUDA_EMIT_STATEUSE_H
