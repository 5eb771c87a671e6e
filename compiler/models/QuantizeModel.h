// Applies a recipe to the linears of a description, whatever its family.
#ifndef BAMBAC_COMPILER_MODELS_QUANTIZEMODEL_H
#define BAMBAC_COMPILER_MODELS_QUANTIZEMODEL_H

#include "compiler/models/ModelDescription.h"
#include "compiler/models/QuantizationOptions.h"
#include "compiler/models/QuantizationRecipe.h"

namespace bambac {

/// A linear's module is the name of its tensor without ".weight"; that of the head, which may be the embedding, is the
/// name of its weight.
LinearNames listLinears(const ModelDescription &model);

/// All modules that have tensors, once each: linears, norms, convolutions and so on.
std::vector<std::string> listModules(const ModelDescription &model);

/// Makes codes of the weights that the recipe names, and adds their scales. Linears with the same input share its
/// static scale, of which the largest counts.
void quantizeModel(ModelDescription &model, const QuantizationRecipe &recipe);

/// Makes codes of keys and values in the cache. A checkpoint may have their scales under these names; else they are 1.
void quantizeCache(ModelDescription &model, const CacheScaleNames &names);

} // namespace bambac

#endif // BAMBAC_COMPILER_MODELS_QUANTIZEMODEL_H
