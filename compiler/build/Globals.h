// The module's globals, declared when an entry point first asks for them: weights, each with the checkpoint tensors
// that it is made of, and pools of states.
#ifndef BAMBAC_COMPILER_BUILD_GLOBALS_H
#define BAMBAC_COMPILER_BUILD_GLOBALS_H

#include "compiler/models/ModelDescription.h"
#include "dialects/bamba/Bamba.h"
#include "mlir/Dialect/MLProgram/IR/MLProgram.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/StringMap.h"

namespace bambac {

/// Globals are before the functions, in the order in which they were first asked for.
class Globals {
public:
  Globals(ModuleOp module, const ElementTypes &types) : module(module), types(types), builder(module.getContext()) {}

  ml_program::GlobalOp getWeight(const Weight &weight);
  /// A pool of items of this shape.
  ml_program::GlobalOp getState(StringRef name, StateKind kind, ArrayRef<int64_t> itemShape, Type element);

private:
  Type typeOf(Precision precision) const;
  /// The global of that name, new and without attributes where there was none: then the second is true.
  std::pair<ml_program::GlobalOp, bool> declare(StringRef name, RankedTensorType type, bool isMutable);

  ModuleOp module;
  const ElementTypes &types;
  OpBuilder builder;
  llvm::StringMap<ml_program::GlobalOp> declared;
  ml_program::GlobalOp last;
};

} // namespace bambac

#endif // BAMBAC_COMPILER_BUILD_GLOBALS_H
