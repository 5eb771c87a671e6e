#include "runtime/run/library_metadata.h"
#include "runtime/contract/metadata_keys.h"
#include "runtime/run/failure.h"

namespace bambac::run {

namespace key = contract::key;

// nlohmann-json finds these by their name and types.

static void from_json(const Json &json, Cost &cost) {
  json.at(key::kWeightBytes).get_to(cost.weightBytes);
  json.at(key::kStateBytes).get_to(cost.stateBytes);
  json.at(key::kActivationBytes).get_to(cost.activationBytes);
  json.at(key::kFlops).get_to(cost.flops);
  json.at(key::kContextBytes).get_to(cost.contextBytes);
  json.at(key::kContextFlops).get_to(cost.contextFlops);
  cost.codeFlops = json.value(key::kCodeFlops, uint64_t{0}); // older compilers do not write it
}

static void from_json(const Json &json, EntryPoint &entry) {
  json.at(key::kName).get_to(entry.name);
  json.at(key::kKind).get_to(entry.kind);
  json.at(key::kBatch).get_to(entry.batch);
  json.at(key::kChunk).get_to(entry.chunk);
  json.at(key::kLaunches).get_to(entry.launches);
  json.at(key::kArenaBytes).get_to(entry.arenaBytes);
  from_json(json, entry.cost);
}

static void from_json(const Json &json, CudaKernelInfo &kernel) {
  json.at(key::kGrid).get_to(kernel.grid);
  json.at(key::kThreads).get_to(kernel.threads);
  json.at(key::kCluster).get_to(kernel.cluster);
  json.at(key::kRegisters).get_to(kernel.registers);
  json.at(key::kSharedBytes).get_to(kernel.sharedBytes);
  json.at(key::kSpillBytes).get_to(kernel.spillBytes);
  json.at(key::kCodeBytes).get_to(kernel.codeBytes);
}

static void from_json(const Json &json, KernelInfo &kernel) {
  json.at(key::kName).get_to(kernel.name);
  json.at(key::kTarget).get_to(kernel.target);
  json.at(key::kSchedule).get_to(kernel.schedule);
  json.at(key::kCount).get_to(kernel.count);
  json.at(key::kScratchBytes).get_to(kernel.scratchBytes);
  json.at(key::kCost).get_to(kernel.cost);
  if (json.contains(key::kGrid))
    kernel.cuda = json.get<CudaKernelInfo>();
}

static void from_json(const Json &json, SourceTensor &source) {
  json.at(key::kName).get_to(source.name);
  json.at(key::kShape).get_to(source.shape);
  source.rows = json.value(key::kRows, std::vector<uint64_t>{});
  source.headDim = json.value(key::kHeadDim, uint64_t{0});
  source.rotaryDim = json.value(key::kRotaryDim, uint64_t{0});
}

static void from_json(const Json &json, WeightInfo &weight) {
  json.at(key::kName).get_to(weight.name);
  json.at(key::kDtype).get_to(weight.dtype);
  json.at(key::kShape).get_to(weight.shape);
  json.at(key::kPanel).get_to(weight.panel);
  json.at(key::kBytes).get_to(weight.bytes);
  weight.isInterleaved = json.value(key::kInterleaved, false);
  weight.scales = json.value(key::kScales, "");
  weight.isComputed = json.value(key::kComputed, false);
  weight.packKernel = json.value(key::kPackKernel, "");
  json.at(key::kSources).get_to(weight.sources);
}

static void from_json(const Json &json, StateInfo &state) {
  json.at(key::kName).get_to(state.name);
  json.at(key::kKind).get_to(state.kind);
  json.at(key::kDtype).get_to(state.dtype);
  json.at(key::kShape).get_to(state.shape);
  json.at(key::kBytes).get_to(state.bytes);
}

static Metadata readModel(const Library &library, const Json &json) {
  Metadata metadata;
  metadata.json = json;
  for (const char *part : {key::kCompiler, key::kConfig, key::kDtype, key::kTarget, key::kLimits, key::kMemory})
    if (!json.contains(part))
      fail("cannot read the metadata of '{}': expected a part '{}', found none", library.path(), part);
  json.at(key::kTarget).at(key::kName).get_to(metadata.target);
  json.at(key::kVocabSize).get_to(metadata.vocabSize);
  json.at(key::kEntryPoints).get_to(metadata.entryPoints);
  json.at(key::kKernels).get_to(metadata.kernels);
  json.at(key::kWeights).get_to(metadata.weights);
  json.at(key::kStates).get_to(metadata.states);
  return metadata;
}

Json readMetadataJson(const Library &library) try {
  Json json = Json::parse(library->metadata());
  if (!json.contains(key::kSchemaVersion))
    fail("cannot read the metadata of '{}': expected version {} of its fields, found none", library.path(),
         contract::kMetadataSchema);
  if (int version = json.at(key::kSchemaVersion).get<int>(); version != contract::kMetadataSchema)
    fail("cannot read the metadata of '{}': expected version {} of its fields, found {}", library.path(),
         contract::kMetadataSchema, version);
  return json;
} catch (const Json::exception &error) {
  fail("cannot read the metadata of '{}': {}", library.path(), error.what());
}

std::vector<Metadata> readMetadata(const Library &library) try {
  std::vector<Metadata> models;
  Json json = readMetadataJson(library);
  for (const Json &model : json.at(key::kModels))
    models.push_back(readModel(library, model));
  if (models.empty())
    fail("cannot read the metadata of '{}': expected a model, found none", library.path());
  return models;
} catch (const Json::exception &error) {
  fail("cannot read the metadata of '{}': {}", library.path(), error.what());
}

Metadata readMetadata(const Library &library, const std::string &target) {
  std::vector<Metadata> models = readMetadata(library);
  for (Metadata &metadata : models)
    if (metadata.target == target)
      return std::move(metadata);
  fail("cannot read the metadata of '{}': expected a model for '{}', found none", library.path(), target);
}

} // namespace bambac::run
