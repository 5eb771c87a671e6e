// Links object files and the runtime to the shared library of a model, with the linker inside this process.
#ifndef BAMBAC_CODEGEN_LINK_LINK_H
#define BAMBAC_CODEGEN_LINK_LINK_H

#include "dialects/LLVM.h"
#include "llvm/Support/Error.h"

#include <string>
#include <vector>

namespace bambac::codegen {

struct LinkOptions {
  std::string output;
  std::vector<SmallVector<char, 0>> objects; ///< ELF objects in memory: kernels and tables
  std::string runtimeDir;                    ///< holds bamba_rt.o and what a link needs of a C++ compiler
  std::string soname;                        ///< none where empty
  std::string symbolPrefix;                  ///< before the names of the exported functions; a C identifier or empty
  unsigned threads = 0;                      ///< of the linker; 0: one for each processor
};

/// Writes the library, which exports bamba_* with the prefix and needs only the C library. Where it fails the error is
/// one line, and what was at the output's path is still there.
llvm::Error linkLibrary(const LinkOptions &options);

/// The folder ../lib/bambac seen from this program.
std::string defaultRuntimeDir(const char *argv0);

} // namespace bambac::codegen

#endif // BAMBAC_CODEGEN_LINK_LINK_H
