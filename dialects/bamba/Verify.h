// Checks of operand shapes that the verifiers share.
#ifndef BAMBAC_DIALECTS_BAMBA_VERIFY_H
#define BAMBAC_DIALECTS_BAMBA_VERIFY_H

#include "dialects/LLVM.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Operation.h"

namespace bambac {

/// Stands for a size that does not matter, in the expected shapes of checkShape.
inline constexpr int64_t kAny = ShapedType::kDynamic;

/// Fails with "expected 'name' of shape [..], found [..]" where a static size of `type` differs from a known expected
/// one.
LogicalResult checkShape(Operation *op, StringRef name, Type type, ArrayRef<int64_t> expected);

/// Fails with "expected <what> to be a multiple of <divisor>, found <value>"; dynamic values pass.
LogicalResult checkMultiple(Operation *op, StringRef what, int64_t value, int64_t divisor);

/// Fails unless `value` is greater than zero.
LogicalResult checkPositive(Operation *op, StringRef what, double value);

/// Size of dimension `dim` of a shaped type.
inline int64_t dimOf(Value value, unsigned dim) { return cast<ShapedType>(value.getType()).getDimSize(dim); }

} // namespace bambac

#endif // BAMBAC_DIALECTS_BAMBA_VERIFY_H
