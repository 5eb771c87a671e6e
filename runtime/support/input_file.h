// A file that is read at any place.
#ifndef BAMBA_RUNTIME_SUPPORT_INPUT_FILE_H
#define BAMBA_RUNTIME_SUPPORT_INPUT_FILE_H

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace bambac::rt {

/// Owns the open file. It is read and not mapped: a page of a map that the system cannot provide, because the file was
/// cut or its disk fails, ends the process. Immutable, so any thread may read. Movable.
class InputFile {
public:
  /// Throws Error: BAMBA_NOT_FOUND where there is no such file, BAMBA_IO_ERROR where it cannot be opened.
  explicit InputFile(std::string path);
  InputFile(InputFile &&other) noexcept;
  InputFile &operator=(InputFile &&) = delete;
  ~InputFile();

  const std::string &path() const { return name; }

  /// Bytes of the file when it was opened.
  uint64_t size() const { return bytes; }

  /// Fills `to` with the bytes from `offset` on. Throws Error BAMBA_IO_ERROR where the system cannot read them, or the
  /// file has become shorter.
  void read(uint64_t offset, std::span<std::byte> to) const;

  /// Asks the system to read ahead: it would else do so in small steps. Advice; a refusal does not matter.
  void readAhead(uint64_t offset, uint64_t count) const noexcept;

private:
  std::string name;
  int fd;
  uint64_t bytes = 0;
};

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_SUPPORT_INPUT_FILE_H
