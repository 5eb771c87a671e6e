// Weights are described from their global's type and sources, states from their pool's type.
#include "codegen/plan/GlobalReader.h"

#include "llvm/Support/MathExtras.h"

using namespace bambac;
using namespace bambac::codegen;
using ml_program::GlobalOp;

std::string codegen::packKernelName(bamba_rt_dtype dtype, uint64_t panel, uint64_t group) {
  std::string name = ("pack_weights_" + StringRef(contract::describe(dtype).name)).str();
  return panel ? (name + "_" + Twine(panel) + "x" + Twine(group)).str() : name;
}

static FailureOr<bamba_rt_dtype> dtypeOf(GlobalOp global, Type type) {
  std::optional<bamba_rt_dtype> dtype = elementTypeOf(type);
  const contract::ElementType *known = dtype ? &contract::describe(*dtype) : nullptr;
  if (known && (global->hasAttr(attr::kState) ? contract::isOfStates(*known) : known->isWeight))
    return *dtype;
  return global.emitError() << "expected '" << global.getSymName() << "' of "
                            << contract::listWeightTypes(&contract::ElementType::name) << ", found " << type;
}

static uint64_t product(ArrayRef<uint64_t> sizes) { return llvm::product_of(sizes, uint64_t{1}); }

static SmallVector<uint64_t> toUnsigned(ArrayRef<int64_t> sizes) { return {sizes.begin(), sizes.end()}; }

LogicalResult GlobalReader::collect(ModuleOp module) {
  DenseSet<StringAttr> used;
  module.walk([&](Operation *op) {
    if (auto load = dyn_cast<ml_program::GlobalLoadOp>(op))
      used.insert(load.getGlobalAttr().getRootReference());
    else if (auto load = dyn_cast<ml_program::GlobalLoadConstOp>(op))
      used.insert(load.getGlobalAttr().getRootReference());
  });
  for (auto global : module.getOps<GlobalOp>())
    if (used.contains(global.getSymNameAttr()) &&
        failed(global->hasAttr(attr::kState) ? addState(global) : addWeight(global)))
      return failure();
  for (auto global : module.getOps<GlobalOp>())
    if (used.contains(global.getSymNameAttr()) && failed(linkScales(global)))
      return failure();
  return success();
}

/// Codes are loaded together with their scales.
LogicalResult GlobalReader::linkScales(GlobalOp global) {
  auto name = global->getAttrOfType<FlatSymbolRefAttr>(attr::kScales);
  Type element = cast<RankedTensorType>(global.getType()).getElementType();
  bool isScaled = !global->hasAttr(attr::kState) && contract::describe(*weightTypeOf(element)).isScaled;
  if (isScaled != static_cast<bool>(name))
    return global.emitError() << "expected '" << attr::kScales << "' on weights of codes and on no others, found "
                              << (name ? "one on " : "none on ") << global.getType();
  if (!name)
    return success();
  FailureOr<bamba_rt_arg> scales = findWeight(global, name);
  if (failed(scales))
    return failure();
  PlanWeight &weight = plan.weights[places.at(global.getSymNameAttr()).index];
  const PlanWeight &found = plan.weights[scales->index];
  if (found.sources.size() != weight.sources.size() || found.dtype != BAMBA_RT_F32)
    return global.emitError() << "expected scales of f32 with " << weight.sources.size() << " sources, found "
                              << found.sources.size();
  weight.scales = scales->index + 1;
  return success();
}

/// The sources stacked by rows: each is rows of a matrix [shape[0], product of the rest].
static LogicalResult stackSources(GlobalOp global, ArrayAttr sources, PlanWeight &weight) {
  for (auto source : sources.getAsRange<SourceAttr>()) {
    ArrayRef<int64_t> shape = source.getShape();
    constexpr size_t maxRank = std::extent_v<decltype(bamba_rt_source::shape)>;
    if (shape.empty() || shape.size() > maxRank)
      return global.emitError() << "expected source " << source.getName() << " of rank 1 to " << maxRank
                                << ", found rank " << shape.size();
    if (source.getRepeat() > UINT32_MAX)
      return global.emitError() << "expected source " << source.getName() << " with rows repeated at most "
                                << UINT32_MAX << " times, found " << source.getRepeat();
    if (source.getHeadDim() > UINT32_MAX)
      return global.emitError() << "expected source " << source.getName() << " with heads of at most " << UINT32_MAX
                                << " rows, found " << source.getHeadDim();
    PlanSource &added = weight.sources.emplace_back(
        PlanSource{source.getName().str(), toUnsigned(shape), static_cast<uint64_t>(source.getFirstRow()),
                   static_cast<uint64_t>(source.getNumRows()), static_cast<uint32_t>(source.getHeadDim()),
                   static_cast<uint32_t>(source.getRotaryDim()), static_cast<uint32_t>(source.getRepeat())});
    uint64_t cols = product(ArrayRef(added.shape).drop_front());
    if (weight.sources.size() > 1 && cols != weight.cols)
      return global.emitError() << "expected source " << source.getName() << " with " << weight.cols
                                << " columns like those before it, found " << cols;
    weight.cols = cols;
    weight.rows += added.numRows;
  }
  return success();
}

