// What a family reads a model from.
#ifndef BAMBAC_COMPILER_MODELS_MODELSOURCE_H
#define BAMBAC_COMPILER_MODELS_MODELSOURCE_H

#include "compiler/models/QuantizationOptions.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/JSON.h"

namespace bambac {

struct ModelSource {
  const llvm::json::Object &object;               ///< of the config.json
  llvm::StringRef path;                           ///< of the config.json, for messages
  std::optional<QuantizationRecipe> quantization; ///< of a file next to it
  QuantizationOptions options;
};

} // namespace bambac

#endif // BAMBAC_COMPILER_MODELS_MODELSOURCE_H
