#include "runtime/checkpoint/checkpoint.h"
#include "runtime/support/error.h"
#include "runtime/support/json.h"
#include <filesystem>
#include <set>
#include <vector>

namespace bambac::rt {
namespace {

constexpr const char *singleName = "model.safetensors";
constexpr const char *indexName = "model.safetensors.index.json";

using WeightMap = std::map<std::string, std::string>;

/// The index's map of tensors to shards. A shard is a plain file name: a checkpoint must not reach outside its folder.
WeightMap readWeightMap(const InputFile &index) {
  std::vector<std::byte> text(index.size());
  index.read(0, text);
  Json json = parseJson(index.path(), text);
  auto found = json.find("weight_map");
  if (found == json.end() || !found->is_object())
    fail(BAMBA_BAD_CHECKPOINT, "{}: weight_map: expected an object, found {}", index.path(),
         found == json.end() ? "none" : jsonKind(*found));
  WeightMap map;
  for (const auto &[tensor, shard] : found->items()) {
    if (!shard.is_string())
      fail(BAMBA_BAD_CHECKPOINT, "{}: weight_map: '{}': expected a file name, found {}", index.path(), tensor,
           jsonKind(shard));
    const auto &name = shard.get_ref<const std::string &>();
    if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos ||
        name.find('\0') != std::string::npos)
      fail(BAMBA_BAD_CHECKPOINT, "{}: weight_map: '{}': expected a file name without a folder, found '{}'",
           index.path(), tensor, name);
    map.emplace(tensor, name);
  }
  if (map.empty())
    fail(BAMBA_BAD_CHECKPOINT, "{}: weight_map: expected tensors, found none", index.path());
  return map;
}

bool exists(const std::string &path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

} // namespace

Checkpoint::Checkpoint(const std::string &path) : root(path) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(path, ignored)) {
    addFile(path);
    return;
  }
  std::string single = path + "/" + singleName, index = path + "/" + indexName;
  if (exists(single))
    addFile(single);
  else if (exists(index))
    addShards(path, index);
  else
    fail(BAMBA_NOT_FOUND, "{}: expected {} or {} in the folder, found neither", path, singleName, indexName);
}

void Checkpoint::addFile(const std::string &path) {
  const InputFile &file = files.emplace_back(path);
  for (auto &[name, tensor] : readSafetensors(file)) {
    auto [place, added] = all.try_emplace(name, CheckpointTensor{tensor, &file});
    if (!added)
      fail(BAMBA_BAD_CHECKPOINT, "{}: tensor '{}': expected in one file, found also in {}", path, name,
           place->second.file->path());
  }
}

void Checkpoint::addShards(const std::string &folder, const std::string &indexPath) {
  WeightMap map = readWeightMap(InputFile(indexPath));
  std::set<std::string> shards;
  for (const auto &[tensor, shard] : map)
    shards.insert(shard);
  for (const std::string &shard : shards) {
    std::string path = fmt::format("{}/{}", folder, shard);
    if (!exists(path))
      fail(BAMBA_NOT_FOUND, "{}: expected the shard {} beside it, found no such file", indexPath, shard);
    addFile(path);
  }
  for (const auto &[tensor, shard] : map) {
    auto found = all.find(tensor);
    std::string expected = fmt::format("{}/{}", folder, shard);
    if (found == all.end() || found->second.file->path() != expected)
      fail(BAMBA_BAD_CHECKPOINT, "{}: tensor '{}': expected in {}, found {}", indexPath, tensor, shard,
           found == all.end() ? "in no shard" : "in " + found->second.file->path());
  }
}

} // namespace bambac::rt
