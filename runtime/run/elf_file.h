// What an ELF file says of its own size.
#ifndef BAMBAC_RUNTIME_RUN_ELF_FILE_H
#define BAMBAC_RUNTIME_RUN_ELF_FILE_H

#include <cstdint>
#include <string>

namespace bambac::run {

/// The bytes that the ELF file `path` has where nothing of it is missing: up to the end of its segments and of its
/// table of sections. 0 where the file is none of ELF. The loader maps segments without a look at the file's size, and
/// what is missing ends the process when it is read.
uint64_t completeBytes(const std::string &path);

} // namespace bambac::run

#endif // BAMBAC_RUNTIME_RUN_ELF_FILE_H
