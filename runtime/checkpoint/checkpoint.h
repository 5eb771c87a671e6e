// A checkpoint: the tensors of one safetensors file or of all shards that an index lists.
#ifndef BAMBA_RUNTIME_CHECKPOINT_CHECKPOINT_H
#define BAMBA_RUNTIME_CHECKPOINT_CHECKPOINT_H

#include "runtime/checkpoint/safetensors.h"
#include "runtime/support/input_file.h"
#include <list>
#include <map>
#include <string>

namespace bambac::rt {

/// A tensor and the file that it is in.
struct CheckpointTensor {
  FileTensor tensor;
  const InputFile *file;
};

/// Owns the open files that its tensors are in. Immutable once opened; any thread may read it.
class Checkpoint {
public:
  /// Opens a folder with model.safetensors, or with model.safetensors.index.json and its shards, or one file. Throws
  /// Error: BAMBA_NOT_FOUND for a missing file, folder or shard; BAMBA_IO_ERROR; BAMBA_BAD_CHECKPOINT for malformed
  /// files and for an index that names tensors which its shards do not hold. Shards may hold more.
  explicit Checkpoint(const std::string &path);

  const std::string &path() const { return root; }
  const std::map<std::string, CheckpointTensor, std::less<>> &tensors() const { return all; }

private:
  void addFile(const std::string &path);
  void addShards(const std::string &folder, const std::string &indexPath);

  std::string root;
  std::list<InputFile> files; // a list, because tensors keep pointers to its elements
  std::map<std::string, CheckpointTensor, std::less<>> all;
};

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_CHECKPOINT_CHECKPOINT_H
