// One function for each part of the plan makes the JSON object that describes it.
#include "codegen/plan/Metadata.h"
#include "runtime/contract/metadata_keys.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/JSON.h"

using namespace bambac;
using namespace bambac::codegen;
using llvm::json::Array;
using llvm::json::Object;
namespace key = bambac::contract::key;

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
  return Object{{key::kName, entry.name},
                {key::kKind, stringifyEntryKind(entry.kind)},
                {key::kBatch, entry.batch},
                {key::kChunk, entry.chunk},
                {key::kKept, entry.kept},
                {key::kLaunches, entry.launches.size()},
                {key::kArenaBytes, entry.arenaBytes},
                {key::kWeightBytes, entry.cost.weights},
                {key::kStateBytes, entry.cost.states},
                {key::kActivationBytes, entry.cost.activations},
                {key::kFlops, entry.cost.flops},
                {key::kContextBytes, entry.cost.contextBytes},
                {key::kContextFlops, entry.cost.contextFlops},
                {key::kCodeFlops, entry.cost.codeFlops}};
}

static Object describe(const PlanSource &source) {
  Object object{{key::kName, source.name}, {key::kShape, sizes(source.shape)}};
  if (source.repeat)
    object[key::kRepeat] = source.repeat;
  if (source.numRows != source.shape.front() * std::max<uint64_t>(source.repeat, 1))
    object[key::kRows] = Array{source.firstRow, source.numRows};
  if (source.rotaryDim) {
    object[key::kHeadDim] = source.headDim;
    object[key::kRotaryDim] = source.rotaryDim;
  }
  return object;
}

static Object describe(const PlanWeight &weight, const Plan &plan) {
  Object object{{key::kName, weight.name},
                {key::kDtype, StringRef(contract::describe(weight.dtype).name)},
                {key::kShape, sizes(weight.shape)},
                {key::kPanel, weight.panel},
                {key::kPanelGroup, weight.panelGroup},
                {key::kPanelAlign, weight.panelAlign},
                {key::kInterleaved, weight.interleaved},
                {key::kBytes, weight.bytes},
                {key::kSources, list(weight.sources, [](const PlanSource &source) { return describe(source); })}};
  if (plan.packsOnDevice)
    object[key::kPackKernel] = plan.kernels[weight.packKernel].name;
  if (weight.scales)
    object[key::kScales] = plan.weights[weight.scales - 1].name;
  if (weight.computed)
    object[key::kComputed] = true;
  return object;
}

static Object describe(const PlanState &state) {
  return Object{{key::kName, state.name},
                {key::kKind, stringifyStateKind(state.kind)},
                {key::kDtype, StringRef(contract::describe(state.dtype).name)},
                {key::kShape, sizes(state.shape)},
                {key::kBytes, state.itemBytes}};
}

static Object describe(const PlanCost &cost) {
  return Object{{key::kWeightBytes, cost.weights},         {key::kStateBytes, cost.states},
                {key::kActivationBytes, cost.activations}, {key::kFlops, cost.flops},
                {key::kContextBytes, cost.contextBytes},   {key::kContextFlops, cost.contextFlops},
                {key::kCodeFlops, cost.codeFlops}};
}

/// What a kernel needs in addition to its arguments: scratch of a thread, or on CUDA workspace.
static uint64_t scratchOf(const PlanKernel &kernel) {
  return kernel.code.cuda ? kernel.code.cuda->launch.workspace : kernel.code.scratchBytes;
}

static Object describe(const PlanKernel &kernel, StringRef target) {
  Object object{{key::kName, kernel.name},
                {key::kTarget, target},
                {key::kCount, kernel.count},
                {key::kSchedule, kernel.schedule},
                {key::kScratchBytes, scratchOf(kernel)},
                {key::kCost, describe(kernel.cost)}};
  if (!kernel.code.cuda) {
    object[key::kWorkgroups] = kernel.code.numWorkgroups;
    return object;
  }
  const CudaCode &code = *kernel.code.cuda;
  object[key::kGrid] = list(code.launch.grid, [](uint32_t blocks) { return blocks; });
  object[key::kThreads] = code.launch.threads;
  object[key::kCluster] = code.launch.cluster;
  object[key::kRegisters] = code.registers;
  object[key::kSharedBytes] = code.launch.shared_bytes + code.staticSharedBytes;
  object[key::kSpillBytes] = code.spillBytes;
  object[key::kCodeBytes] = code.cubin.size();
  return object;
}

static Object describeTarget(const Plan &plan) {
  return Object{{key::kName, plan.target},
                {key::kDevice, stringifyDevice(plan.device)},
                {key::kArch, plan.arch},
                {key::kFeatures, list(plan.features, [](const std::string &name) { return name; })}};
}

static Object describeLimits(const Plan &plan) {
  return Object{{key::kMaxBatch, plan.maxBatch},
                {key::kMaxContext, plan.maxContext},
                {key::kPrefillChunk, plan.prefillChunk},
                {key::kPageTokens, plan.pageTokens},
                {key::kStateRing, plan.stateRing}};
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
  return Object{{key::kWeightBytes, weights},
                {key::kArenaBytes, arena},
                {key::kScratchBytes, scratch},
                {key::kSlotBytes, slot},
                {key::kPageBytes, page}};
}

std::string codegen::makeMetadata(const Plan &plan, const CompilerInfo &compiler) {
  auto each = [](const auto &item) { return describe(item); };
  std::string text;
  llvm::raw_string_ostream stream(text);
  llvm::json::OStream json(stream);
  json.objectBegin();
  json.attribute(key::kCompiler,
                 Object{{key::kName, "bambac"}, {key::kVersion, compiler.version}, {key::kFlags, compiler.flags}});
  // A note that nothing reads: it stays as it was written, down to how its numbers look. It is known to be JSON.
  json.attributeBegin(key::kConfig);
  json.rawValue(plan.config);
  json.attributeEnd();
  json.attribute(key::kDtype, StringRef(contract::describe(weightType(plan)).name));
  json.attribute(key::kTarget, describeTarget(plan));
  json.attribute(key::kVocabSize, plan.vocabSize);
  json.attribute(key::kLimits, describeLimits(plan));
  json.attribute(key::kEntryPoints, list(plan.entries, each));
  json.attribute(key::kKernels,
                 list(plan.kernels, [&](const PlanKernel &kernel) { return describe(kernel, plan.target); }));
  json.attribute(key::kWeights, list(plan.weights, [&](const PlanWeight &weight) { return describe(weight, plan); }));
  json.attribute(key::kStates, list(plan.states, each));
  json.attribute(key::kMemory, describeMemory(plan));
  json.objectEnd();
  return text;
}

std::string codegen::joinMetadata(ArrayRef<std::string> models) {
  return ("{\"" + Twine(key::kSchemaVersion) + "\":" + Twine(contract::kMetadataSchema) + ",\"" + key::kModels +
          "\":[" + llvm::join(models, ",") + "]}")
      .str();
}
