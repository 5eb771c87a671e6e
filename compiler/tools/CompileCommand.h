// `bambac compile`: from its command line to compileModel.
#ifndef BAMBAC_COMPILER_TOOLS_COMPILECOMMAND_H
#define BAMBAC_COMPILER_TOOLS_COMPILECOMMAND_H

#include "llvm/ADT/ArrayRef.h"
#include <string>

namespace bambac {

/// Runs the command on the arguments after "compile" and returns the exit code.
int runCompileCommand(const char *program, llvm::ArrayRef<const char *> arguments);

/// Versions of bambac and of LLVM, one a line.
std::string versionText();

} // namespace bambac

#endif // BAMBAC_COMPILER_TOOLS_COMPILECOMMAND_H
