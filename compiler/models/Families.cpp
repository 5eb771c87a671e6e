// Asks the file for its model_type and hands it to that family.
#include "compiler/models/Families.h"
#include "compiler/config/FieldReader.h"
#include "compiler/models/BambaModel.h"
#include "compiler/models/DescriptionCheck.h"
#include "compiler/models/QuantizationConfig.h"
#include "compiler/text/JsonText.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace llvm;

namespace bambac {

namespace {
struct Family {
  StringLiteral modelType;
  Expected<ModelDescription> (*read)(const ModelSource &, WarningHandler);
};
} // namespace

/// A line a family.
static constexpr Family kFamilies[] = {{"bamba", readBamba}};

static Expected<Family> findFamily(const json::Object &object, StringRef path) {
  std::string error;
  FieldReader reader(object, path, error);
  const json::Value *type = reader.get("model_type");
  for (const Family &family : kFamilies)
    if (type && type->getAsString() == StringRef(family.modelType))
      return family;
  auto quote = [](const Family &family) { return ("\"" + family.modelType + "\"").str(); };
  reader.fail("model_type", join(map_range(kFamilies, quote), " or "));
  return createStringError(error);
}

/// Reads the recipe of another file in the folder of a config.json that has none.
using ReadRecipe = function_ref<Expected<std::optional<QuantizationRecipe>>()>;

static Expected<ModelDescription> parseModel(StringRef text, StringRef path, const QuantizationOptions &options,
                                             WarningHandler warn, ReadRecipe readRecipe) {
  Expected<json::Value> root = parseJson(text, path, JsonNumbers::Python);
  if (!root)
    return root.takeError();
  const json::Object *object = root->getAsObject();
  if (!object)
    return createStringError(path + ": expected an object, found " + describe(*root));
  Expected<Family> family = findFamily(*object, path);
  if (!family)
    return family.takeError();
  const json::Value *quantization = object->get("quantization_config");
  bool hasRecipe = quantization && quantization->getAsObject() && !quantization->getAsObject()->empty();
  Expected<std::optional<QuantizationRecipe>> recipe = std::nullopt;
  if (!hasRecipe)
    recipe = readRecipe();
  if (!recipe)
    return recipe.takeError();
  Expected<ModelDescription> model = family->read({*object, path, std::move(*recipe), options}, warn);
  if (!model)
    return model.takeError();
  if (Error error = checkDescription(*model))
    return createStringError(path + ": " + toString(std::move(error)));
  return model;
}

Expected<ModelDescription> parseModel(StringRef text, StringRef path, WarningHandler warn,
                                      const QuantizationOptions &options) {
  return parseModel(text, path, options, warn, [] { return std::nullopt; });
}

Expected<ModelDescription> loadModel(StringRef path, const QuantizationOptions &options, WarningHandler warn) {
  SmallString<256> name(path);
  if (sys::fs::is_directory(name))
    sys::path::append(name, "config.json");
  Expected<std::unique_ptr<MemoryBuffer>> file = openText(name, "a configuration");
  if (!file)
    return file.takeError();
  StringRef configPath = (*file)->getBufferIdentifier();
  return parseModel((*file)->getBuffer(), configPath, options, warn,
                    [&] { return readQuantizationFileNextTo(configPath); });
}

} // namespace bambac
