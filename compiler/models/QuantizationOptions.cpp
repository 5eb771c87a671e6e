// Finds the linears that the options name, and compares them with those of a file.
#include "compiler/models/QuantizationOptions.h"
#include "llvm/ADT/STLExtras.h"

using namespace llvm;

namespace bambac {

/// Which linears the patterns name.
static Expected<std::vector<bool>> findNamed(StringRef option, ArrayRef<std::string> patterns,
                                             ArrayRef<std::string> linears) {
  std::vector<bool> named(linears.size());
  for (const std::string &text : patterns) {
    auto wrong = [&] {
      return createStringError("option '" + option + "': expected patterns that name linears of the model, found '" +
                               text + "'");
    };
    Expected<ModulePattern> pattern = ModulePattern::parseWildcard(text);
    if (!pattern) {
      consumeError(pattern.takeError());
      return wrong();
    }
    bool isUsed = false;
    for (auto [index, linear] : enumerate(linears))
      if (pattern->matchesName(linear))
        named[index] = isUsed = true;
    if (!isUsed)
      return wrong();
  }
  return named;
}

/// For each linear of the blocks, whether it becomes codes.
static Expected<std::vector<bool>> chooseBlocks(const QuantizationOptions &options, ArrayRef<std::string> linears) {
  Expected<std::vector<bool>> included = findNamed("--fp8-layers", options.fp8Layers, linears);
  if (!included)
    return included.takeError();
  Expected<std::vector<bool>> excluded = findNamed("--bf16-layers", options.bf16Layers, linears);
  if (!excluded)
    return excluded.takeError();
  std::vector<bool> chosen;
  chosen.reserve(linears.size());
  for (size_t index = 0; index < linears.size(); ++index)
    chosen.push_back(options.fp8 && (options.fp8Layers.empty() || (*included)[index]) && !(*excluded)[index]);
  return chosen;
}

static Error checkIsSame(const QuantizationRecipe &recipe, ArrayRef<std::string> linears,
                         const std::vector<bool> &chosen) {
  for (auto [index, linear] : enumerate(linears))
    if (recipe.find(linear) != (chosen[index] ? std::optional(QuantizationScheme()) : std::nullopt))
      return createStringError("option '--dtype': expected no fp8, as quantization_config says which linears are "
                               "quantized and how, found fp8, which differs for " +
                               linear);
  return Error::success();
}

/// The head of a recipe that a file says.
static Error applyToHead(QuantizationRecipe &recipe, bool isCodes, const std::string &head) {
  std::optional<QuantizationScheme> scheme = recipe.find(head);
  if (!scheme && isCodes)
    recipe.overrides.emplace(head, QuantizationScheme());
  else if (scheme && (!isCodes || *scheme != QuantizationScheme()))
    return createStringError("option '--lm-head': expected what quantization_config says of " + head + ", found " +
                             (isCodes ? "fp8" : "bf16"));
  return Error::success();
}

Expected<std::optional<QuantizationRecipe>>
applyOptions(std::optional<QuantizationRecipe> recipe, const QuantizationOptions &options, const LinearNames &linears) {
  for (auto [option, patterns] :
       {std::pair("--fp8-layers", &options.fp8Layers), std::pair("--bf16-layers", &options.bf16Layers)})
    if (!options.fp8 && !patterns->empty())
      return createStringError(Twine("option '") + option + "': expected --dtype=fp8 with it, found another type");
  Expected<std::vector<bool>> chosen = chooseBlocks(options, linears.blocks);
  if (!chosen)
    return chosen.takeError();
  if (recipe) {
    if (options.fp8)
      if (Error error = checkIsSame(*recipe, linears.blocks, *chosen))
        return error;
    if (options.fp8Head)
      if (Error error = applyToHead(*recipe, *options.fp8Head, linears.head))
        return error;
    return recipe;
  }
  bool headIsCodes = options.fp8Head.value_or(false);
  if (!options.fp8 && !headIsCodes)
    return std::nullopt;
  std::vector<std::string> others;
  for (auto [index, linear] : enumerate(linears.blocks))
    if (!(*chosen)[index])
      others.push_back(linear);
  if (!headIsCodes)
    others.push_back(linears.head);
  return makeDynamicRecipe(others);
}

} // namespace bambac
