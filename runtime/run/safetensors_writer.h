// Writes a .safetensors file: eight bytes of header length, a JSON header, the tensors' bytes without gaps.
#ifndef BAMBAC_RUNTIME_RUN_SAFETENSORS_WRITER_H
#define BAMBAC_RUNTIME_RUN_SAFETENSORS_WRITER_H

#include "runtime/run/atomic_file.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace bambac::run {

struct TensorSpec {
  std::string name;
  std::string dtype; ///< as the format calls it: "F32", "BF16" or "F8_E4M3"
  std::vector<uint64_t> shape;

  uint64_t numElements() const;
  uint64_t elementBytes() const;
  uint64_t numBytes() const { return numElements() * elementBytes(); }
};

/// The header is written at once, the tensors in any order and from any thread.
class SafetensorsWriter {
public:
  SafetensorsWriter(std::string path, const std::vector<TensorSpec> &tensors,
                    const std::map<std::string, std::string> &metadata = {});

  /// Bytes of tensor number `tensor`, from its byte `offset` on.
  void write(size_t tensor, uint64_t offset, const void *data, size_t size);
  void commit() { file.commit(); }

private:
  AtomicFile file;
  std::vector<uint64_t> starts; ///< of the tensors in the file
};

/// The value of `key` in the header's metadata; empty where the file or the key is missing or the file is damaged.
std::string readSafetensorsMetadata(const std::string &path, const std::string &key);

} // namespace bambac::run

#endif // BAMBAC_RUNTIME_RUN_SAFETENSORS_WRITER_H
