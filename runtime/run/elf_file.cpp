#include "runtime/run/elf_file.h"

#include <algorithm>
#include <cstring>

namespace bambac::run {

template <typename T> T ElfFile::read(uint64_t offset) {
  T value = {};
  file.clear();
  file.seekg(static_cast<std::streamoff>(offset));
  if (!file.read(reinterpret_cast<char *>(&value), sizeof(value)))
    return {};
  return value;
}

std::string ElfFile::text(uint64_t offset, uint64_t size) {
  std::string characters;
  file.clear();
  file.seekg(static_cast<std::streamoff>(offset));
  for (char next = 0; characters.size() < size && file.get(next) && next != '\0';)
    characters += next;
  return characters;
}

ElfFile::ElfFile(const std::string &path) : file(path, std::ios::binary), header(read<Elf64_Ehdr>(0)) {
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64)
    header = {};
}

uint64_t ElfFile::completeBytes() {
  uint64_t end = header.e_shoff + uint64_t{header.e_shnum} * header.e_shentsize;
  for (uint64_t i = 0; i < header.e_phnum; ++i) {
    auto segment = read<Elf64_Phdr>(header.e_phoff + i * sizeof(Elf64_Phdr));
    if (segment.p_type == PT_LOAD)
      end = std::max(end, segment.p_offset + segment.p_filesz);
  }
  return end;
}

std::string ElfFile::findExportedSymbol(std::string_view suffix) {
  auto section = [&](uint64_t index) { return read<Elf64_Shdr>(header.e_shoff + index * sizeof(Elf64_Shdr)); };
  for (uint64_t i = 0; i < header.e_shnum; ++i) {
    Elf64_Shdr symbols = section(i);
    if (symbols.sh_type != SHT_DYNSYM)
      continue;
    Elf64_Shdr names = section(symbols.sh_link);
    for (uint64_t offset = 0; offset + sizeof(Elf64_Sym) <= symbols.sh_size; offset += sizeof(Elf64_Sym)) {
      auto symbol = read<Elf64_Sym>(symbols.sh_offset + offset);
      if (symbol.st_shndx == SHN_UNDEF)
        continue;
      if (std::string name = text(names.sh_offset + symbol.st_name, names.sh_size); name.ends_with(suffix))
        return name;
    }
  }
  return {};
}

} // namespace bambac::run
