// The format of NVIDIA's ModelOpt: one algorithm for all linears, or one for each. In hf_quant_config.json, and in some
// files of config.json, it stands within a field "quantization".
#include "compiler/config/FieldReader.h"
#include "compiler/models/QuantizationConfig.h"

using namespace llvm;

namespace bambac::quantization {

using Weights = QuantizationScheme::Weights;

static constexpr StringLiteral kAlgorithm = "quant_algo";

static std::optional<QuantizationScheme> findAlgorithm(StringRef name) {
  if (name.equals_insensitive("FP8"))
    return QuantizationScheme{Weights::Tensor, 0, 0, /*staticInputs=*/true};
  if (name.equals_insensitive("FP8_PER_CHANNEL_PER_TOKEN"))
    return QuantizationScheme();
  return std::nullopt;
}

/// An algorithm for each of some layers.
static void readLayers(FieldReader &reader, QuantizationRecipe &recipe) {
  constexpr StringLiteral field = "quantized_layers";
  const json::Object *layers = reader.optionalObject(field);
  if (!layers || layers->empty())
    return reader.fail(field, "the algorithm of each quantized layer");
  FieldReader nested = reader.nested(field, *layers);
  std::vector<StringRef> names;
  for (const auto &[name, value] : *layers)
    names.push_back(name);
  llvm::sort(names);
  for (StringRef name : names) {
    std::string shown = showText(name);
    const json::Object *layer = layers->get(name)->getAsObject();
    if (!layer)
      return nested.fail(shown, "an object", describe(*layers->get(name)));
    FieldReader layerReader = nested.nested(shown, *layer);
    const json::Value *algorithm = layerReader.get(kAlgorithm);
    std::optional<QuantizationScheme> scheme =
        algorithm ? findAlgorithm(algorithm->getAsString().value_or("")) : std::nullopt;
    if (!scheme)
      return layerReader.fail(kAlgorithm, "\"FP8\" or \"FP8_PER_CHANNEL_PER_TOKEN\"");
    Expected<ModulePattern> pattern = ModulePattern::parseWildcard(name);
    if (!pattern)
      return nested.fail(shown, "a pattern that bambac reads",
                         "one that has " + showText(toString(pattern.takeError())));
    recipe.groups.push_back({{std::move(*pattern)}, *scheme});
  }
}

static void readCacheScales(FieldReader &reader, QuantizationRecipe &recipe) {
  const json::Value *algorithm = reader.get("kv_cache_quant_algo");
  if (algorithm && !algorithm->getAsString().value_or("").equals_insensitive("FP8"))
    reader.fail("kv_cache_quant_algo", "\"FP8\" or null");
  recipe.cachesCodes = readsKvScheme(reader) || algorithm;
  recipe.cacheScales = {"k_proj.k_scale", "v_proj.v_scale"};
}

static void readAlgorithms(FieldReader &reader, QuantizationRecipe &recipe) {
  for (StringRef field : {"ignore", "exclude_modules"})
    append_range(recipe.ignored, readPatterns(reader, field, ModulePattern::parseWildcard));
  readCacheScales(reader, recipe);
  // They say what the algorithm says, or describe others.
  for (StringRef field : {"config_groups", "group_size", "producer", "quantized_layers", "quant_method"})
    (void)reader.get(field);
  const json::Value *algorithm = reader.get(kAlgorithm);
  if (!algorithm && recipe.cachesCodes)
    return;
  StringRef name = algorithm ? algorithm->getAsString().value_or("") : "";
  if (name.equals_insensitive("MIXED_PRECISION"))
    readLayers(reader, recipe);
  else if (std::optional<QuantizationScheme> scheme = findAlgorithm(name))
    recipe.groups.push_back({{ModulePattern::makeName("Linear")}, *scheme});
  else
    reader.fail(kAlgorithm, "\"FP8\", \"FP8_PER_CHANNEL_PER_TOKEN\" or \"MIXED_PRECISION\"");
}

void readModelOpt(FieldReader &reader, QuantizationRecipe &recipe) {
  const json::Object *inner = reader.optionalObject("quantization");
  if (!inner)
    return readAlgorithms(reader, recipe);
  (void)reader.get("producer");
  FieldReader nested = reader.nested("quantization", *inner);
  readAlgorithms(nested, recipe);
}

} // namespace bambac::quantization
