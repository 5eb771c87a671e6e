// Finds a function of a library whose name is known but for a prefix.
#ifndef BAMBAC_RUNTIME_RUN_FIND_SYMBOL_H
#define BAMBAC_RUNTIME_RUN_FIND_SYMBOL_H

#include <string>
#include <string_view>

namespace bambac::run {

/// The name of the first symbol that the ELF file `path` exports and that ends with `suffix`; empty where there is none
/// or the file is none of ELF.
std::string findExportedSymbol(const std::string &path, std::string_view suffix);

} // namespace bambac::run

#endif // BAMBAC_RUNTIME_RUN_FIND_SYMBOL_H
