// One function for each sort of main op: prints the kernel around its collective.
#ifndef BAMBAC_CODEGEN_CUDA_EMIT_OPS_H
#define BAMBAC_CODEGEN_CUDA_EMIT_OPS_H

#include "codegen/cuda/emit/KernelWriter.h"

namespace bambac::codegen {

/// Each gives the source of the kernel, or fails with an error at the op.
FailureOr<KernelText> emitLinear(KernelWriter &writer, LinearOp linear);
FailureOr<KernelText> emitSsmStep(KernelWriter &writer, SsmStepOp step);
FailureOr<KernelText> emitSsmFold(KernelWriter &writer, SsmFoldOp fold);
FailureOr<KernelText> emitSsmScan(KernelWriter &writer, SsmScanOp scan);
FailureOr<KernelText> emitConvolution(KernelWriter &writer, CausalConv1dOp conv);
FailureOr<KernelText> emitAttention(KernelWriter &writer, AttentionOp attention);
FailureOr<KernelText> emitKvAppend(KernelWriter &writer, KvAppendOp append);
FailureOr<KernelText> emitNorm(KernelWriter &writer, RmsNormOp norm);
FailureOr<KernelText> emitQuantize(KernelWriter &writer, QuantizeOp quantize);
/// `using Input`: a linear's input that becomes codes in its kernel, for all blocks. Gives what initializes it.
FailureOr<std::string> emitSharedCodes(KernelWriter &writer, QuantizeOp quantize);
FailureOr<KernelText> emitEmbedding(KernelWriter &writer, EmbeddingOp embedding);
FailureOr<KernelText> emitTakeRows(KernelWriter &writer, TakeRowsOp takeRows);
FailureOr<KernelText> emitArgmax(KernelWriter &writer, ArgmaxOp argmax);
FailureOr<KernelText> emitSample(KernelWriter &writer, SampleOp sample);
/// Rotation and other element-wise ops that joined no other kernel.
FailureOr<KernelText> emitRope(KernelWriter &writer, RopeOp rope);
FailureOr<KernelText> emitElementwise(KernelWriter &writer, Operation *last);

/// Constants of the shape: kHeadDim, kRotaryDim and kRotationScale of a rotation, whose frequencies become a table;
/// kKvHeads, kPageTokens and kMaxPages of the cache that is appended to.
void describeRope(KernelWriter &writer, RopeOp rope);
void describeCache(KernelWriter &writer, KvAppendOp append);

} // namespace bambac::codegen

#endif // BAMBAC_CODEGEN_CUDA_EMIT_OPS_H
