#include "runtime/run/Metadata.h"
#include "runtime/run/Error.h"

namespace bambac::run {

// nlohmann-json finds these by their name and types.

static void from_json(const Json &json, EntryPoint &entry) {
  json.at("name").get_to(entry.name);
  json.at("kind").get_to(entry.kind);
  json.at("batch").get_to(entry.batch);
  json.at("chunk").get_to(entry.chunk);
  json.at("launches").get_to(entry.launches);
  json.at("arena_bytes").get_to(entry.arenaBytes);
  json.at("weight_bytes").get_to(entry.weightBytes);
  json.at("state_bytes").get_to(entry.stateBytes);
  json.at("activation_bytes").get_to(entry.activationBytes);
  json.at("flops").get_to(entry.flops);
  json.at("context_bytes").get_to(entry.contextBytes);
  json.at("context_flops").get_to(entry.contextFlops);
}

static void from_json(const Json &json, KernelInfo &kernel) {
  json.at("name").get_to(kernel.name);
  json.at("target").get_to(kernel.target);
  json.at("schedule").get_to(kernel.schedule);
  json.at("count").get_to(kernel.count);
  json.at("scratch_bytes").get_to(kernel.scratchBytes);
}

static void from_json(const Json &json, SourceTensor &source) {
  json.at("name").get_to(source.name);
  json.at("shape").get_to(source.shape);
}

static void from_json(const Json &json, WeightInfo &weight) {
  json.at("name").get_to(weight.name);
  json.at("dtype").get_to(weight.dtype);
  json.at("shape").get_to(weight.shape);
  json.at("panel").get_to(weight.panel);
  json.at("bytes").get_to(weight.bytes);
  json.at("sources").get_to(weight.sources);
}

static void from_json(const Json &json, StateInfo &state) {
  json.at("name").get_to(state.name);
  json.at("kind").get_to(state.kind);
  json.at("dtype").get_to(state.dtype);
  json.at("shape").get_to(state.shape);
  json.at("bytes").get_to(state.bytes);
}

Metadata readMetadata(const Library &library) {
  Metadata metadata;
  try {
    metadata.json = Json::parse(library->metadata());
    metadata.json.at("entry_points").get_to(metadata.entryPoints);
    metadata.json.at("kernels").get_to(metadata.kernels);
    metadata.json.at("weights").get_to(metadata.weights);
    metadata.json.at("states").get_to(metadata.states);
  } catch (const Json::exception &error) {
    fail("cannot read the metadata of '{}': {}", library.path(), error.what());
  }
  for (const char *part : {"compiler", "config", "dtype", "targets", "limits", "memory"})
    if (!metadata.json.contains(part))
      fail("cannot read the metadata of '{}': expected a part '{}', found none", library.path(), part);
  return metadata;
}

} // namespace bambac::run
