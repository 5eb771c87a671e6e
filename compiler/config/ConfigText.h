// Opens a config.json and makes the JSON that Python writes into JSON that a strict parser takes.
#ifndef BAMBAC_COMPILER_CONFIG_CONFIGTEXT_H
#define BAMBAC_COMPILER_CONFIG_CONFIGTEXT_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"
#include <memory>

namespace bambac {

/// Opens a config.json, or the one in the folder `path`; its identifier is the file's name.
llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>> openConfig(llvm::StringRef path);

/// Parses `text`, in which bare Infinity, -Infinity and NaN may stand as numbers. NaN becomes the string "NaN", which
/// no numeric field takes. Fails on deep nesting before it could exhaust the stack.
llvm::Expected<llvm::json::Value> parsePythonJson(llvm::StringRef text, llvm::StringRef path);

} // namespace bambac

#endif // BAMBAC_COMPILER_CONFIG_CONFIGTEXT_H
