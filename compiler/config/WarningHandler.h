// How warnings reach the user.
#ifndef BAMBAC_COMPILER_CONFIG_WARNINGHANDLER_H
#define BAMBAC_COMPILER_CONFIG_WARNINGHANDLER_H

#include "llvm/ADT/STLFunctionalExtras.h"
#include <string>

namespace bambac {

/// Called with each warning, one line without a newline.
using WarningHandler = llvm::function_ref<void(const std::string &)>;

} // namespace bambac

#endif // BAMBAC_COMPILER_CONFIG_WARNINGHANDLER_H
