// One row for each kernel, weight and state; what does not apply to a row is not printed.

#include "runtime/run/format.h"
#include "runtime/run/inspect/inspect_text.h"
#include "runtime/run/table.h"

#include <fmt/ranges.h>

namespace bambac::run {

/// "132 x 2 blocks of 320 threads, clusters of 2, 92 registers, 203 KiB shared, 28.0 KiB of code".
static std::vector<std::string> describeCuda(const CudaKernelInfo &kernel) {
  std::vector<uint64_t> grid = kernel.grid;
  while (grid.size() > 1 && grid.back() == 1)
    grid.pop_back();
  std::vector<std::string> parts = {fmt::format("{} block{} of {} threads", fmt::join(grid, " x "),
                                                grid == std::vector<uint64_t>{1} ? "" : "s", kernel.threads)};
  if (kernel.cluster > 1)
    parts.push_back(fmt::format("clusters of {}", kernel.cluster));
  parts.push_back(fmt::format("{} registers", kernel.registers));
  if (kernel.sharedBytes)
    parts.push_back(formatBytes(kernel.sharedBytes) + " shared");
  if (kernel.spillBytes)
    parts.push_back(formatBytes(kernel.spillBytes) + " spilled");
  parts.push_back(formatBytes(kernel.codeBytes) + " of code");
  return parts;
}

static std::string describe(const KernelInfo &kernel) {
  std::vector<std::string> parts;
  if (!kernel.schedule.empty())
    parts.push_back(kernel.schedule);
  if (kernel.cuda)
    for (std::string &part : describeCuda(*kernel.cuda))
      parts.push_back(std::move(part));
  if (kernel.scratchBytes)
    parts.push_back(formatBytes(kernel.scratchBytes) + " scratch");
  return fmt::format("{}", fmt::join(parts, ", "));
}

std::string describeKernels(const Metadata &model) {
  Table launched({">launches", "kernel", "schedule"}), packers({"kernel", "layout"});
  uint64_t launches = 0;
  size_t packing = 0;
  for (const KernelInfo &kernel : model.kernels) {
    launches += kernel.count;
    if (kernel.count)
      launched.add({fmt::to_string(kernel.count), kernel.name, describe(kernel)});
    else if (++packing)
      packers.add({kernel.name, describe(kernel)});
  }
  std::string text = fmt::format("\nkernels of {} ({}, launched {} times by all entry points)\n", model.target,
                                 model.kernels.size() - packing, formatCount(launches)) +
                     launched.str(inspectColumns);
  if (packing)
    text +=
        fmt::format("\nkernels of {} that pack weights ({})\n", model.target, packing) + packers.str(inspectColumns);
  return text;
}

static std::string describe(const SourceTensor &source, const WeightInfo &weight) {
  std::string text = source.name;
  if (source.shape != weight.shape)
    text += ' ' + formatShape(source.shape);
  if (source.rows.size() == 2)
    text += fmt::format(" rows {} to {}", source.rows[0], source.rows[0] + source.rows[1] - 1);
  if (source.rotaryDim)
    text += fmt::format(" ({} of {} rows in rotary pairs)", source.rotaryDim, source.headDim);
  return text;
}

static std::string describeSources(const WeightInfo &weight) {
  std::vector<std::string> sources;
  sources.reserve(weight.sources.size());
  for (const SourceTensor &source : weight.sources)
    sources.push_back(describe(source, weight));
  // Stacked tensors follow each other, interleaved ones take turns.
  return fmt::format("{}", fmt::join(sources, weight.isInterleaved ? " and in turn " : ", then "));
}

std::string describeWeights(const Metadata &model) {
  Table weights({"weight", "type", "shape", ">panel", ">bytes", "made of"});
  uint64_t bytes = 0;
  for (const WeightInfo &weight : model.weights) {
    bytes += weight.bytes;
    weights.add({weight.name, weight.dtype, formatShape(weight.shape),
                 weight.panel ? fmt::to_string(weight.panel) : "-", formatCount(weight.bytes),
                 describeSources(weight)});
  }
  std::string text = fmt::format("\nweights of {} ({}, {}; a panel holds that many rows, column by column)\n",
                                 model.target, model.weights.size(), formatBytes(bytes)) +
                     weights.str(inspectColumns);
  if (model.states.empty())
    return text;
  Table states({"state", "once a", "type", "shape", ">bytes"});
  for (const StateInfo &state : model.states)
    states.add({state.name, state.kind == "page" ? "KV page" : "sequence", state.dtype, formatShape(state.shape),
                formatCount(state.bytes)});
  return text + fmt::format("\nstates of {} ({})\n", model.target, model.states.size()) + states.str();
}

} // namespace bambac::run
