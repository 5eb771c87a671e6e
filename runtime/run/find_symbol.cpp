// Reads the file's own table of dynamic symbols: the loader finds only names that are known in full.

#include "runtime/run/find_symbol.h"

#include <algorithm>
#include <cstring>
#include <elf.h>
#include <fstream>
#include <iterator>
#include <vector>

namespace bambac::run {
namespace {

/// The bytes of a file; what lies outside of it reads as zeros, or as nothing.
class File {
public:
  explicit File(const std::string &path) {
    std::ifstream stream(path, std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(stream), {});
  }

  template <typename T> T read(uint64_t offset) const {
    T value = {};
    if (offset <= bytes.size() && bytes.size() - offset >= sizeof(T))
      std::memcpy(&value, bytes.data() + offset, sizeof(T));
    return value;
  }

  /// The characters up to a zero, within `size` bytes from `offset` on.
  std::string_view text(uint64_t offset, uint64_t size) const {
    if (offset > bytes.size())
      return {};
    std::string_view all(bytes.data() + offset, std::min<uint64_t>(size, bytes.size() - offset));
    return all.substr(0, all.find('\0'));
  }

private:
  std::vector<char> bytes;
};

} // namespace

std::string findExportedSymbol(const std::string &path, std::string_view suffix) {
  File file(path);
  auto header = file.read<Elf64_Ehdr>(0);
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64)
    return {};
  auto section = [&](uint64_t index) { return file.read<Elf64_Shdr>(header.e_shoff + index * sizeof(Elf64_Shdr)); };
  for (uint64_t i = 0; i < header.e_shnum; ++i) {
    Elf64_Shdr symbols = section(i);
    if (symbols.sh_type != SHT_DYNSYM)
      continue;
    Elf64_Shdr names = section(symbols.sh_link);
    for (uint64_t offset = 0; offset + sizeof(Elf64_Sym) <= symbols.sh_size; offset += sizeof(Elf64_Sym)) {
      auto symbol = file.read<Elf64_Sym>(symbols.sh_offset + offset);
      std::string_view name = file.text(names.sh_offset + symbol.st_name, names.sh_size);
      if (symbol.st_shndx != SHN_UNDEF && name.ends_with(suffix))
        return std::string(name);
    }
  }
  return {};
}

} // namespace bambac::run
