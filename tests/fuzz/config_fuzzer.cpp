// Fuzz target: the reader of configurations. Whatever the bytes, it gives a description or an error of one line about
// the file's text or one of its fields, and a model that it accepts reads back from its normalised form as the same.
#include "compiler/models/Families.h"

#include <cstdlib>

using namespace bambac;

static void check(bool condition) {
  if (!condition)
    std::abort();
}

/// What a family accepts, its description must bear: no mistake may be found there first.
static bool isAboutTheFile(llvm::StringRef error) {
  return !error.contains('\n') &&
         (error.contains(": field '") || error.contains("expected JSON") || error.contains("expected an object"));
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  auto ignoreWarnings = [](const std::string &warning) { check(warning.find('\n') == std::string::npos); };
  llvm::StringRef text(reinterpret_cast<const char *>(data), size);
  llvm::Expected<ModelDescription> model = parseModel(text, "config.json", ignoreWarnings);
  if (!model) {
    check(isAboutTheFile(llvm::toString(model.takeError())));
    return 0;
  }
  check(model->countParameters() > 0);
  llvm::Expected<ModelDescription> again = parseModel(model->config, "config.json", ignoreWarnings);
  check(static_cast<bool>(again));
  check(again->config == model->config);
  return 0;
}
