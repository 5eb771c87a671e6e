// What a user asks for in addition to what a configuration says of quantization.
#ifndef BAMBAC_COMPILER_MODELS_QUANTIZATIONOPTIONS_H
#define BAMBAC_COMPILER_MODELS_QUANTIZATIONOPTIONS_H

#include "compiler/models/QuantizationRecipe.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"
#include <optional>
#include <string>
#include <vector>

namespace bambac {

struct QuantizationOptions {
  bool fp8 = false; ///< the linears of blocks become codes while they are loaded
  /// Wildcards: only these linears, and not these.
  std::vector<std::string> fp8Layers, bf16Layers;
  bool fp8Cache = false;       ///< keys and values become codes, also where the configuration does not say so
  std::optional<bool> fp8Head; ///< the head, too; none: as the configuration says, which is no where it says nothing
};

/// The linears of a model, by the names of their modules.
struct LinearNames {
  std::vector<std::string> blocks;
  std::string head;
};

/// The recipe of the file with what the options ask for. A pattern that names no linear is an error, and so is a file
/// that asks for something else.
llvm::Expected<std::optional<QuantizationRecipe>>
applyOptions(std::optional<QuantizationRecipe> recipe, const QuantizationOptions &options, const LinearNames &linears);

} // namespace bambac

#endif // BAMBAC_COMPILER_MODELS_QUANTIZATIONOPTIONS_H
