// One function for each part of the plan makes the JSON object that describes it.
#include "codegen/plan/Metadata.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"

using namespace bambac;
using namespace bambac::codegen;
using llvm::json::Array;
using llvm::json::Object;

/// A JSON array with what `describe` makes of each item.
template <typename Items, typename Fn> static Array list(const Items &items, Fn describe) {
  Array array;
  for (const auto &item : items)
    array.push_back(describe(item));
  return array;
}

static Array sizes(ArrayRef<uint64_t> shape) {
  return list(shape, [](uint64_t size) { return size; });
}

static Object describe(const PlanEntry &entry) {
  return Object{{"name", entry.name},
                {"kind", stringifyEntryKind(entry.kind)},
                {"batch", entry.batch},
                {"chunk", entry.chunk},
                {"launches", entry.launches.size()},
                {"arena_bytes", entry.arenaBytes},
                {"weight_bytes", entry.cost.weights},
                {"state_bytes", entry.cost.states},
                {"activation_bytes", entry.cost.activations},
                {"flops", entry.cost.flops},
                {"context_bytes", entry.cost.contextBytes},
                {"context_flops", entry.cost.contextFlops}};
}

static Object describe(const PlanSource &source) {
  Object object{{"name", source.name}, {"shape", sizes(source.shape)}};
  if (source.rotaryDim) {
    object["head_dim"] = source.headDim;
    object["rotary_dim"] = source.rotaryDim;
  }
  return object;
}

static Object describe(const PlanWeight &weight, const Plan &plan) {
  Object object{{"name", weight.name},
                {"dtype", StringRef(contract::describe(weight.dtype).name)},
                {"shape", sizes(weight.shape)},
                {"panel", weight.panel},
                {"panel_group", weight.panelGroup},
                {"panel_align", weight.panelAlign},
                {"interleaved", weight.interleaved},
                {"bytes", weight.bytes},
                {"sources", list(weight.sources, [](const PlanSource &source) { return describe(source); })}};
  if (plan.packsOnDevice)
    object["pack_kernel"] = plan.kernels[weight.packKernel].name;
  return object;
}

static Object describe(const PlanState &state) {
  return Object{{"name", state.name},
                {"kind", stringifyStateKind(state.kind)},
                {"dtype", StringRef(contract::describe(state.dtype).name)},
                {"shape", sizes(state.shape)},
                {"bytes", state.itemBytes}};
}

static Object describe(const PlanCost &cost) {
  return Object{{"weight_bytes", cost.weights},         {"state_bytes", cost.states},
                {"activation_bytes", cost.activations}, {"flops", cost.flops},
                {"context_bytes", cost.contextBytes},   {"context_flops", cost.contextFlops}};
}

/// What a kernel needs beside its arguments: scratch of a thread, or on CUDA workspace.
static uint64_t scratchOf(const PlanKernel &kernel) {
  return kernel.code.cuda ? kernel.code.cuda->launch.workspace : kernel.code.scratchBytes;
}

static Object describe(const PlanKernel &kernel, StringRef target) {
  Object object{{"name", kernel.name},
                {"target", target},
                {"count", kernel.count},
                {"schedule", kernel.schedule},
                {"scratch_bytes", scratchOf(kernel)},
                {"cost", describe(kernel.cost)}};
  if (!kernel.code.cuda) {
    object["workgroups"] = kernel.code.numWorkgroups;
    return object;
  }
  const CudaCode &code = *kernel.code.cuda;
  object["grid"] = list(code.launch.grid, [](uint32_t blocks) { return blocks; });
  object["threads"] = code.launch.threads;
  object["cluster"] = code.launch.cluster;
  object["registers"] = code.registers;
  object["shared_bytes"] = code.launch.shared_bytes + code.staticSharedBytes;
  object["spill_bytes"] = code.spillBytes;
  object["code_bytes"] = code.cubin.size();
  return object;
}

static Object describeTarget(const Plan &plan) {
  return Object{{"name", plan.target},
                {"device", stringifyDevice(plan.device)},
                {"arch", plan.arch},
                {"features", list(plan.features, [](const std::string &name) { return name; })}};
}

static Object describeLimits(const Plan &plan) {
  return Object{{"max_batch", plan.maxBatch},
                {"max_context", plan.maxContext},
                {"prefill_chunk", plan.prefillChunk},
                {"page_tokens", plan.pageTokens}};
}

/// Bytes that a model, a session, a thread, a sequence and a KV page take.
static Object describeMemory(const Plan &plan) {
  uint64_t weights = 0, arena = 0, scratch = 0, slot = 0, page = 0;
  for (const PlanWeight &weight : plan.weights)
    weights += weight.bytes;
  for (const PlanEntry &entry : plan.entries)
    arena = std::max(arena, entry.arenaBytes);
  for (const PlanKernel &kernel : plan.kernels)
    scratch = std::max(scratch, scratchOf(kernel));
  for (const PlanState &state : plan.states)
    (state.kind == StateKind::Slot ? slot : page) += state.itemBytes;
  return Object{{"weight_bytes", weights},
                {"arena_bytes", arena},
                {"scratch_bytes", scratch},
                {"slot_bytes", slot},
                {"page_bytes", page}};
}

std::string codegen::makeMetadata(const Plan &plan, const CompilerInfo &compiler) {
  auto each = [](const auto &item) { return describe(item); };
  Object metadata{
      {"compiler", Object{{"name", "bambac"}, {"version", compiler.version}, {"flags", compiler.flags}}},
      {"config", llvm::cantFail(llvm::json::parse(plan.config))}, // buildPlan has read it once
      {"dtype", StringRef(contract::describe(weightType(plan)).name)},
      {"target", describeTarget(plan)},
      {"limits", describeLimits(plan)},
      {"entry_points", list(plan.entries, each)},
      {"kernels", list(plan.kernels, [&](const PlanKernel &kernel) { return describe(kernel, plan.target); })},
      {"weights", list(plan.weights, [&](const PlanWeight &weight) { return describe(weight, plan); })},
      {"states", list(plan.states, each)},
      {"memory", describeMemory(plan)}};
  return llvm::formatv("{0}", llvm::json::Value(std::move(metadata))).str();
}

std::string codegen::joinMetadata(ArrayRef<std::string> models) {
  return "{\"models\":[" + llvm::join(models, ",") + "]}";
}
