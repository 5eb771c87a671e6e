// The module's globals: weights, each with the checkpoint tensors that it is made of, and pools of states.
#ifndef BAMBAC_COMPILER_BUILD_GLOBALS_H
#define BAMBAC_COMPILER_BUILD_GLOBALS_H

#include "compiler/targets/CompileLimits.h"
#include "dialects/bamba/Bamba.h"
#include "mlir/IR/BuiltinOps.h"

namespace bambac {

/// The name of something in a layer, such as "layers.3.mamba.in_proj".
std::string inLayer(int64_t layer, StringRef name);

/// Adds a global for every weight and state of the model, in the order in which the model uses them.
void declareGlobals(ModuleOp module, const BambaConfig &config, const CompileLimits &limits, const ElementTypes &types);

} // namespace bambac

#endif // BAMBAC_COMPILER_BUILD_GLOBALS_H
