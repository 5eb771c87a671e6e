// Builds the module of the first phase, `model`: the model's ops on tensors, one function an entry point.
#ifndef BAMBAC_COMPILER_BUILD_MODELBUILDER_H
#define BAMBAC_COMPILER_BUILD_MODELBUILDER_H

#include "compiler/models/ModelDescription.h"
#include "compiler/targets/CompileLimits.h"
#include "dialects/bamba/Bamba.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace bambac {

/// `model` has passed its check. Loads the dialects that it needs into the target's context. `limits` are resolved.
OwningOpRef<ModuleOp> buildModelModule(const ModelDescription &model, const CompileLimits &limits,
                                       TargetInterface target);

} // namespace bambac

#endif // BAMBAC_COMPILER_BUILD_MODELBUILDER_H
