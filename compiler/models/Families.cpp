// Asks the file for its model_type and hands it to that family.
#include "compiler/models/Families.h"
#include "compiler/config/ConfigText.h"
#include "compiler/config/FieldReader.h"
#include "compiler/models/BambaModel.h"
#include "compiler/models/DescriptionCheck.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace llvm;

namespace bambac {

namespace {
struct Family {
  StringLiteral modelType;
  Expected<ModelDescription> (*read)(const json::Object &, StringRef path, WarningHandler);
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

Expected<ModelDescription> parseModel(StringRef text, StringRef path, WarningHandler warn) {
  Expected<json::Value> root = parsePythonJson(text, path);
  if (!root)
    return root.takeError();
  const json::Object *object = root->getAsObject();
  if (!object)
    return createStringError(path + ": expected an object, found " + describe(*root));
  Expected<Family> family = findFamily(*object, path);
  if (!family)
    return family.takeError();
  Expected<ModelDescription> model = family->read(*object, path, warn);
  if (!model)
    return model.takeError();
  if (Error error = checkDescription(*model))
    return createStringError(path + ": " + toString(std::move(error)));
  return model;
}

Expected<ModelDescription> loadModel(StringRef path, WarningHandler warn) {
  Expected<std::unique_ptr<MemoryBuffer>> file = openConfig(path);
  if (!file)
    return file.takeError();
  return parseModel((*file)->getBuffer(), (*file)->getBufferIdentifier(), warn);
}

} // namespace bambac
