// Renames the functions of the runtime, for a library whose exported functions have a prefix of their own.
#ifndef BAMBAC_CODEGEN_LINK_PREFIXSYMBOLS_H
#define BAMBAC_CODEGEN_LINK_PREFIXSYMBOLS_H

#include "dialects/LLVM.h"
#include "llvm/Support/Error.h"

namespace bambac::codegen {

/// The object file `path` with `prefix` before the name of each function of the C interface (bamba_*) that it defines.
llvm::Expected<SmallVector<char, 0>> prefixSymbols(StringRef path, StringRef prefix);

} // namespace bambac::codegen

#endif // BAMBAC_CODEGEN_LINK_PREFIXSYMBOLS_H
