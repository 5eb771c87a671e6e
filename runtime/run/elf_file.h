// What an ELF file says of itself, without the loader.
#ifndef BAMBAC_RUNTIME_RUN_ELF_FILE_H
#define BAMBAC_RUNTIME_RUN_ELF_FILE_H

#include <cstdint>
#include <elf.h>
#include <fstream>
#include <string>
#include <string_view>

namespace bambac::run {

/// A file of 64 bits. Of one that is none of ELF, or cannot be read, all answers are 0 or empty.
class ElfFile {
public:
  explicit ElfFile(const std::string &path);

  /// The bytes of the file where nothing of it is missing: up to the end of its segments and of its table of sections.
  /// The loader maps segments without a look at the file's size, and what is missing ends the process when it is read.
  uint64_t completeBytes();

  /// The name of the first symbol that it exports and that ends with `suffix`. The loader finds only names that are
  /// known in full.
  std::string findExportedSymbol(std::string_view suffix);

private:
  /// What is at `offset`; zeros where the file ends before.
  template <typename T> T read(uint64_t offset);
  /// The characters up to a zero, within `size` bytes from `offset` on.
  std::string text(uint64_t offset, uint64_t size);

  std::ifstream file;
  Elf64_Ehdr header;
};

} // namespace bambac::run

#endif // BAMBAC_RUNTIME_RUN_ELF_FILE_H
