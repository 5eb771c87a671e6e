// The element types of a model's tensors, which differ by device.
#ifndef BAMBAC_COMPILER_TARGETS_ELEMENTTYPES_H
#define BAMBAC_COMPILER_TARGETS_ELEMENTTYPES_H

#include "compiler/targets/CompileLimits.h"
#include "dialects/bamba/Bamba.h"

namespace bambac {

/// On a CPU everything but the matrices is f32. On CUDA what the tensor cores multiply has the type of the matrices,
/// bf16 or f16, and is rounded once, when it is written for them; everything else stays f32.
struct ElementTypes {
  ElementTypes(const CompileLimits &limits, TargetAttr target);

  /// Matrices, the embedding among them.
  Type matrix;
  /// What a tensor core multiplies next: norms, convolved inputs, attention's and the gate's results.
  Type activation;
  /// Keys and values of the cache, and the SSM state.
  Type cache, ssmState;
  /// The residual stream, logits, vectors of weights, the convolution's taps and state, and what a mixer reads of its
  /// projection: a rounding there would come on top of the one behind the convolution, rotation or gate.
  Type wide;
  /// Whether the convolution's state is a ring indexed by position, so that its kernel can be that of the step behind
  /// it.
  bool convRing;
};

/// Fails where the target cannot compute with matrices of this type.
llvm::Error checkWeightType(WeightType type, TargetAttr target);

} // namespace bambac

#endif // BAMBAC_COMPILER_TARGETS_ELEMENTTYPES_H
