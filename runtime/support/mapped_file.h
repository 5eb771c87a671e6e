// A file mapped read-only into memory.
#ifndef BAMBA_RUNTIME_SUPPORT_MAPPED_FILE_H
#define BAMBA_RUNTIME_SUPPORT_MAPPED_FILE_H

#include <cstddef>
#include <span>
#include <string>

namespace bambac::rt {

/// Owns the mapping; the bytes are valid as long as it lives. Immutable, so any thread may read it. The file must not
/// be shortened while it is mapped. Movable.
class MappedFile {
public:
  /// Throws Error: BAMBA_NOT_FOUND where there is no such file, BAMBA_IO_ERROR where it cannot be read.
  explicit MappedFile(std::string path);
  MappedFile(MappedFile &&other) noexcept;
  MappedFile &operator=(MappedFile &&) = delete;
  ~MappedFile();

  const std::string &path() const { return name; }
  std::span<const std::byte> bytes() const { return {base, size}; }

private:
  std::string name;
  const std::byte *base = nullptr;
  size_t size = 0;
};

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_SUPPORT_MAPPED_FILE_H
