// Files that live as long as one link.
#ifndef BAMBAC_CODEGEN_LINK_TEMPORARYFILES_H
#define BAMBAC_CODEGEN_LINK_TEMPORARYFILES_H

#include "dialects/LLVM.h"
#include "llvm/Support/Error.h"

#include <deque>
#include <string>

namespace bambac::codegen {

/// "cannot <action> '<path>': <reason>".
llvm::Error fileError(const Twine &action, StringRef path, std::error_code code);

/// Writes temporary files and removes them at the end, also where a signal ends the process.
class TemporaryFiles {
public:
  TemporaryFiles() = default;
  TemporaryFiles(const TemporaryFiles &) = delete;
  TemporaryFiles &operator=(const TemporaryFiles &) = delete;
  ~TemporaryFiles();

  /// Writes `content` to a new file of the system's temporary folder and returns its path, which stays valid.
  llvm::Expected<const char *> write(StringRef suffix, StringRef content);
  /// Makes an empty file next to `path`, so that it can be renamed to it.
  llvm::Expected<const char *> createBeside(StringRef path);

private:
  const char *keep(StringRef path);

  std::deque<std::string> paths;
};

} // namespace bambac::codegen

#endif // BAMBAC_CODEGEN_LINK_TEMPORARYFILES_H
