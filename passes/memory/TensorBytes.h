// Sizes of tensors in memory.
#ifndef BAMBAC_PASSES_MEMORY_TENSORBYTES_H
#define BAMBAC_PASSES_MEMORY_TENSORBYTES_H

#include "dialects/LLVM.h"
#include "mlir/IR/BuiltinTypes.h"
#include "llvm/Support/MathExtras.h"

namespace bambac {

/// Bytes of one element of a tensor type.
inline int64_t elementBytesOf(Type type) {
  return llvm::divideCeil(cast<ShapedType>(type).getElementTypeBitWidth(), 8);
}

/// Bytes of a tensor without padding; a dynamic dimension, as state pools have, counts as `items`.
inline int64_t bytesOf(Type type, int64_t items = 1) {
  int64_t bytes = elementBytesOf(type);
  for (int64_t size : cast<ShapedType>(type).getShape())
    bytes *= ShapedType::isDynamic(size) ? items : size;
  return bytes;
}

} // namespace bambac

#endif // BAMBAC_PASSES_MEMORY_TENSORBYTES_H
