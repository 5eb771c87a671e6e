// Fuzz target: the parser of configurations. Whatever the bytes, it gives a configuration or an error of one line, and
// a configuration that it accepts reads back from its normalised form as the same.
#include "compiler/models/BambaConfig.h"

#include <cstdlib>

using namespace bambac;

static void check(bool condition) {
  if (!condition)
    std::abort();
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  auto ignoreWarnings = [](const std::string &warning) { check(warning.find('\n') == std::string::npos); };
  llvm::StringRef text(reinterpret_cast<const char *>(data), size);
  llvm::Expected<BambaConfig> config = parseBambaConfig(text, "config.json", ignoreWarnings);
  if (!config) {
    check(llvm::toString(config.takeError()).find('\n') == std::string::npos);
    return 0;
  }
  check(config->countParameters() > 0);
  std::string normal = toJsonText(*config);
  llvm::Expected<BambaConfig> again = parseBambaConfig(normal, "config.json", ignoreWarnings);
  check(static_cast<bool>(again));
  check(toJsonText(*again) == normal);
  return 0;
}
