// Text of a diagnostic: where, what, and short notes.
#include "compiler/pipeline/DiagnosticCollector.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Location.h"

using namespace mlir;

namespace bambac {

/// The diagnostic on one line. Notes of several lines show IR, for which there is bambac-opt.
static std::string toLine(const Diagnostic &diagnostic) {
  std::string line;
  llvm::raw_string_ostream stream(line);
  if (auto name = dyn_cast<NameLoc>(diagnostic.getLocation()))
    stream << name.getName().getValue() << ": ";
  else if (auto file = dyn_cast<FileLineColLoc>(diagnostic.getLocation()))
    stream << file.getFilename().getValue() << ':' << file.getLine() << ':' << file.getColumn() << ": ";
  stream << diagnostic;
  for (const Diagnostic &note : const_cast<Diagnostic &>(diagnostic).getNotes())
    if (std::string text = note.str(); !StringRef(text).contains('\n'))
      stream << "; " << text;
  llvm::replace(line, '\n', ' ');
  return line;
}

DiagnosticCollector::DiagnosticCollector(MLIRContext *context, WarningHandler warn)
    : warn(warn), handler(context, [this](Diagnostic &diagnostic) {
        if (diagnostic.getSeverity() == DiagnosticSeverity::Error)
          errors.push_back(toLine(diagnostic));
        else
          this->warn(toLine(diagnostic));
      }) {}

llvm::Error DiagnosticCollector::takeError(const Twine &otherwise) {
  if (errors.empty())
    return llvm::createStringError(otherwise);
  llvm::Error all = llvm::Error::success();
  for (const std::string &error : errors)
    all = llvm::joinErrors(std::move(all), llvm::createStringError(error));
  errors.clear();
  return all;
}

} // namespace bambac
