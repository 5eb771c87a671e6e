// Refuses a description that contradicts itself or that cannot be built.
#ifndef BAMBAC_COMPILER_MODELS_DESCRIPTIONCHECK_H
#define BAMBAC_COMPILER_MODELS_DESCRIPTIONCHECK_H

#include "compiler/models/ModelDescription.h"
#include "llvm/Support/Error.h"

namespace bambac {

/// Says in one line which part is wrong, what was expected and what was found: "layer 3: ...: expected ..., found ...".
/// Finds weights whose shapes do not fit their blocks or their tensors, one name for two weights, rows of a tensor that
/// no weight takes, and what the builder does not know.
llvm::Error checkDescription(const ModelDescription &model);

} // namespace bambac

#endif // BAMBAC_COMPILER_MODELS_DESCRIPTIONCHECK_H
