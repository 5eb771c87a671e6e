// Chooses the format, and does what all formats need.
#include "compiler/models/QuantizationConfig.h"
#include "compiler/config/FieldReader.h"
#include "compiler/models/ConfigLimits.h"
#include "compiler/text/JsonText.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include <cmath>

using namespace llvm;

namespace bambac {

namespace {
struct Format {
  StringLiteral method;
  void (*read)(FieldReader &, QuantizationRecipe &);
  bool listsUnknown = true; ///< fields that are not known are worth a warning
};
} // namespace

static constexpr StringLiteral kModelOpt = "modelopt";

/// A line a format.
static constexpr Format kFormats[] = {{"compressed-tensors", quantization::readCompressedTensors, false},
                                      {"fp8", quantization::readFineGrainedFp8},
                                      {kModelOpt, quantization::readModelOpt}};

/// The same value in strict JSON: infinity as Hugging Face writes it there.
static json::Value toStrict(const json::Value &value) {
  if (std::optional<double> number = value.getAsNumber(); number && !std::isfinite(*number))
    return json::Object{{"__float__", *number > 0 ? "Infinity" : "-Infinity"}};
  if (const json::Array *array = value.getAsArray())
    return json::Array(map_range(*array, toStrict));
  const json::Object *object = value.getAsObject();
  if (!object)
    return value;
  json::Object copy;
  for (const auto &[key, item] : *object)
    copy[key] = toStrict(item);
  return copy;
}

std::string quantization::showText(StringRef text) {
  std::string quoted = describe(json::Value(text.str()));
  StringRef shown = StringRef(quoted).drop_front();
  shown.consume_back("\"");
  return shown.str();
}

std::vector<ModulePattern> quantization::readPatterns(FieldReader &reader, StringRef field, ParsePattern parse) {
  std::vector<ModulePattern> patterns;
  const json::Array *array = reader.optionalArray(field);
  if (!array)
    return patterns;
  for (const json::Value &value : *array) {
    std::optional<StringRef> text = value.getAsString();
    if (!text) {
      reader.fail(field, "an array of texts", describe(value));
      return patterns;
    }
    if (Expected<ModulePattern> pattern = parse(*text))
      patterns.push_back(std::move(*pattern));
    else
      reader.fail(field, "patterns that bambac reads",
                  "\"" + showText(*text) + "\", which has " + showText(toString(pattern.takeError())));
  }
  return patterns;
}

void quantization::expectValue(FieldReader &reader, StringRef field, const json::Value &expected) {
  if (const json::Value *value = reader.get(field); value && *value != expected)
    reader.fail(field, describe(expected));
}

void quantization::readBlockSizes(FieldReader &reader, StringRef field, const json::Array &sizes, const Twine &expected,
                                  QuantizationScheme &scheme) {
  scheme.weights = QuantizationScheme::Weights::Block;
  scheme.blockRows = scheme.blockColumns = 1;
  if (sizes.size() != 2)
    return reader.fail(field, expected);
  scheme.blockRows = reader.integer(field, sizes[0], 1, limits::kWidth).value_or(1);
  scheme.blockColumns = reader.integer(field, sizes[1], 1, limits::kWidth).value_or(1);
}

bool quantization::readsKvScheme(FieldReader &reader) {
  const json::Object *object = reader.optionalObject("kv_cache_scheme");
  if (!object)
    return false;
  FieldReader scheme = reader.nested("kv_cache_scheme", *object);
  expectValue(scheme, "num_bits", 8);
  expectValue(scheme, "type", "float");
  expectValue(scheme, "symmetric", true);
  expectValue(scheme, "dynamic", false);
  expectValue(scheme, "strategy", "tensor");
  return true;
}

static std::string listMethods() {
  return join(map_range(kFormats, [](const Format &format) { return ("\"" + format.method + "\"").str(); }), ", ");
}

std::optional<QuantizationRecipe> readQuantizationConfig(FieldReader &config, std::vector<std::string> &warnings) {
  const json::Object *object = config.optionalObject("quantization_config");
  if (!object || object->empty())
    return std::nullopt;
  FieldReader reader = config.nested("quantization_config", *object);
  QuantizationRecipe recipe;
  recipe.config = toStrict(json::Object(*object));
  const json::Value *method = reader.get("quant_method");
  for (const Format &format : kFormats)
    if (method && method->getAsString() == StringRef(format.method)) {
      format.read(reader, recipe);
      if (format.listsUnknown)
        reader.listUnknown(warnings);
      return recipe;
    }
  reader.fail("quant_method", "one of " + listMethods());
  return recipe;
}

Expected<std::optional<QuantizationRecipe>> readQuantizationFileNextTo(StringRef configPath) {
  SmallString<256> path = sys::path::parent_path(configPath);
  sys::path::append(path, "hf_quant_config.json");
  if (sys::path::filename(configPath) != "config.json" || !sys::fs::exists(path))
    return std::nullopt;
  Expected<std::unique_ptr<MemoryBuffer>> file = openText(path, "a configuration");
  if (!file)
    return file.takeError();
  Expected<json::Value> root = parseJson((*file)->getBuffer(), path, JsonNumbers::Python);
  if (!root)
    return root.takeError();
  json::Object *object = root->getAsObject();
  if (!object)
    return createStringError(path + ": expected an object, found " + describe(*root));
  std::string error;
  QuantizationRecipe recipe;
  FieldReader reader(*object, path, error);
  quantization::readModelOpt(reader, recipe);
  if (!error.empty())
    return createStringError(error);
  // As it would stand in a config.json.
  json::Object config(*object);
  config["quant_method"] = kModelOpt;
  recipe.config = toStrict(std::move(config));
  return recipe;
}

} // namespace bambac
