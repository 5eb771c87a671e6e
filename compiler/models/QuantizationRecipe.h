// Which linears of a model are kept as codes of e4m3, with which scales; whichever format says it.
#ifndef BAMBAC_COMPILER_MODELS_QUANTIZATIONRECIPE_H
#define BAMBAC_COMPILER_MODELS_QUANTIZATIONRECIPE_H

#include "compiler/models/ModulePattern.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/JSON.h"
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace bambac {

/// How one linear is quantized: its weight, and what it multiplies.
struct QuantizationScheme {
  enum class Weights {
    Tensor,  ///< one scale
    Channel, ///< a scale for each row
    Block    ///< a scale for each block; what is multiplied has one for as many columns of each row
  };
  Weights weights = Weights::Channel;
  int64_t blockRows = 0, blockColumns = 0; ///< of Block
  /// What is multiplied has one scale, which the checkpoint holds. Otherwise each row has its own, from its numbers.
  bool staticInputs = false;

  bool operator==(const QuantizationScheme &) const = default;
};

/// The names of the scales of keys and values, within an attention module.
struct CacheScaleNames {
  std::string key = "k_scale", value = "v_scale";
};

struct QuantizationRecipe {
  struct Group {
    std::vector<ModulePattern> targets;
    QuantizationScheme scheme;
  };
  std::vector<Group> groups;
  std::vector<ModulePattern> ignored;
  std::map<std::string, QuantizationScheme, std::less<>> overrides; ///< by linear; they count first
  /// What the names of scales have in place of ".weight".
  std::string weightScale = ".weight_scale", inputScale = ".input_scale";
  bool cachesCodes = false;    ///< keys and values become codes; else they are kept as numbers
  CacheScaleNames cacheScales; ///< as the format names them, whether or not keys and values become codes
  /// What it was read from, or what says the same.
  llvm::json::Value config = nullptr;

  /// The scheme of a linear. The group that names it most specifically counts, the first of several.
  std::optional<QuantizationScheme> find(llvm::StringRef linear) const;

  /// The only scheme of all groups; none where there are several.
  std::optional<QuantizationScheme> findOnlyScheme() const;

  /// A pattern for each place of the configuration that names none of these modules; ignored ones and targets.
  std::vector<llvm::StringRef> findUnmatched(llvm::ArrayRef<std::string> modules) const;
};

/// Channels of the given linears, and tokens of what they multiply, with scales that follow from their numbers: the
/// recipe that weights can be quantized by while they are loaded. `others` are the rest of the model's linears.
QuantizationRecipe makeDynamicRecipe(llvm::ArrayRef<std::string> others);

} // namespace bambac

#endif // BAMBAC_COMPILER_MODELS_QUANTIZATIONRECIPE_H
