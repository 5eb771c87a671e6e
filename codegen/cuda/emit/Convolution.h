// What a convolution asks of the kernel that computes it.
#ifndef BAMBAC_CODEGEN_CUDA_EMIT_CONVOLUTION_H
#define BAMBAC_CODEGEN_CUDA_EMIT_CONVOLUTION_H

#include "codegen/cuda/emit/KernelWriter.h"

namespace bambac::codegen {

/// Adds kTaps to the shape and gives the convolution's arguments as a collective takes them, from the input to the
/// slots.
FailureOr<SmallVector<std::string>> convolutionArguments(KernelWriter &writer, CausalConv1dOp conv, const View &input);

} // namespace bambac::codegen

#endif // BAMBAC_CODEGEN_CUDA_EMIT_CONVOLUTION_H
