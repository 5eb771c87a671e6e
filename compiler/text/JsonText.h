// Opens JSON files that users name, and parses their text strictly. Below everything: LLVM's support library alone.
#ifndef BAMBAC_COMPILER_TEXT_JSONTEXT_H
#define BAMBAC_COMPILER_TEXT_JSONTEXT_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"
#include <memory>

namespace bambac {

/// Opens the file at `path`, which is to be `what` ("a configuration"); its identifier is its name. Devices and files
/// that are far too large are refused.
llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>> openText(llvm::StringRef path, llvm::StringRef what);

/// What may stand for a number.
enum class JsonNumbers {
  Standard, ///< what JSON says (RFC 8259)
  Python,   ///< also bare Infinity, -Infinity and NaN, which becomes the string "NaN" that no numeric field takes
};

/// Parses `text`. Fails on deep nesting before it could exhaust the stack, and on numbers that LLVM's parser takes
/// although JSON has none like them. Errors begin with `path`.
llvm::Expected<llvm::json::Value> parseJson(llvm::StringRef text, llvm::StringRef path,
                                            JsonNumbers numbers = JsonNumbers::Standard);

} // namespace bambac

#endif // BAMBAC_COMPILER_TEXT_JSONTEXT_H
