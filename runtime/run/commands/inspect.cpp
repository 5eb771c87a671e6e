// bamba-run inspect: what a library was compiled from and for, read from its metadata; no model is opened.

#include "runtime/contract/metadata_keys.h"
#include "runtime/run/commands/commands.h"
#include "runtime/run/failure.h"
#include "runtime/run/format.h"
#include "runtime/run/library_metadata.h"
#include "runtime/run/options.h"
#include "runtime/run/table.h"

#include <filesystem>
#include <fmt/ranges.h>
#include <map>
#include <memory>
#include <numeric>

namespace bambac::run {

namespace key = contract::key;

/// Text as it is, anything else as JSON.
static std::string toText(const Json &value) {
  return value.is_string() ? value.get<std::string>() : value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

static std::string joinTexts(const Json &values) {
  if (!values.is_array())
    return toText(values);
  std::vector<std::string> texts;
  for (const Json &value : values)
    texts.push_back(toText(value));
  return fmt::format("{}", fmt::join(texts, " "));
}

static std::string section(const std::string &title, const Table &table) { return '\n' + title + '\n' + table.str(); }

/// "cpu (x86-64-v3): avx2 fma", or the name alone where there is nothing more to say.
static std::string describeTarget(const Json &target) {
  std::string text = toText(target.at(key::kName));
  if (target.at(key::kArch) != target.at(key::kName))
    text += fmt::format(" ({})", toText(target.at(key::kArch)));
  if (target.contains(key::kFeatures) && !target.at(key::kFeatures).empty())
    text += ": " + joinTexts(target.at(key::kFeatures));
  return text;
}

static std::string describeLibrary(const Library &library, const Json &json) {
  const Json &compiler = json.at(key::kCompiler);
  const Json &limits = json.at(key::kLimits);
  Table table({"", ""});
  table.add(
      {"library", fmt::format("{} ({})", library.path(), formatBytes(std::filesystem::file_size(library.path())))});
  table.add({"compiler", toText(compiler.at(key::kName)) + " " + toText(compiler.at(key::kVersion))});
  table.add({"flags", joinTexts(compiler.at(key::kFlags))});
  table.add({"dtype", toText(json.at(key::kDtype))});
  table.add({"target", describeTarget(json.at(key::kTarget))});
  table.add({"max batch", toText(limits.at(key::kMaxBatch)) + " sequences a step"});
  table.add({"max context", toText(limits.at(key::kMaxContext)) + " tokens a sequence"});
  table.add({"prefill chunk", toText(limits.at(key::kPrefillChunk)) + " tokens a step"});
  table.add({"KV page", toText(limits.at(key::kPageTokens)) + " tokens"});
  return table.str();
}

static std::string describeConfig(const Json &config) {
  Table table({"", ""});
  for (const auto &[key, value] : config.items())
    table.add({key, toText(value)});
  return section("config", table);
}

static std::string describeEntryPoints(const Metadata &metadata) {
  Table table({"name", "kind", ">batch", ">chunk", ">launches", ">weights", ">states", ">activations", ">arena",
               ">MFLOP", ">KV bytes/token", ">KV FLOP/token"});
  for (const EntryPoint &entry : metadata.entryPoints)
    table.add({entry.name, entry.kind, fmt::to_string(entry.batch), fmt::to_string(entry.chunk),
               fmt::to_string(entry.launches), formatBytes(entry.cost.weightBytes), formatBytes(entry.cost.stateBytes),
               formatBytes(entry.cost.activationBytes), formatBytes(entry.arenaBytes),
               fmt::format("{:.1f}", static_cast<double>(entry.cost.flops) * 1e-6),
               formatCount(entry.cost.contextBytes), formatCount(entry.cost.contextFlops)});
  return section("entry points (bytes and operations of one run)", table);
}

/// What a kernel's launch and code look like on a CUDA device: "132 x 1 x 1", threads, cluster, registers, ...
static std::vector<std::string> describeCuda(const CudaKernelInfo &kernel) {
  return {fmt::format("{}", fmt::join(kernel.grid, " x ")),
          fmt::to_string(kernel.threads),
          fmt::to_string(kernel.cluster),
          fmt::to_string(kernel.registers),
          formatBytes(kernel.sharedBytes),
          kernel.spillBytes ? formatBytes(kernel.spillBytes) : "-",
          formatBytes(kernel.codeBytes)};
}

static std::string describeKernels(const Metadata &metadata) {
  bool onCuda = !metadata.kernels.empty() && metadata.kernels[0].cuda;
  std::vector<std::string> titles = {"name", "target", ">launches"};
  if (onCuda)
    titles.insert(titles.end(), {">grid", ">threads", ">cluster", ">registers", ">shared", ">spills", ">code"});
  titles.insert(titles.end(), {">scratch", "schedule"});
  Table table(titles);
  uint64_t launches = 0;
  for (const KernelInfo &kernel : metadata.kernels) {
    launches += kernel.count;
    std::vector<std::string> row = {kernel.name, kernel.target, fmt::to_string(kernel.count)};
    if (onCuda)
      for (std::string &cell : describeCuda(kernel.cuda.value_or(CudaKernelInfo())))
        row.push_back(std::move(cell));
    row.push_back(formatBytes(kernel.scratchBytes));
    row.push_back(kernel.schedule);
    table.add(std::move(row));
  }
  return section(fmt::format("kernels ({} distinct, {} launches)", metadata.kernels.size(), launches), table);
}

static std::string describeSource(const SourceTensor &source) {
  std::string text = fmt::format("{} {}", source.name, formatShape(source.shape));
  if (source.rows.size() == 2)
    text += fmt::format(", rows {} to {}", source.rows[0], source.rows[0] + source.rows[1] - 1);
  if (source.rotaryDim)
    text += fmt::format(", {} of {} rows in rotary pairs", source.rotaryDim, source.headDim);
  return text;
}

static std::string describeWeights(const Metadata &metadata) {
  Table table({"name", "type", "shape", ">panel", ">size", ">bytes", "packed by", "made of"});
  for (const WeightInfo &weight : metadata.weights) {
    std::vector<std::string> sources;
    sources.reserve(weight.sources.size());
    for (const SourceTensor &source : weight.sources)
      sources.push_back(describeSource(source));
    table.add({weight.name, weight.dtype, formatShape(weight.shape), weight.panel ? fmt::to_string(weight.panel) : "-",
               formatBytes(weight.bytes), formatCount(weight.bytes),
               weight.packKernel.empty() ? "the processor" : weight.packKernel,
               fmt::format("{}", fmt::join(sources, " | "))});
  }
  return section(fmt::format("weights ({})", metadata.weights.size()), table);
}

static std::string describeStates(const Metadata &metadata) {
  Table table({"name", "one a", "type", "shape", ">size", ">bytes"});
  for (const StateInfo &state : metadata.states)
    table.add({state.name, state.kind == "page" ? "KV page" : "sequence", state.dtype, formatShape(state.shape),
               formatBytes(state.bytes), formatCount(state.bytes)});
  return section(fmt::format("states ({})", metadata.states.size()), table);
}

static std::string describeMemory(const Json &memory, bool onProcessor) {
  std::map<std::string, std::string> meanings = {
      {key::kWeightBytes, "weights, once a model"},
      {key::kArenaBytes, "intermediates, once a session"},
      {key::kScratchBytes, onProcessor ? "scratch, once a thread" : "scratch, once a session"},
      {key::kSlotBytes, "state, once a sequence"},
      {key::kPageBytes, "KV cache, once a page of tokens"}};
  Table table({"", ">", ">"});
  for (const auto &[key, value] : memory.items()) {
    auto meaning = meanings.find(key);
    uint64_t bytes = value.get<uint64_t>();
    table.add({meaning == meanings.end() ? key : meaning->second, formatBytes(bytes), formatCount(bytes)});
  }
  return section("memory plan", table);
}

static std::string describe(const Library &library, const Metadata &metadata) try {
  return describeLibrary(library, metadata.json) + describeConfig(metadata.json.at(key::kConfig)) +
         describeEntryPoints(metadata) + describeKernels(metadata) + describeWeights(metadata) +
         describeStates(metadata) + describeMemory(metadata.json.at(key::kMemory), metadata.target == "cpu");
} catch (const Json::exception &error) {
  fail("cannot read the metadata of '{}': {}", library.path(), error.what());
}

static void inspect(const std::string &path, bool asJson) {
  Library library(path);
  std::vector<Metadata> models = readMetadata(library);
  if (asJson) {
    Json json = {{"models", Json::array()}};
    for (const Metadata &model : models)
      json["models"].push_back(model.json);
    return printJson(json);
  }
  std::string text;
  for (const Metadata &model : models)
    text += (text.empty() ? "" : "\n") + describe(library, model);
  print(text);
}

void addInspect(CLI::App &program) {
  auto library = std::make_shared<std::string>();
  auto asJson = std::make_shared<bool>(false);
  CLI::App *command = program.add_subcommand("inspect", "Show what a library was compiled from and for");
  addLibraryArgument(*command, *library);
  command->add_flag("--json", *asJson, "The library's metadata as JSON");
  command->callback([library, asJson] { inspect(*library, *asJson); });
}

} // namespace bambac::run
