// One function for each sort of main op: prints the kernel around its collective.
#ifndef BAMBAC_CODEGEN_CUDA_EMIT_OPS_H
#define BAMBAC_CODEGEN_CUDA_EMIT_OPS_H

#include "codegen/cuda/emit/KernelWriter.h"

namespace bambac::codegen {

/// Each gives the text of the translation unit, or fails with an error at the op.
FailureOr<std::string> emitLinear(KernelWriter &writer, LinearOp linear);
FailureOr<std::string> emitSsmStep(KernelWriter &writer, SsmStepOp step);
FailureOr<std::string> emitSsmFold(KernelWriter &writer, SsmFoldOp fold);
FailureOr<std::string> emitSsmScan(KernelWriter &writer, SsmScanOp scan);
FailureOr<std::string> emitConvolution(KernelWriter &writer, CausalConv1dOp conv);
FailureOr<std::string> emitAttention(KernelWriter &writer, AttentionOp attention);
FailureOr<std::string> emitKvAppend(KernelWriter &writer, KvAppendOp append);
FailureOr<std::string> emitNorm(KernelWriter &writer, RmsNormOp norm);
FailureOr<std::string> emitQuantize(KernelWriter &writer, QuantizeOp quantize);
FailureOr<std::string> emitEmbedding(KernelWriter &writer, EmbeddingOp embedding);
FailureOr<std::string> emitTakeRows(KernelWriter &writer, TakeRowsOp takeRows);
FailureOr<std::string> emitArgmax(KernelWriter &writer, ArgmaxOp argmax);
FailureOr<std::string> emitSample(KernelWriter &writer, SampleOp sample);
/// Rotation and other element-wise ops that joined no other kernel.
FailureOr<std::string> emitRope(KernelWriter &writer, RopeOp rope);
FailureOr<std::string> emitElementwise(KernelWriter &writer, Operation *last);

/// Constants of the shape: kHeadDim, kRotaryDim and kRotationScale of a rotation, whose frequencies become a table;
/// kKvHeads, kPageTokens and kMaxPages of the cache that is appended to.
void describeRope(KernelWriter &writer, RopeOp rope);
void describeCache(KernelWriter &writer, KvAppendOp append);

} // namespace bambac::codegen

#endif // BAMBAC_CODEGEN_CUDA_EMIT_OPS_H
