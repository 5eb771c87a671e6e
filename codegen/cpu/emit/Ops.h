// The loops of each bamba op, over the memrefs that bufferization gave its operands.
#ifndef BAMBAC_CODEGEN_CPU_EMIT_OPS_H
#define BAMBAC_CODEGEN_CPU_EMIT_OPS_H

#include "codegen/cpu/emit/Emitter.h"

namespace bambac::codegen {

/// Each writes the results of `op` to the memrefs of its `outs` operands in `buffers`.
LogicalResult emitOp(Emitter &emitter, EmbeddingOp op, EmbeddingOp::Adaptor buffers);
LogicalResult emitOp(Emitter &emitter, RmsNormOp op, RmsNormOp::Adaptor buffers);
LogicalResult emitOp(Emitter &emitter, GatedRmsNormOp op, GatedRmsNormOp::Adaptor buffers);
LogicalResult emitOp(Emitter &emitter, LinearOp op, LinearOp::Adaptor buffers);
LogicalResult emitOp(Emitter &emitter, QuantizeOp op, QuantizeOp::Adaptor buffers);
LogicalResult emitOp(Emitter &emitter, SplitOp op, SplitOp::Adaptor buffers);
LogicalResult emitOp(Emitter &emitter, RopeOp op, RopeOp::Adaptor buffers);
LogicalResult emitOp(Emitter &emitter, SwigluOp op, SwigluOp::Adaptor buffers);
LogicalResult emitOp(Emitter &emitter, TakeRowsOp op, TakeRowsOp::Adaptor buffers);
LogicalResult emitOp(Emitter &emitter, ArgmaxOp op, ArgmaxOp::Adaptor buffers);
LogicalResult emitOp(Emitter &emitter, SampleOp op, SampleOp::Adaptor buffers);
LogicalResult emitOp(Emitter &emitter, CausalConv1dOp op, CausalConv1dOp::Adaptor buffers);
LogicalResult emitOp(Emitter &emitter, SsmStepOp op, SsmStepOp::Adaptor buffers);
LogicalResult emitOp(Emitter &emitter, SsmScanOp op, SsmScanOp::Adaptor buffers);
LogicalResult emitOp(Emitter &emitter, KvAppendOp op, KvAppendOp::Adaptor buffers);
LogicalResult emitOp(Emitter &emitter, AttentionOp op, AttentionOp::Adaptor buffers);

} // namespace bambac::codegen

#endif // BAMBAC_CODEGEN_CPU_EMIT_OPS_H
