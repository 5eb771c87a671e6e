// bamba-run init-weights: a random checkpoint with the names and shapes that a library asks for.

#include "runtime/contract/metadata_keys.h"
#include "runtime/run/commands/commands.h"
#include "runtime/run/failure.h"
#include "runtime/run/format.h"
#include "runtime/run/library_metadata.h"
#include "runtime/run/measure/parallel.h"
#include "runtime/run/measure/stopwatch.h"
#include "runtime/run/options.h"
#include "runtime/run/progress_line.h"
#include "runtime/run/random_tensors.h"
#include "runtime/run/safetensors_writer.h"
#include "runtime/support/processors.h"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>

namespace bambac::run {
namespace {

constexpr uint64_t maxShardBytes = 5'000'000'000;
constexpr uint64_t blockElements = 1 << 20;
constexpr const char *singleFile = "model.safetensors";
constexpr const char *indexFile = "model.safetensors.index.json";
constexpr const char *generator = "bamba-run init-weights";

struct InitOptions {
  std::string library;
  std::string folder;
  uint64_t seed = 0;
  uint32_t threads = 0;
};

/// One file of the checkpoint.
struct Shard {
  std::string name;
  std::vector<RandomTensor> tensors;
  uint64_t bytes = 0;
};

/// A piece of one tensor, small enough that a few of them fit into memory.
struct Block {
  size_t shard;
  size_t tensor;
  uint64_t first;
  uint64_t count;
};

} // namespace

static std::vector<Shard> makeShards(const std::vector<RandomTensor> &tensors) {
  std::vector<Shard> shards(1);
  for (const RandomTensor &tensor : tensors) {
    uint64_t bytes = tensor.numBytes();
    if (shards.back().bytes && shards.back().bytes + bytes > maxShardBytes)
      shards.emplace_back();
    shards.back().tensors.push_back(tensor);
    shards.back().bytes += bytes;
  }
  for (size_t i = 0; i < shards.size(); ++i)
    shards[i].name =
        shards.size() == 1 ? singleFile : fmt::format("model-{:05}-of-{:05}.safetensors", i + 1, shards.size());
  return shards;
}

/// Whether `path` is a checkpoint's file, or its index, of an earlier run of this command.
static bool isOurs(const std::string &path) {
  if (!path.ends_with(".json"))
    return readSafetensorsMetadata(path, "generator") == generator;
  std::ifstream file(path);
  Json index = Json::parse(file, nullptr, false);
  return index.is_object() && index.contains("metadata") && index["metadata"].is_object() &&
         index["metadata"].value("generator", "") == generator;
}

/// A trained checkpoint must not be lost to a mistyped folder.
static void refuseForeignCheckpoint(const std::filesystem::path &folder) {
  for (const char *name : {singleFile, indexFile})
    if (std::string path = folder / name; std::filesystem::exists(path) && !isOurs(path))
      fail("'{}' was not written by init-weights: expected a folder without a checkpoint", path);
}

static void fillShards(const std::vector<Shard> &shards, std::vector<SafetensorsWriter> &writers,
                       const InitOptions &options) {
  std::vector<Block> blocks;
  uint64_t total = 0;
  for (size_t shard = 0; shard < shards.size(); ++shard) {
    total += shards[shard].bytes;
    for (size_t tensor = 0; tensor < shards[shard].tensors.size(); ++tensor) {
      uint64_t elements = shards[shard].tensors[tensor].numElements();
      for (uint64_t first = 0; first < elements; first += blockElements)
        blocks.push_back({shard, tensor, first, std::min(blockElements, elements - first)});
    }
  }

  ProgressLine progress("writing weights");
  std::atomic<size_t> next = 0;
  std::atomic<uint64_t> done = 0;
  measure::onThreads(options.threads ? options.threads : rt::availableProcessors(), [&](unsigned) {
    for (size_t i; (i = next++) < blocks.size();) {
      const Block &block = blocks[i];
      const RandomTensor &tensor = shards[block.shard].tensors[block.tensor];
      std::vector<std::byte> bytes = tensor.generate(options.seed, block.first, block.count);
      writers[block.shard].write(block.tensor, block.first * tensor.elementBytes(), bytes.data(), bytes.size());
      progress.update(done += bytes.size(), total);
    }
  });
}

static void writeIndex(const std::filesystem::path &path, const std::vector<Shard> &shards) {
  uint64_t total = 0;
  Json files = Json::object();
  for (const Shard &shard : shards) {
    total += shard.bytes;
    for (const TensorSpec &tensor : shard.tensors)
      files[tensor.name] = shard.name;
  }
  Json index = {{"metadata", {{"total_size", total}, {"generator", generator}}}, {"weight_map", std::move(files)}};
  writeFile(path, index.dump(2) + '\n');
}

static void initWeights(const InitOptions &options) {
  Library library(options.library);
  Metadata metadata = readMetadata(library).front(); // every target is made of the same tensors
  std::vector<Shard> shards = makeShards(collectTensors(metadata));

  std::filesystem::path folder = options.folder;
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (!std::filesystem::is_directory(folder))
    fail("cannot create folder '{}': {}", options.folder, systemMessage(error ? error.value() : ENOTDIR));
  refuseForeignCheckpoint(folder);

  // All files are opened, and their space is claimed, before the first is filled.
  measure::Stopwatch watch;
  std::vector<SafetensorsWriter> writers;
  uint64_t total = 0;
  for (const Shard &shard : shards) {
    total += shard.bytes;
    writers.emplace_back(folder / shard.name, std::vector<TensorSpec>(shard.tensors.begin(), shard.tensors.end()),
                         std::map<std::string, std::string>{{"format", "pt"}, {"generator", generator}});
  }
  fillShards(shards, writers, options);

  // The name by which a checkpoint is found comes last, and the other name goes.
  writeFile(folder / "config.json", metadata.json.at(contract::key::kConfig).dump(2) + '\n');
  for (SafetensorsWriter &writer : writers)
    writer.commit();
  if (shards.size() > 1)
    writeIndex(folder / indexFile, shards);
  std::filesystem::remove(folder / (shards.size() > 1 ? singleFile : indexFile), error);

  double seconds = watch.seconds();
  fmt::print(stderr, "wrote {} in {} to '{}' ({}, {}/s)\n", formatBytes(total),
             shards.size() == 1 ? std::string("1 file") : fmt::format("{} files", shards.size()), options.folder,
             formatSeconds(seconds), formatBytes(static_cast<uint64_t>(static_cast<double>(total) / seconds)));
}

void addInitWeights(CLI::App &program) {
  auto options = std::make_shared<InitOptions>();
  CLI::App *command = program.add_subcommand("init-weights", "Write a random checkpoint for a library");
  addLibraryArgument(*command, options->library);
  command->add_option("-o,--output", options->folder, "Folder to write it to")->required()->type_name("DIR");
  command->add_option("--seed", options->seed, "The same seed gives the same weights, whatever the number of threads")
      ->check(numberBetween(0, UINT64_MAX))
      ->type_name("N")
      ->capture_default_str();
  addThreadsOption(*command, options->threads);
  command->callback([options] { initWeights(*options); });
}

} // namespace bambac::run
