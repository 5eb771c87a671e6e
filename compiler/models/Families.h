// The families of models that bambac knows, by the model_type of their config.json.
#ifndef BAMBAC_COMPILER_MODELS_FAMILIES_H
#define BAMBAC_COMPILER_MODELS_FAMILIES_H

#include "compiler/config/WarningHandler.h"
#include "compiler/models/ModelDescription.h"
#include "compiler/models/QuantizationOptions.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

namespace bambac {

/// Reads the text of a config.json; `path` names it in messages. Bad input is an error of one line, "path: field 'x':
/// expected ..., found ...". A field that means nothing to us is a warning. The description has passed its check.
llvm::Expected<ModelDescription> parseModel(llvm::StringRef text, llvm::StringRef path, WarningHandler warn,
                                            const QuantizationOptions &options = {});

/// Reads a config.json, or the one in the folder `path`, with an hf_quant_config.json next to it where it says nothing
/// of quantization.
llvm::Expected<ModelDescription> loadModel(llvm::StringRef path, const QuantizationOptions &options,
                                           WarningHandler warn);

} // namespace bambac

#endif // BAMBAC_COMPILER_MODELS_FAMILIES_H
