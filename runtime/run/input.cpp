#include "runtime/run/input.h"
#include "runtime/run/failure.h"

#include <array>
#include <filesystem>
#include <fstream>

namespace bambac::run {

std::string readFile(const std::string &path, std::string_view what) {
  std::error_code error;
  if (std::filesystem::is_character_file(path, error))
    fail("cannot read {} '{}': expected a file, found a device", what, path);
  std::ifstream file(path, std::ios::binary);
  std::string text;
  std::array<char, 4096> buffer;
  while (file && (file.read(buffer.data(), buffer.size()), file.gcount() > 0))
    text.append(buffer.data(), static_cast<size_t>(file.gcount()));
  // The end of the file is what stopped it, unless it could not be opened or read (a folder can be opened).
  if (!file.eof() || file.bad())
    fail("cannot read {} '{}': {}", what, path, systemMessage());
  return text;
}

} // namespace bambac::run
