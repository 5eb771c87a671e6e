// Reads the safetensors format: a length, a JSON header that describes the tensors, and their bytes.
#ifndef BAMBA_RUNTIME_CHECKPOINT_SAFETENSORS_H
#define BAMBA_RUNTIME_CHECKPOINT_SAFETENSORS_H

#include "runtime/support/input_file.h"
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bambac::rt {

/// The largest header of the format's own implementation, in bytes: a larger one is not written, and where it is read
/// it is damage.
inline constexpr uint64_t maxSafetensorsHeader = 100'000'000;

/// An element type of the format, by its name in the header ("BF16").
struct FileDtype {
  std::string_view name;
  uint32_t bits;
};

/// One tensor of a file. Its bytes hold exactly the shape's elements, row-major and little-endian, and need not be
/// aligned.
struct FileTensor {
  const FileDtype *dtype;
  std::vector<uint64_t> shape;
  uint64_t offset, bytes; ///< in the file
};

using FileTensors = std::map<std::string, FileTensor, std::less<>>;

/// Parses the start of a file of `fileBytes` bytes, named `path` in messages: its header, and what follows it or not.
///
/// As the format demands, the tensors must cover the bytes after the header without a gap or an overlap, names must be
/// unique, and each tensor's bytes must be what its type and shape say. Everything else throws Error
/// BAMBA_BAD_CHECKPOINT that names the file, the tensor and the field. Pure; thread-safe.
FileTensors parseSafetensors(std::string_view path, std::span<const std::byte> start, uint64_t fileBytes);

/// The same for a whole file in memory.
inline FileTensors parseSafetensors(std::string_view path, std::span<const std::byte> file) {
  return parseSafetensors(path, file, file.size());
}

/// Reads the header of a file. Throws Error BAMBA_IO_ERROR too.
FileTensors readSafetensors(const InputFile &file);

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_CHECKPOINT_SAFETENSORS_H
