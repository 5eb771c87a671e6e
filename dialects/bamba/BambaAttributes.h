// The attributes of the dialect, and what passes, the builder and the plan ask of a target.
#ifndef BAMBAC_DIALECTS_BAMBA_BAMBAATTRIBUTES_H
#define BAMBAC_DIALECTS_BAMBA_BAMBAATTRIBUTES_H

#include "dialects/LLVM.h"
#include "dialects/bamba/RowRange.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/TensorEncoding.h"
#include "runtime/contract/weight_layout.h"
#include "llvm/Support/MathExtras.h"

#include "dialects/bamba/BambaEnums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/bamba/BambaAttributes.h.inc"

namespace bambac {

/// Which GPUs can run a model's code.
struct ComputeCapability {
  uint32_t version = 0; ///< 10 * major + minor of the architecture; 0: not a GPU
  bool exact = false;   ///< only that very architecture, not later minors of the same major
};

/// The element types of a model's tensors on one device.
struct ElementTypes {
  /// Matrices, the embedding among them.
  Type matrix;
  /// The codes of a quantized matrix, and the codes that it multiplies.
  Type codes, inputCodes;
  /// What a matrix unit multiplies next: norms, convolved inputs, the results of attention and of the gate.
  Type activation;
  /// Keys and values of the cache, and the SSM state.
  Type cache, ssmState;
  /// The residual stream, logits, vectors of weights, the taps and the state of the convolution, and what a mixer reads
  /// of its projection: a rounding there would come on top of the one after the convolution, rotation or gate. (The
  /// projection of codes takes `activation`, since its own roundings are far coarser, and so does the convolution after
  /// it for what it keeps.)
  Type wide;
  /// Whether the convolution's state is a ring indexed by position. Then its kernel can be that of the step after it.
  bool convRing = false;
};

} // namespace bambac

#include "dialects/bamba/TargetInterface.h.inc"

namespace bambac {

/// The target of the module that `op` is or stands in; null where it names none.
TargetInterface getTarget(Operation *op);

} // namespace bambac

#endif // BAMBAC_DIALECTS_BAMBA_BAMBAATTRIBUTES_H
