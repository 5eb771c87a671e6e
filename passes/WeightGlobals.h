// The globals that hold the weights which ops read.
#ifndef BAMBAC_PASSES_WEIGHTGLOBALS_H
#define BAMBAC_PASSES_WEIGHTGLOBALS_H

#include "dialects/bamba/Bamba.h"

namespace bambac {

/// The global that a weight operand is loaded from; null for any other value, or none.
inline ml_program::GlobalOp getWeightGlobal(Value value, SymbolTable &symbols) {
  auto load = value ? value.getDefiningOp<ml_program::GlobalLoadConstOp>() : nullptr;
  return load ? symbols.lookup<ml_program::GlobalOp>(load.getGlobal().getLeafReference()) : nullptr;
}

} // namespace bambac

#endif // BAMBAC_PASSES_WEIGHTGLOBALS_H
