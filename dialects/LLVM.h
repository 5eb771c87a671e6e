// Brings the names of MLIR and LLVM into our namespace; the one place that does so.
#ifndef BAMBAC_DIALECTS_LLVM_H
#define BAMBAC_DIALECTS_LLVM_H

#include "mlir/Support/LLVM.h"

namespace bambac {
using namespace mlir; // NOLINT(google-build-using-namespace)
} // namespace bambac

#endif // BAMBAC_DIALECTS_LLVM_H
