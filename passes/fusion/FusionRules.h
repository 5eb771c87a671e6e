// Which op may become part of another's kernel on a target, and if not, by which rule.
#ifndef BAMBAC_PASSES_FUSION_FUSIONRULES_H
#define BAMBAC_PASSES_FUSION_FUSIONRULES_H

#include "dialects/bamba/Bamba.h"

namespace bambac {

/// The answer to whether two ops share a kernel: yes, or no with the rule that keeps them apart.
class FusionDecision {
public:
  static FusionDecision yes() { return {}; }
  /// `reason` reads after "PRODUCER stays out of the kernel of CONSUMER: ".
  static FusionDecision no(const Twine &reason) {
    FusionDecision decision;
    decision.reason = reason.str();
    return decision;
  }

  explicit operator bool() const { return reason.empty(); }
  /// Empty where the answer is yes.
  StringRef getReason() const { return reason; }

private:
  std::string reason;
};

/// Ops that become part of a kernel.
bool isCompute(Operation *op);

/// The op whose result, whole or sliced, `value` is; null where there is none.
Operation *getProducer(Value value);

/// The uses of `value` and of its slices by ops that are not slices.
SmallVector<OpOperand *> getUsesThroughSlices(Value value);

/// True for a result that is computed into a state instead of fresh memory. It outlives the kernel.
bool isStateResult(OpResult result);

/// True if the reader `use` can be pulled into the producer's kernel because another reader of a different column slice
/// was: rotations and the append to the cache read their own columns of a projection.
bool canFollowAnotherReader(OpOperand &use);

/// True if `result`, which ops of `group` read inside the kernel, may also be read outside of it: a linear's largest
/// result is found while the result itself is written.
bool mayAlsoBeReadOutside(OpResult result, ArrayRef<Operation *> group);

/// True for a linear, for element-wise ops after one, and for attention: ops whose kernel has a row in many blocks.
bool endsInPieces(Operation *op);

/// True for a quantization that, where it is part of the kernel of the linear that reads it, has its codes in memory,
/// so that all blocks share them: it comes after an op whose kernel has a row in many blocks.
bool needsSharedCodes(QuantizeOp quantize, TargetInterface target);

/// Whether `producer` pays inside the kernel of the op that reads it, whole or sliced, as the operand `use`.
FusionDecision fuses(Operation *producer, OpOperand &use, TargetInterface target);

} // namespace bambac

#endif // BAMBAC_PASSES_FUSION_FUSIONRULES_H
