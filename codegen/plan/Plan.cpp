// Checks what the module says of itself, reads its entry points in the order of the table, and hashes what states
// depend on.
#include "codegen/plan/Plan.h"

#include "codegen/plan/EntryReader.h"
#include "codegen/plan/GlobalReader.h"
#include "codegen/plan/KernelTable.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/xxhash.h"
#include <set>

using namespace bambac;
using namespace bambac::codegen;

PlanCost &PlanCost::operator+=(const PlanCost &other) {
  weights += other.weights;
  states += other.states;
  activations += other.activations;
  flops += other.flops;
  contextBytes += other.contextBytes;
  contextFlops += other.contextFlops;
  codeFlops += other.codeFlops;
  return *this;
}

template <typename Attr> static Attr requireAttr(ModuleOp module, StringRef name) {
  auto attribute = module->getAttrOfType<Attr>(name);
  if (!attribute)
    module.emitError() << "expected '" << name << "' on the module";
  return attribute;
}

static LogicalResult expectJson(ModuleOp module, StringRef name, StringRef text) {
  if (llvm::Expected<llvm::json::Value> parsed = llvm::json::parse(text); !parsed)
    return module.emitError() << "expected '" << name << "' to be JSON, found: " << llvm::toString(parsed.takeError());
  return success();
}

static LogicalResult readModule(ModuleOp module, Plan &plan) {
  auto target = requireAttr<TargetInterface>(module, attr::kTarget);
  auto limits = requireAttr<LimitsAttr>(module, attr::kLimits);
  auto config = requireAttr<StringAttr>(module, attr::kConfig);
  if (!target || !limits || !config)
    return failure();
  for (int64_t limit :
       {limits.getMaxContext(), limits.getPrefillChunk(), limits.getPageTokens(), limits.getStateRing()})
    if (limit > INT32_MAX)
      return module.emitError() << "expected limits of at most " << INT32_MAX << ", found " << limits;
  auto rules = module->getAttrOfType<StringAttr>(attr::kCheckpoint);
  plan.config = config.getValue().str();
  plan.checkpoint = rules ? rules.getValue().str() : "{}";
  if (failed(expectJson(module, attr::kConfig, plan.config)) ||
      failed(expectJson(module, attr::kCheckpoint, plan.checkpoint)))
    return failure();
  plan.device = target.getDevice();
  plan.arch = target.getArchitecture().str();
  plan.target = target.getName().str();
  plan.compute = target.getComputeCapability();
  plan.packsOnDevice = target.packsWeightsOnDevice();
  llvm::append_range(plan.features, target.getRequiredFeatures());
  plan.maxContext = static_cast<uint32_t>(limits.getMaxContext());
  plan.prefillChunk = static_cast<uint32_t>(limits.getPrefillChunk());
  plan.stateRing = static_cast<uint32_t>(limits.getStateRing());
  plan.rowTile = static_cast<uint32_t>(target.getRowTile());
  plan.weightRows = static_cast<uint32_t>(target.getWeightRows());
  if (auto tokens = module->getAttrOfType<DenseI32ArrayAttr>(attr::kEosTokens))
    llvm::append_range(plan.eosTokens, tokens.asArrayRef());
  if (auto token = module->getAttrOfType<IntegerAttr>(attr::kBosToken))
    plan.bosToken = static_cast<int32_t>(token.getInt());
  return success();
}

/// Pages exist where a state is paged; one holds as many tokens as the limits say.
static LogicalResult setPages(ModuleOp module, Plan &plan) {
  auto limits = module->getAttrOfType<LimitsAttr>(attr::kLimits);
  if (llvm::none_of(plan.states, [](const PlanState &state) { return state.kind == StateKind::Page; }))
    return success();
  plan.pageTokens = static_cast<uint32_t>(limits.getPageTokens());
  plan.maxPages = static_cast<uint32_t>(llvm::divideCeil(plan.maxContext, plan.pageTokens));
  return success();
}

