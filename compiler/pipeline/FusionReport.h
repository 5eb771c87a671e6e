// What `--explain-fusion` says: which ops joined a kernel, and which rule kept others apart.
#ifndef BAMBAC_COMPILER_PIPELINE_FUSIONREPORT_H
#define BAMBAC_COMPILER_PIPELINE_FUSIONREPORT_H

#include "dialects/LLVM.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/Remarks.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"
#include <map>
#include <string>

namespace bambac {

/// Gathers the remarks of category "fusion". Layers and entry points repeat each other, so what is said at several
/// places is one line with their number.
class FusionReport {
public:
  /// Listens to `context` from here on. The report must outlive the context's remark engine.
  void listen(MLIRContext &context);

  /// Prints what was gathered, a line each, and forgets it.
  void print(raw_ostream &stream);

private:
  class Streamer;
  struct Places {
    unsigned count = 0;
    std::string first;                  ///< the name of the op there, such as layers.0.mamba.norm
    llvm::SetVector<StringRef> entries; ///< owned by the context
  };
  llvm::MapVector<std::string, Places, std::map<std::string, unsigned>> lines;
};

} // namespace bambac

#endif // BAMBAC_COMPILER_PIPELINE_FUSIONREPORT_H
