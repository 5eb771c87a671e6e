#include "codegen/link/TemporaryFiles.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Signals.h"
#include "llvm/Support/raw_ostream.h"
#include <tuple>

using namespace bambac;
using namespace bambac::codegen;

llvm::Error codegen::fileError(const Twine &action, StringRef path, std::error_code code) {
  return llvm::createStringError(code, "cannot " + action + " '" + path + "': " + code.message());
}

TemporaryFiles::~TemporaryFiles() {
  for (const std::string &path : paths) {
    std::ignore = llvm::sys::fs::remove(path); // one that was renamed is not there any more, which is no error
    llvm::sys::DontRemoveFileOnSignal(path);
  }
}

const char *TemporaryFiles::keep(StringRef path) {
  llvm::sys::RemoveFileOnSignal(path);
  return paths.emplace_back(path).c_str();
}

llvm::Expected<const char *> TemporaryFiles::write(StringRef suffix, StringRef content) {
  SmallString<128> path;
  int descriptor;
  if (std::error_code code = llvm::sys::fs::createTemporaryFile("bambac", suffix, descriptor, path))
    return fileError("create a temporary file", path, code);
  const char *kept = keep(path);
  llvm::raw_fd_ostream stream(descriptor, /*shouldClose=*/true);
  stream << content;
  stream.close();
  if (std::error_code code = stream.error()) {
    stream.clear_error();
    return fileError("write", path, code);
  }
  return kept;
}

llvm::Expected<const char *> TemporaryFiles::createBeside(StringRef path) {
  SmallString<128> made;
  if (std::error_code code = llvm::sys::fs::createUniqueFile(path + ".tmp-%%%%%%%%", made))
    return fileError("write", path, code);
  return keep(made);
}