/// The entry points by kind, then batch, then chunk: the runtime takes the first that is large enough.
static FailureOr<SmallVector<func::FuncOp>> sortedEntries(ModuleOp module) {
  SmallVector<func::FuncOp> functions;
  for (auto function : module.getOps<func::FuncOp>())
    if (function->hasAttr(attr::kEntry))
      functions.push_back(function);
  auto key = [](func::FuncOp function) {
    auto entry = function->getAttrOfType<EntryAttr>(attr::kEntry);
    return std::tuple(entry.getKind(), entry.getBatch(), entry.getChunk());
  };
  llvm::sort(functions, [&](func::FuncOp a, func::FuncOp b) { return key(a) < key(b); });
  for (size_t i = 1; i < functions.size(); ++i)
    if (key(functions[i - 1]) == key(functions[i])) {
      InFlightDiagnostic diagnostic = functions[i].emitError() << "expected one entry point of each kind and size";
      diagnostic.attachNote(functions[i - 1].getLoc()) << "the other one is here";
      return diagnostic;
    }
  return functions;
}

/// A decode entry must be able to hold as many sequences as the limits promise.
static LogicalResult setMaxBatch(ModuleOp module, Plan &plan) {
  auto limits = module->getAttrOfType<LimitsAttr>(attr::kLimits);
  for (const PlanEntry &entry : plan.entries)
    if (entry.kind == EntryKind::Decode)
      plan.maxBatch = std::max(plan.maxBatch, entry.batch);
  if (plan.maxBatch < limits.getMaxBatch())
    return module.emitError() << "expected a decode entry for a batch of " << limits.getMaxBatch()
                              << ", found the largest for " << plan.maxBatch;
  return success();
}

bamba_rt_dtype codegen::weightType(const Plan &plan) {
  auto half =
      llvm::find_if(plan.weights, [](const PlanWeight &weight) { return contract::describe(weight.dtype).bytes == 2; });
  return half == plan.weights.end() ? BAMBA_RT_F32 : half->dtype;
}

/// What the bytes of a state mean, beyond its type and shape. A change of that is a change of this text, which is all
/// that keeps states of other meaning out.
static constexpr StringLiteral kStateMeaning =
    "pages: token t of a sequence is row t % page_tokens of its page t / page_tokens, keys after their rotation; "
    "slots: a convolution's last inputs from the oldest on, a state space's sums after the last token that does not "
    "wait in a ring, the tokens of a ring from the oldest on";

/// The rotations of keys as their ops say it: which pairs are turned, and how far.
static std::set<std::string> describeRotations(ModuleOp module) {
  std::set<std::string> rotations;
  module.walk([&](RopeOp rope) {
    std::string text;
    llvm::raw_string_ostream(text) << rope->getAttrDictionary();
    rotations.insert(std::move(text));
  });
  return rotations;
}

/// Two libraries with the same fingerprint, whose weights are the same, can exchange saved states.
static uint64_t fingerprintOf(const Plan &plan, ModuleOp module) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  stream << plan.config << '\n' << StringRef(contract::describe(weightType(plan)).name) << '\n';
  for (const PlanState &state : plan.states) {
    stream << state.name << ' ' << stringifyStateKind(state.kind) << ' '
           << StringRef(contract::describe(state.dtype).name);
    for (uint64_t size : state.shape)
      stream << ' ' << size;
    stream << '\n';
  }
  stream << kStateMeaning << '\n' << plan.pageTokens << '\n';
  for (const PlanWeight &weight : plan.weights)
    for (const PlanSource &source : weight.sources)
      if (source.rotaryDim != 0)
        stream << source.name << ' ' << source.headDim << ' ' << source.rotaryDim << '\n';
  for (const std::string &rotation : describeRotations(module))
    stream << rotation << '\n';
  return llvm::xxh3_64bits(text);
}

FailureOr<Plan> codegen::buildPlan(ModuleOp module, ArrayRef<KernelCode> code) {
  Plan plan;
  GlobalReader globals(plan);
  if (failed(readModule(module, plan)) || failed(globals.collect(module)) || failed(setPages(module, plan)))
    return failure();
  FailureOr<SmallVector<func::FuncOp>> functions = sortedEntries(module);
  if (failed(functions))
    return failure();
  KernelTable kernels(plan, module, code);
  for (func::FuncOp function : *functions)
    if (failed(EntryReader(plan, globals, kernels).read(function)))
      return failure();
  if (failed(setMaxBatch(module, plan)) || (plan.packsOnDevice && failed(kernels.addPacking())))
    return failure();
  plan.fingerprint = fingerprintOf(plan, module);
  return plan;
}
