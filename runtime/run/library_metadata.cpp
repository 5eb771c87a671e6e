#include "runtime/run/library_metadata.h"
#include "runtime/run/failure.h"

namespace bambac::run {

// nlohmann-json finds these by their name and types.

static void from_json(const Json &json, Cost &cost) {
  json.at("weight_bytes").get_to(cost.weightBytes);
  json.at("state_bytes").get_to(cost.stateBytes);
  json.at("activation_bytes").get_to(cost.activationBytes);
  json.at("flops").get_to(cost.flops);
  json.at("context_bytes").get_to(cost.contextBytes);
  json.at("context_flops").get_to(cost.contextFlops);
}

static void from_json(const Json &json, EntryPoint &entry) {
  json.at("name").get_to(entry.name);
  json.at("kind").get_to(entry.kind);
  json.at("batch").get_to(entry.batch);
  json.at("chunk").get_to(entry.chunk);
  json.at("launches").get_to(entry.launches);
  json.at("arena_bytes").get_to(entry.arenaBytes);
  from_json(json, entry.cost);
}

static void from_json(const Json &json, CudaKernelInfo &kernel) {
  json.at("grid").get_to(kernel.grid);
  json.at("threads").get_to(kernel.threads);
  json.at("cluster").get_to(kernel.cluster);
  json.at("registers").get_to(kernel.registers);
  json.at("shared_bytes").get_to(kernel.sharedBytes);
  json.at("spill_bytes").get_to(kernel.spillBytes);
  json.at("code_bytes").get_to(kernel.codeBytes);
}

static void from_json(const Json &json, KernelInfo &kernel) {
  json.at("name").get_to(kernel.name);
  json.at("target").get_to(kernel.target);
  json.at("schedule").get_to(kernel.schedule);
  json.at("count").get_to(kernel.count);
  json.at("scratch_bytes").get_to(kernel.scratchBytes);
  json.at("cost").get_to(kernel.cost);
  if (json.contains("grid"))
    kernel.cuda = json.get<CudaKernelInfo>();
}

static void from_json(const Json &json, SourceTensor &source) {
  json.at("name").get_to(source.name);
  json.at("shape").get_to(source.shape);
  source.headDim = json.value("head_dim", uint64_t{0});
  source.rotaryDim = json.value("rotary_dim", uint64_t{0});
}

static void from_json(const Json &json, WeightInfo &weight) {
  json.at("name").get_to(weight.name);
  json.at("dtype").get_to(weight.dtype);
  json.at("shape").get_to(weight.shape);
  json.at("panel").get_to(weight.panel);
  json.at("bytes").get_to(weight.bytes);
  weight.packKernel = json.value("pack_kernel", "");
  json.at("sources").get_to(weight.sources);
}

static void from_json(const Json &json, StateInfo &state) {
  json.at("name").get_to(state.name);
  json.at("kind").get_to(state.kind);
  json.at("dtype").get_to(state.dtype);
  json.at("shape").get_to(state.shape);
  json.at("bytes").get_to(state.bytes);
}

static Metadata readModel(const Library &library, const Json &json) {
  Metadata metadata;
  metadata.json = json;
  for (const char *part : {"compiler", "config", "dtype", "target", "limits", "memory"})
    if (!json.contains(part))
      fail("cannot read the metadata of '{}': expected a part '{}', found none", library.path(), part);
  json.at("target").at("name").get_to(metadata.target);
  json.at("entry_points").get_to(metadata.entryPoints);
  json.at("kernels").get_to(metadata.kernels);
  json.at("weights").get_to(metadata.weights);
  json.at("states").get_to(metadata.states);
  return metadata;
}

std::vector<Metadata> readMetadata(const Library &library) try {
  std::vector<Metadata> models;
  Json json = Json::parse(library->metadata());
  for (const Json &model : json.at("models"))
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
