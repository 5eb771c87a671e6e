// Temporary files and their renaming.
#include "compiler/pipeline/OutputFile.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
namespace fs = llvm::sys::fs;

namespace bambac {

static llvm::Error cannotWrite(StringRef path, const Twine &reason) {
  return llvm::createStringError("cannot write " + path + ": " + reason);
}

llvm::Expected<OutputFile> OutputFile::create(StringRef path) {
  fs::file_status status;
  bool exists = !fs::status(path, status);
  if (exists && fs::is_directory(status))
    return cannotWrite(path, "it is a folder");
  bool isDevice = exists && !fs::is_regular_file(status);
  SmallString<128> model(path);
  if (isDevice) {
    llvm::sys::path::system_temp_directory(/*ErasedOnReboot=*/true, model);
    llvm::sys::path::append(model, "bambac");
  }
  llvm::Expected<fs::TempFile> file = fs::TempFile::create(model + ".%%%%%%%%.tmp");
  if (!file)
    return cannotWrite(path, llvm::toString(file.takeError()));
  return OutputFile(path, std::move(*file), isDevice);
}

OutputFile::OutputFile(OutputFile &&other) noexcept
    : path(std::move(other.path)), file(std::move(other.file)), isDevice(other.isDevice) {
  other.file.reset();
}

OutputFile::~OutputFile() {
  // A file that cannot be removed is all that can go wrong, and there is nobody to tell.
  if (file)
    llvm::consumeError(file->discard());
}

llvm::Error OutputFile::write(llvm::function_ref<void(raw_ostream &)> print) {
  llvm::raw_fd_ostream stream(file->FD, /*shouldClose=*/false);
  print(stream);
  stream.flush();
  if (!stream.has_error())
    return llvm::Error::success();
  std::string reason = stream.error().message();
  stream.clear_error();
  return cannotWrite(path, reason);
}

llvm::Error OutputFile::keep() {
  if (isDevice) {
    if (std::error_code code = fs::copy_file(file->TmpName, path))
      return cannotWrite(path, code.message());
    return llvm::Error::success();
  }
  llvm::Error error = file->keep(path);
  if (!error)
    file.reset();
  return error ? cannotWrite(path, llvm::toString(std::move(error))) : llvm::Error::success();
}

llvm::Error writeOutput(StringRef path, llvm::function_ref<void(raw_ostream &)> print) {
  if (path == "-") {
    print(llvm::outs());
    llvm::outs().flush();
    if (!llvm::outs().has_error())
      return llvm::Error::success();
    std::string reason = llvm::outs().error().message();
    llvm::outs().clear_error();
    return cannotWrite("the standard output", reason);
  }
  llvm::Expected<OutputFile> file = OutputFile::create(path);
  if (!file)
    return file.takeError();
  if (llvm::Error error = file->write(print))
    return error;
  return file->keep();
}

} // namespace bambac
