// Reads the safetensors format: a length, a JSON header that describes the tensors, and their bytes.
#ifndef BAMBA_RUNTIME_CHECKPOINT_SAFETENSORS_H
#define BAMBA_RUNTIME_CHECKPOINT_SAFETENSORS_H

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

/// One tensor of a file. `data` points into the bytes that were parsed, holds exactly the shape's elements, row-major
/// and little-endian, and need not be aligned.
struct FileTensor {
  const FileDtype *dtype;
  std::vector<uint64_t> shape;
  std::span<const std::byte> data;
};

using FileTensors = std::map<std::string, FileTensor, std::less<>>;

/// Parses the bytes of one file, named `path` in messages. The tensors point into `file`.
///
/// As the format demands, the tensors must cover the bytes after the header without a gap or an overlap, names must be
/// unique, and each tensor's bytes must be what its type and shape say. Everything else throws Error
/// BAMBA_BAD_CHECKPOINT that names the file, the tensor and the field. Pure; thread-safe.
FileTensors parseSafetensors(std::string_view path, std::span<const std::byte> file);

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_CHECKPOINT_SAFETENSORS_H
