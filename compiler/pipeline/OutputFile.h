// A file that appears complete or not at all.
#ifndef BAMBAC_COMPILER_PIPELINE_OUTPUTFILE_H
#define BAMBAC_COMPILER_PIPELINE_OUTPUTFILE_H

#include "dialects/LLVM.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/FileSystem.h"
#include <string>

namespace bambac {

/// Content goes to a temporary file next to the output and takes its name when all is well. Without keep() nothing
/// stays, and what was at the path is still there. Creating one early shows early that a path cannot be written.
class OutputFile {
public:
  static llvm::Expected<OutputFile> create(StringRef path);
  OutputFile(OutputFile &&other) noexcept;
  OutputFile &operator=(OutputFile &&) = delete;
  ~OutputFile();

  /// Where to write. Another file may be moved to this path.
  StringRef temporaryPath() const { return file->TmpName; }
  llvm::Error write(llvm::function_ref<void(raw_ostream &)> print);
  llvm::Error keep();

private:
  OutputFile(StringRef path, llvm::sys::fs::TempFile file, bool isDevice)
      : path(path), file(std::move(file)), isDevice(isDevice) {}

  std::string path;
  std::optional<llvm::sys::fs::TempFile> file;
  /// A device or pipe gets the bytes; it cannot be replaced by a file.
  bool isDevice;
};

/// Writes to the file, or to stdout where `path` is "-".
llvm::Error writeOutput(StringRef path, llvm::function_ref<void(raw_ostream &)> print);

} // namespace bambac

#endif // BAMBAC_COMPILER_PIPELINE_OUTPUTFILE_H
