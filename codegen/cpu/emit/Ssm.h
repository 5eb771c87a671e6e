// What ssm_step and ssm_scan have in common.
#ifndef BAMBAC_CODEGEN_CPU_EMIT_SSM_H
#define BAMBAC_CODEGEN_CPU_EMIT_SSM_H

#include "codegen/cpu/emit/Emitter.h"

namespace bambac::codegen {

/// `clamp(softplus(raw), min, max)` of a scalar or vector.
template <typename Op> Value emitDelta(Emitter &e, Op op, Value raw) {
  Value delta = e.softplus(raw);
  delta = e.maxf(delta, e.constantLike(delta, op.getDtMin().convertToDouble()));
  if (op.getDtMax().isInfinity())
    return delta;
  return e.minf(delta, e.constantLike(delta, op.getDtMax().convertToDouble()));
}

/// `A = -exp(a_log[head])`
inline Value emitDecay(Emitter &e, Value aLog, Value head) { return e.negf(e.exp(e.load(aLog, {head}))); }

/// The number of heads that share one B and C, as an index: a tile of heads lies in one group.
template <typename Op> Value getHeadsPerGroup(Emitter &e, Op op, Value state) {
  return e.div(e.dim(state, 1), e.index(op.getNumGroups()));
}

/// A step of the recurrence for one row of a scan.
void emitStep(Emitter &emitter, SsmScanOp op, SsmScanOp::Adaptor buffers, Value row, Value slot);

} // namespace bambac::codegen

#endif // BAMBAC_CODEGEN_CPU_EMIT_SSM_H
