// The format of compressed-tensors: groups of modules, and for each how its weights and inputs are quantized. Keys that
// are unknown here are ignored, as their own reader does.
#include "compiler/config/FieldReader.h"
#include "compiler/models/ConfigLimits.h"
#include "compiler/models/QuantizationConfig.h"
#include "llvm/ADT/StringExtras.h"

using namespace llvm;

namespace bambac::quantization {

using Weights = QuantizationScheme::Weights;

/// A field that must be there and have this value.
static void requireValue(FieldReader &reader, StringRef field, const json::Value &expected) {
  if (const json::Value *value = reader.get(field); !value || *value != expected)
    reader.fail(field, describe(expected));
}

/// True for null, and for what holds nothing else.
static bool isEmpty(const json::Value &value) {
  if (const json::Object *object = value.getAsObject())
    return all_of(*object, [](const auto &field) { return isEmpty(field.second); });
  if (const json::Array *array = value.getAsArray())
    return all_of(*array, isEmpty);
  return value.kind() == json::Value::Null;
}

/// Fields whose presence means something that is not implemented.
static void expectNone(FieldReader &reader, StringRef field) {
  if (const json::Value *value = reader.get(field); value && !isEmpty(*value))
    reader.fail(field, "null");
}

/// The strategy of weights or inputs; where the file does not say, its group size does.
static StringRef readStrategy(FieldReader &reader) {
  const json::Value *value = reader.get("strategy");
  if (value)
    return value->getAsString().value_or("");
  std::optional<int64_t> size = reader.optionalInteger("group_size", -1, limits::kWidth);
  return !size ? "tensor" : *size == -1 ? "channel" : "group";
}

static int64_t readGroupSize(FieldReader &reader) { return reader.requiredInteger("group_size", 1, limits::kWidth); }

/// Rows and columns: [128, 128], or "128x128" in older files.
static void readBlocks(FieldReader &reader, QuantizationScheme &scheme) {
  constexpr StringLiteral field = "block_structure";
  const json::Value *value = reader.get(field);
  json::Array sizes;
  if (const json::Array *array = value ? value->getAsArray() : nullptr) {
    sizes = *array;
  } else if (value && value->getAsString()) {
    auto [rows, columns] = value->getAsString()->split('x');
    if (int64_t numbers[2]; to_integer(rows, numbers[0], 10) && to_integer(columns, numbers[1], 10))
      sizes = json::Array{numbers[0], numbers[1]};
  }
  readBlockSizes(reader, field, sizes, "two integers", scheme);
}

/// Codes are e4m3, and zero is zero.
static void expectFp8(FieldReader &reader) {
  requireValue(reader, "num_bits", 8);
  requireValue(reader, "type", "float");
  expectValue(reader, "symmetric", true);
  const json::Value *scales = reader.get("scale_dtype");
  if (scales && !is_contained({"torch.bfloat16", "torch.float16", "torch.float32", "bfloat16", "float16", "float32"},
                              scales->getAsString().value_or("")))
    reader.fail("scale_dtype", "\"bfloat16\", \"float16\" or \"float32\"");
}

/// The reader of what a group says of weights or inputs, which are codes of e4m3; none where it says nothing.
static std::optional<FieldReader> readArguments(FieldReader &group, StringRef field, const Twine &expected) {
  const json::Object *object = group.optionalObject(field);
  if (!object) {
    group.fail(field, expected);
    return std::nullopt;
  }
  FieldReader reader = group.nested(field, *object);
  expectFp8(reader);
  return reader;
}

static void readWeights(FieldReader &group, QuantizationScheme &scheme) {
  std::optional<FieldReader> arguments = readArguments(group, "weights", "an object");
  if (!arguments)
    return;
  FieldReader &reader = *arguments;
  expectValue(reader, "dynamic", false);
  StringRef strategy = readStrategy(reader);
  if (strategy == "tensor") {
    scheme.weights = Weights::Tensor;
  } else if (strategy == "channel") {
    scheme.weights = Weights::Channel;
  } else if (strategy == "block") {
    readBlocks(reader, scheme);
  } else if (strategy == "group") {
    scheme.weights = Weights::Block;
    scheme.blockRows = 1;
    scheme.blockColumns = readGroupSize(reader);
    expectNone(reader, "actorder");
  } else {
    reader.fail("strategy", "\"tensor\", \"channel\", \"group\" or \"block\"");
  }
}

static void readInputs(FieldReader &group, QuantizationScheme &scheme) {
  std::optional<FieldReader> arguments =
      readArguments(group, "input_activations", "an object (weights alone are not supported)");
  if (!arguments)
    return;
  FieldReader &reader = *arguments;
  const json::Value *dynamic = reader.get("dynamic");
  std::optional<bool> isDynamic = dynamic ? dynamic->getAsBoolean() : false;
  if (!isDynamic)
    return reader.fail("dynamic", "true or false");
  scheme.staticInputs = !*isDynamic;
  StringRef strategy = readStrategy(reader);
  StringRef expected = scheme.staticInputs ? "tensor" : scheme.weights == Weights::Block ? "group" : "token";
  if (scheme.weights == Weights::Block && scheme.staticInputs)
    return reader.fail("dynamic", "true, as the weights have blocks", "false");
  if (strategy != expected)
    return reader.fail("strategy", "\"" + expected + "\"");
  if (strategy == "group" && readGroupSize(reader) != scheme.blockColumns)
    reader.fail("group_size", Twine(scheme.blockColumns) + " like the columns of a block of weights");
}

static void checkFormat(FieldReader &reader, StringRef field = "format") {
  const json::Value *format = reader.get(field);
  if (format && !is_contained({"float-quantized", "naive-quantized"}, format->getAsString().value_or("")))
    reader.fail(field, "\"float-quantized\"");
}

/// The scheme of a preset's name, which a group may have in place of a scheme.
static std::optional<QuantizationScheme> findPreset(StringRef name) {
  if (name == "FP8_DYNAMIC")
    return QuantizationScheme();
  if (name == "FP8")
    return QuantizationScheme{Weights::Tensor, 0, 0, /*staticInputs=*/true};
  if (name == "FP8_BLOCK")
    return QuantizationScheme{Weights::Block, 128, 128};
  return std::nullopt;
}

/// Only linears are read as codes.
static void checkTargets(FieldReader &reader, StringRef field, const std::vector<ModulePattern> &targets) {
  for (const ModulePattern &target : targets)
    if (StringRef text = target.getText(); text == "Embedding" || text.ends_with("embed_tokens"))
      reader.fail(field, "linears", "\"" + showText(text) + "\"");
  if (targets.empty())
    reader.fail(field, "at least one module or class");
}

static void readGroup(FieldReader &groups, StringRef name, const json::Value &value, QuantizationRecipe &recipe) {
  QuantizationRecipe::Group group;
  std::string shown = showText(name);
  if (value.getAsArray()) {
    std::optional<QuantizationScheme> preset = findPreset(name);
    if (!preset)
      return groups.fail(shown, "a scheme, or the targets of FP8, FP8_DYNAMIC or FP8_BLOCK", "the targets of " + shown);
    group.scheme = *preset;
    group.targets = readPatterns(groups, name, ModulePattern::parseTarget);
    checkTargets(groups, name, group.targets);
  } else if (const json::Object *object = value.getAsObject()) {
    FieldReader reader = groups.nested(shown, *object);
    group.targets = readPatterns(reader, "targets", ModulePattern::parseTarget);
    checkTargets(reader, "targets", group.targets);
    checkFormat(reader);
    readWeights(reader, group.scheme);
    readInputs(reader, group.scheme);
    expectNone(reader, "output_activations");
  } else {
    groups.fail(shown, "an object or an array", describe(value));
  }
  recipe.groups.push_back(std::move(group));
}

void readCompressedTensors(FieldReader &reader, QuantizationRecipe &recipe) {
  const json::Value *format = reader.get("format");
  if (!format || format->getAsString() != StringRef("mixed-precision")) // then each group has its format
    checkFormat(reader);
  if (const json::Object *sparsity = reader.optionalObject("sparsity_config")) {
    FieldReader nested = reader.nested("sparsity_config", *sparsity);
    expectValue(nested, "format", "dense");
  }
  expectNone(reader, "transform_config");
  recipe.ignored = readPatterns(reader, "ignore", ModulePattern::parseTarget);
  if (const json::Object *object = reader.optionalObject("config_groups")) {
    FieldReader groups = reader.nested("config_groups", *object);
    // In alphabetical order, so that the same group is always the first.
    std::vector<StringRef> names;
    for (const auto &[name, value] : *object)
      names.push_back(name);
    llvm::sort(names);
    for (StringRef name : names)
      readGroup(groups, name, *object->get(name), recipe);
  }
  recipe.cachesCodes = readsKvScheme(reader);
  if (recipe.groups.empty() && !recipe.cachesCodes)
    reader.fail("config_groups", "at least one group");
}

} // namespace bambac::quantization
