// Prints the element-wise ops after a kernel's main op as the device struct that a collective calls with its sums.
#ifndef BAMBAC_CODEGEN_CUDA_EMIT_EPILOGUE_H
#define BAMBAC_CODEGEN_CUDA_EMIT_EPILOGUE_H

#include "codegen/cuda/emit/KernelWriter.h"

namespace bambac::codegen {

/// Adds `struct Epilogue` to the kernel, which computes what is stored from `produced`, the plain result of the main
/// op, and its bias (null for none), and gives the expression that makes one: `Epilogue{gate, result}`.
FailureOr<std::string> emitEpilogue(KernelWriter &writer, Value produced, Value bias);

/// The same for a projection whose result is read head by head, slice by slice of its columns, by rotations and an
/// append to the KV cache.
FailureOr<std::string> emitHeadsEpilogue(KernelWriter &writer, LinearOp linear);

} // namespace bambac::codegen

#endif // BAMBAC_CODEGEN_CUDA_EMIT_EPILOGUE_H
