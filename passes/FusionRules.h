// Which op may become part of another's kernel, by target.
#ifndef BAMBAC_PASSES_FUSIONRULES_H
#define BAMBAC_PASSES_FUSIONRULES_H

#include "dialects/bamba/Bamba.h"

namespace bambac {

/// Ops that become part of a kernel.
bool isCompute(Operation *op);

/// The op whose result, whole or sliced, `value` is; null where there is none.
Operation *getProducer(Value value);

/// The uses of `value` and of its slices by ops that are no slices.
SmallVector<OpOperand *> getUsesThroughSlices(Value value);

/// True for a result that is computed into a state instead of fresh memory. It outlives the kernel.
bool isStateResult(OpResult result);

/// Whether `producer` pays inside the kernel of the op that reads it, whole or sliced, as the operand `use`.
bool fuses(Operation *producer, OpOperand &use, TargetAttr target);

} // namespace bambac

#endif // BAMBAC_PASSES_FUSIONRULES_H
