// Makes the JSON that Python writes into JSON that a strict parser takes.
#ifndef BAMBAC_COMPILER_CONFIG_CONFIGTEXT_H
#define BAMBAC_COMPILER_CONFIG_CONFIGTEXT_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"

namespace bambac {

/// Parses `text`, in which bare Infinity, -Infinity and NaN may stand as numbers. NaN becomes the string "NaN", which
/// no numeric field takes. Fails on deep nesting before it could exhaust the stack.
llvm::Expected<llvm::json::Value> parsePythonJson(llvm::StringRef text, llvm::StringRef path);

} // namespace bambac

#endif // BAMBAC_COMPILER_CONFIG_CONFIGTEXT_H
