// Turns the diagnostics of passes into errors of one line.
#ifndef BAMBAC_COMPILER_PIPELINE_DIAGNOSTICCOLLECTOR_H
#define BAMBAC_COMPILER_PIPELINE_DIAGNOSTICCOLLECTOR_H

#include "compiler/config/WarningHandler.h"
#include "mlir/IR/Diagnostics.h"
#include <string>
#include <vector>

namespace bambac {

/// While it lives, errors emitted in the context are kept, warnings and remarks are handed on.
class DiagnosticCollector {
public:
  DiagnosticCollector(mlir::MLIRContext *context, WarningHandler warn);

  /// All errors so far, or `otherwise` where something failed without saying why.
  llvm::Error takeError(const llvm::Twine &otherwise);

private:
  WarningHandler warn;
  std::vector<std::string> errors;
  mlir::ScopedDiagnosticHandler handler;
};

} // namespace bambac

#endif // BAMBAC_COMPILER_PIPELINE_DIAGNOSTICCOLLECTOR_H
