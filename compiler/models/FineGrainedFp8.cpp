// The format "fp8" of transformers, and AutoFP8's of the same name, which has no field weight_block_size.
#include "compiler/config/FieldReader.h"
#include "compiler/models/QuantizationConfig.h"

using namespace llvm;

namespace bambac::quantization {

using Weights = QuantizationScheme::Weights;

/// One of the values, of which the first is the default.
static StringRef readChoice(FieldReader &reader, StringRef field, ArrayRef<StringRef> choices, const Twine &expected) {
  const json::Value *value = reader.get(field);
  if (!value)
    return choices.front();
  StringRef text = value->getAsString().value_or("");
  if (!is_contained(choices, text))
    reader.fail(field, expected);
  return text;
}

void readFineGrainedFp8(FieldReader &reader, QuantizationRecipe &recipe) {
  bool isAutoFp8 = !reader.get("weight_block_size") && !reader.isNull("weight_block_size");
  QuantizationScheme scheme;
  if (const json::Array *sizes = reader.optionalArray("weight_block_size"))
    readBlockSizes(reader, "weight_block_size", *sizes, "two integers or null", scheme);
  else
    scheme.weights = Weights::Tensor;
  (void)readChoice(reader, "fmt", {"e4m3"}, "\"e4m3\"");
  (void)readChoice(reader, "scale_fmt", {"float"}, "\"float\"");
  (void)reader.get("expert_dtype");
  StringRef inputs = readChoice(reader, "activation_scheme", {"dynamic", "static"}, "\"dynamic\" or \"static\"");
  scheme.staticInputs = inputs == "static";
  if (scheme.staticInputs && scheme.weights == Weights::Block)
    reader.fail("activation_scheme", "\"dynamic\", as the weights have blocks");
  recipe.weightScale = isAutoFp8 ? ".weight_scale" : ".weight_scale_inv";
  recipe.inputScale = isAutoFp8 ? ".input_scale" : ".activation_scale";
  recipe.groups.push_back({{ModulePattern::makeName("Linear")}, scheme});
  for (StringRef field : {"modules_to_not_convert", "ignored_layers"})
    append_range(recipe.ignored, readPatterns(reader, field, ModulePattern::parseWildcard));
  // No writer of this format converts the head.
  recipe.ignored.push_back(ModulePattern::makeName("lm_head"));
}

} // namespace bambac::quantization
