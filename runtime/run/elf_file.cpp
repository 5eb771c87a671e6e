#include "runtime/run/elf_file.h"

#include <algorithm>
#include <cstring>
#include <elf.h>
#include <fstream>

namespace bambac::run {

/// What is at `offset`; zeros where the file ends before.
template <typename T> static T readAt(std::ifstream &file, uint64_t offset) {
  T value = {};
  file.clear();
  file.seekg(static_cast<std::streamoff>(offset));
  if (!file.read(reinterpret_cast<char *>(&value), sizeof(value)))
    return {};
  return value;
}

uint64_t completeBytes(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  auto header = readAt<Elf64_Ehdr>(file, 0);
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64)
    return 0;
  uint64_t end = header.e_shoff + uint64_t{header.e_shnum} * header.e_shentsize;
  for (uint64_t i = 0; i < header.e_phnum; ++i) {
    auto segment = readAt<Elf64_Phdr>(file, header.e_phoff + i * sizeof(Elf64_Phdr));
    if (segment.p_type == PT_LOAD)
      end = std::max(end, segment.p_offset + segment.p_filesz);
  }
  return end;
}

} // namespace bambac::run