LogicalResult GlobalReader::addWeight(GlobalOp global) {
  auto type = dyn_cast<RankedTensorType>(global.getType());
  auto sources = global->getAttrOfType<ArrayAttr>(attr::kSources);
  if (!type || !type.hasStaticShape() || type.getRank() < 1 || type.getRank() > 2)
    return global.emitError() << "expected the weight '" << global.getSymName()
                              << "' to be a vector or matrix of static shape, found " << global.getType();
  if (!sources)
    return global.emitError() << "expected '" << attr::kSources << "' on the weight '" << global.getSymName() << "'";
  FailureOr<bamba_rt_dtype> dtype = dtypeOf(global, type.getElementType());
  if (failed(dtype))
    return failure();

  PlanWeight weight;
  weight.name = global.getSymName().str();
  weight.dtype = *dtype;
  weight.shape = toUnsigned(type.getShape());
  weight.transposed = global->hasAttr(attr::kTranspose);
  weight.interleaved = global->hasAttr(attr::kInterleave);
  weight.optional = global->hasAttr(attr::kOptional);
  weight.positive = global->hasAttr(attr::kPositive);
  weight.computed = global->hasAttr(attr::kComputed);
  if (failed(stackSources(global, sources, weight)))
    return failure();
  uint64_t rows = weight.transposed ? weight.cols : weight.rows, cols = weight.transposed ? weight.rows : weight.cols;
  uint64_t typeCols = product(ArrayRef(weight.shape).drop_front());
  if (weight.shape.front() != rows || typeCols != cols)
    return global.emitError() << "expected the weight '" << global.getSymName() << "' of " << rows << " rows and "
                              << cols << " columns, as its sources say, found " << type;
  uint64_t elements = rows * cols;
  if (auto panel = dyn_cast_or_null<PanelAttr>(type.getEncoding())) {
    elements = panel.countElements(rows, cols);
    weight.panel = panel.getSize();
    weight.panelGroup = panel.getGroup();
    weight.panelAlign = panel.getAlign();
  } else if (type.getEncoding()) {
    return global.emitError() << "expected the encoding #bamba.panel or none, found " << type.getEncoding();
  }
  weight.bytes = elements * contract::describe(*dtype).bytes;
  places[global.getSymNameAttr()] = {BAMBA_RT_SPACE_WEIGHT, static_cast<uint32_t>(plan.weights.size()), 0};
  plan.weights.push_back(std::move(weight));
  return success();
}

LogicalResult GlobalReader::addState(GlobalOp global) {
  auto type = dyn_cast<RankedTensorType>(global.getType());
  auto state = dyn_cast<StateAttr>(global->getAttr(attr::kState));
  if (!state || !type || type.getRank() < 2 || !type.isDynamicDim(0) || type.getNumDynamicDims() != 1)
    return global.emitError() << "expected the state '" << global.getSymName()
                              << "' to be a pool of items of static shape, found " << global.getType();
  FailureOr<bamba_rt_dtype> dtype = dtypeOf(global, type.getElementType());
  if (failed(dtype))
    return failure();
  SmallVector<uint64_t> shape = toUnsigned(type.getShape().drop_front());
  uint64_t bytes = product(shape) * contract::describe(*dtype).bytes;
  places[global.getSymNameAttr()] = {BAMBA_RT_SPACE_STATE, static_cast<uint32_t>(plan.states.size()), 0};
  plan.states.push_back({global.getSymName().str(), state.getKind(), *dtype, std::move(shape), bytes});
  return success();
}

FailureOr<bamba_rt_arg> GlobalReader::find(Operation *user, SymbolRefAttr name, bamba_rt_space space,
                                           StringRef sort) const {
  auto place = places.find(name.getRootReference());
  if (place == places.end() || place->second.space != space)
    return user->emitError() << "expected " << name << " to be a " << sort << " of the module";
  return place->second;
}

FailureOr<bamba_rt_arg> GlobalReader::findWeight(Operation *user, SymbolRefAttr name) const {
  return find(user, name, BAMBA_RT_SPACE_WEIGHT, "weight");
}

FailureOr<bamba_rt_arg> GlobalReader::findState(Operation *user, SymbolRefAttr name) const {
  return find(user, name, BAMBA_RT_SPACE_STATE, "state");
}
