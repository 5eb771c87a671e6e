// Which op may become part of another's kernel, by target.
#ifndef BAMBAC_PASSES_FUSION_FUSIONRULES_H
#define BAMBAC_PASSES_FUSION_FUSIONRULES_H

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

/// Whether the op that reads `use` may move into the producer's kernel for the sake of another reader there: it takes
/// columns of its own of the result of a linear.
bool isBeside(OpOperand &use);

/// Whether `result` may be read behind the kernel too in which ops of `group` read it: a linear's largest result is
/// found while the result itself is written.
bool mayLeave(OpResult result, ArrayRef<Operation *> group);

/// Whether `producer` pays inside the kernel of the op that reads it, whole or sliced, as the operand `use`.
bool fuses(Operation *producer, OpOperand &use, TargetAttr target);

} // namespace bambac

#endif // BAMBAC_PASSES_FUSION_FUSIONRULES_H
