// The first page of a library: what all its targets share stands once, what differs has a column for each of them.

#include "runtime/contract/metadata_keys.h"
#include "runtime/run/format.h"
#include "runtime/run/inspect/inspect_text.h"
#include "runtime/run/table.h"

#include <algorithm>
#include <filesystem>
#include <fmt/ranges.h>

namespace bambac::run {

namespace key = contract::key;

/// JSON without its syntax: "0.0, Infinity" of a list, "rope_theta 10000, rope_type default" of an object.
static std::string toText(const Json &value) {
  std::vector<std::string> parts;
  if (value.is_string())
    return value.get<std::string>();
  if (value.is_array()) {
    for (const Json &item : value)
      parts.push_back(toText(item));
  } else if (value.is_object()) {
    // Numbers that JSON has no text for are written as {"__float__": "Infinity"}.
    if (value.size() == 1 && value.contains("__float__"))
      return toText(value.at("__float__"));
    for (const auto &[name, item] : value.items())
      parts.push_back(name + ' ' + toText(item));
  } else {
    return value.dump(-1, ' ', false, Json::error_handler_t::replace);
  }
  return parts.empty() ? "none" : fmt::format("{}", fmt::join(parts, ", "));
}

static uint64_t limitOf(const Metadata &model, const char *name) {
  return model.json.at(key::kLimits).at(name).get<uint64_t>();
}

static std::string describeOrigin(const Library &library, const Metadata &model) {
  const Json &compiler = model.json.at(key::kCompiler);
  Table table({"", ""});
  table.add({"library",
             fmt::format("{} ({}), by {} {}", library.path(), formatBytes(std::filesystem::file_size(library.path())),
                         toText(compiler.at(key::kName)), toText(compiler.at(key::kVersion)))});
  table.add({"flags", toText(compiler.at(key::kFlags))});
  table.add({"matrices", toText(model.json.at(key::kDtype))});
  table.add(
      {"limits", fmt::format("{} sequences a step, {} tokens a sequence, {} tokens of a prompt a step",
                             formatCount(limitOf(model, key::kMaxBatch)), formatCount(limitOf(model, key::kMaxContext)),
                             formatCount(limitOf(model, key::kPrefillChunk)))});
  if (!library.symbolPrefix().empty())
    table.add({"functions", library.symbolPrefix() + "bamba_..."});
  return table.str(inspectColumns);
}

static std::string describeConfig(const Json &config) {
  Table table({"", ""});
  for (const auto &[name, value] : config.items())
    table.add({name, toText(value)});
  return "\nconfig\n" + table.str(inspectColumns);
}

/// "x86-64-v3, 99 kernels, needs avx2 fma".
static std::string describeTarget(const Metadata &model) {
  const Json &target = model.json.at(key::kTarget);
  std::string text = fmt::format("{} kernels", model.kernels.size());
  if (target.at(key::kArch) != target.at(key::kName))
    text = toText(target.at(key::kArch)) + ", " + text;
  auto features = target.value(key::kFeatures, std::vector<std::string>());
  if (!features.empty())
    text += fmt::format(", needs {}", fmt::join(features, " "));
  return text;
}

static std::string describeTargets(const std::vector<Metadata> &models) {
  Table table({"", ""});
  for (const Metadata &model : models)
    table.add({model.target, describeTarget(model)});
  return "\ntargets\n" + table.str(inspectColumns);
}

/// A row with a number for each target; none where all of them are zero.
template <typename Number>
static void addRow(Table &table, const std::string &title, const std::vector<Metadata> &models, const Number &number,
                   std::string (*format)(uint64_t)) {
  std::vector<std::string> row = {title};
  bool any = false;
  for (const Metadata &model : models) {
    uint64_t value = number(model);
    any |= value != 0;
    row.push_back(value ? format(value) : "-");
  }
  if (any)
    table.add(std::move(row));
}

static std::string describeMemory(const std::vector<Metadata> &models) {
  std::vector<std::string> titles = {""};
  for (const Metadata &model : models)
    titles.push_back('>' + model.target);
  Table table(titles);
  auto addBytes = [&](const std::string &title, const char *name, bool onGpu, bool onProcessor) {
    auto bytes = [&](const Metadata &model) {
      bool counts = model.target == "cpu" ? onProcessor : onGpu;
      return counts ? model.json.at(key::kMemory).at(name).get<uint64_t>() : 0;
    };
    addRow(table, title, models, bytes, formatBytes);
  };
  addBytes("weights, once a model", key::kWeightBytes, true, true);
  addBytes("intermediates, once a session", key::kArenaBytes, true, true);
  addBytes("scratch, once a session", key::kScratchBytes, true, false);
  addBytes("scratch, once a thread", key::kScratchBytes, false, true);
  addBytes("states, once a sequence", key::kSlotBytes, true, true);
  addBytes("KV cache, once a page", key::kPageBytes, true, true);
  addRow(
      table, "tokens in a page", models, [](const Metadata &model) { return limitOf(model, key::kPageTokens); },
      formatCount);
  return "\nmemory\n" + table.str();
}

/// What one run reads, writes and computes; to that comes what attention reads for each token that a sequence holds.
static std::string describeEntryPoints(const Metadata &model) {
  Table table(
      {"", ">batch", ">tokens", ">launches", ">weights", ">states", ">activations", ">arithmetic", ">KV a token"});
  auto orDash = [](uint64_t bytes) { return bytes ? formatBytes(bytes) : std::string("-"); };
  for (const EntryPoint &entry : model.entryPoints)
    table.add({entry.name, fmt::to_string(entry.batch), fmt::to_string(entry.chunk), fmt::to_string(entry.launches),
               orDash(entry.cost.weightBytes), orDash(entry.cost.stateBytes), orDash(entry.cost.activationBytes),
               formatOperations(entry.cost.flops), orDash(entry.cost.contextBytes)});
  return fmt::format("\nentry points of {} (bytes and operations of one run)\n", model.target) + table.str();
}

std::string describeSummary(const Library &library, const std::vector<Metadata> &models) {
  const Metadata &first = models.front();
  std::string text = describeOrigin(library, first) + describeConfig(first.json.at(key::kConfig)) +
                     describeTargets(models) + describeMemory(models);
  for (const Metadata &model : models)
    text += describeEntryPoints(model);
  return text;
}

} // namespace bambac::run
