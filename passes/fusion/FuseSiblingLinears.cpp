// Merges linears with the same input: see FuseSiblingLinears in Passes.td.
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "passes/Passes.h"
#include "passes/WeightGlobals.h"

namespace bambac {
#define GEN_PASS_DEF_FUSESIBLINGLINEARS
#include "passes/Passes.h.inc"

namespace {

/// The op that alone reads the result of `linear`, or null.
Operation *getOnlyUser(LinearOp linear) {
  return linear.getResult().hasOneUse() ? *linear.getResult().user_begin() : nullptr;
}

/// Two linears can be one: same input, block and types, and weights whose rows can be stacked.
bool areSiblings(LinearOp first, LinearOp second, SymbolTable &symbols) {
  auto firstWeight = getWeightGlobal(first.getWeight(), symbols),
       secondWeight = getWeightGlobal(second.getWeight(), symbols);
  if (first.getInput() != second.getInput() || first->getBlock() != second->getBlock() || !firstWeight ||
      !secondWeight || bool(first.getBias()) != bool(second.getBias()))
    return false;
  if (first.getBias() && (!getWeightGlobal(first.getBias(), symbols) || !getWeightGlobal(second.getBias(), symbols)))
    return false;
  if (first.getInputScales() != second.getInputScales() || first.getGroup() != second.getGroup() ||
      first.getFastAccumulate() != second.getFastAccumulate() ||
      !getWeightGlobal(first.getWeightScales(), symbols) != !getWeightGlobal(second.getWeightScales(), symbols))
    return false;
  return first.getAcc() == second.getAcc() &&
         first.getWeight().getType().getElementType() == second.getWeight().getType().getElementType() &&
         first.getResult().getType().getElementType() == second.getResult().getType().getElementType() &&
         firstWeight->hasAttr(attr::kSources) && secondWeight->hasAttr(attr::kSources);
}

/// Linears that end in the same op share its kernel without being merged.
bool endInOneOp(ArrayRef<LinearOp> linears) {
  Operation *user = getOnlyUser(linears.front());
  return isa_and_nonnull<DestinationStyleOpInterface>(user) &&
         llvm::all_of(linears, [&](LinearOp linear) { return getOnlyUser(linear) == user; });
}

/// The gate and the value of the SwiGLU in which the linears end, in this order; empty where they end elsewhere.
SmallVector<LinearOp> getGateAndValue(ArrayRef<LinearOp> linears, SymbolTable &symbols) {
  auto swiglu = dyn_cast_or_null<SwigluOp>(getOnlyUser(linears.front()));
  if (linears.size() != 2 || !swiglu)
    return {};
  SmallVector<LinearOp> ordered{swiglu.getGate().getDefiningOp<LinearOp>(), swiglu.getUp().getDefiningOp<LinearOp>()};
  // Rows of sources take turns, so each weight must be one source.
  bool single = llvm::all_of(ordered, [&](LinearOp linear) {
    return linear && llvm::is_contained(linears, linear) &&
           getWeightGlobal(linear.getWeight(), symbols)->getAttrOfType<ArrayAttr>(attr::kSources).size() == 1;
  });
  return single ? ordered : SmallVector<LinearOp>();
}

/// How the rows of merged weights follow each other.
enum class RowOrder { Stacked, Interleaved };

/// A global with the rows of all those that `values` are loaded from; made once for all entry points.
ml_program::GlobalOp joinGlobals(ArrayRef<Value> values, RowOrder order, SymbolTable &symbols) {
  std::string name;
  SmallVector<Attribute> sources;
  SmallVector<int64_t> shape;
  ml_program::GlobalOp first = getWeightGlobal(values.front(), symbols);
  for (Value value : values) {
    ml_program::GlobalOp global = getWeightGlobal(value, symbols);
    StringRef part = global.getSymName();
    // layers.2.q_proj, layers.2.k_proj -> layers.2.q_proj+k_proj, or with a bar where they take turns
    if (!name.empty())
      name += order == RowOrder::Stacked ? '+' : '|';
    name += name.empty() ? part : part.rsplit('.').second;
    llvm::append_range(sources, global->getAttrOfType<ArrayAttr>(attr::kSources));
    ArrayRef<int64_t> partShape = cast<RankedTensorType>(global.getType()).getShape();
    size_t rows = global->hasAttr(attr::kTranspose) ? 1 : 0;
    if (shape.empty())
      shape.assign(partShape.begin(), partShape.end());
    else
      shape[rows] += partShape[rows];
  }
  if (auto existing = symbols.lookup<ml_program::GlobalOp>(name))
    return existing;
  OpBuilder builder(first);
  auto type = cast<RankedTensorType>(first.getType()).clone(shape);
  auto global = cast<ml_program::GlobalOp>(builder.clone(*first));
  global.setSymName(name);
  global.setType(type);
  global.setValueAttr(ml_program::ExternAttr::get(builder.getContext(), type));
  global->setAttr(attr::kSources, builder.getArrayAttr(sources));
  if (order == RowOrder::Interleaved)
    global->setAttr(attr::kInterleave, builder.getUnitAttr());
  symbols.insert(global);
  return global;
}

/// A linear in place of all of `linears`.
LinearOp mergeLinears(OpBuilder &builder, ArrayRef<LinearOp> linears, RowOrder order, SymbolTable &symbols) {
  LinearOp first = linears.front();
  Location loc = first.getLoc();
  auto join = [&](auto getOperand) -> Value {
    SmallVector<Value> values = llvm::map_to_vector(linears, [&](LinearOp op) { return getOperand(op); });
    if (!values.front())
      return {};
    ml_program::GlobalOp global = joinGlobals(values, order, symbols);
    return ml_program::GlobalLoadConstOp::create(builder, loc, global.getType(),
                                                 FlatSymbolRefAttr::get(global.getSymNameAttr()));
  };
  Value weight = join([](LinearOp op) -> Value { return op.getWeight(); });
  Value bias = join([](LinearOp op) -> Value { return op.getBias(); });
  Value scales = join([](LinearOp op) -> Value { return op.getWeightScales(); });
  if (scales)
    getWeightGlobal(weight, symbols)
        ->setAttr(attr::kScales, FlatSymbolRefAttr::get(getWeightGlobal(scales, symbols).getSymNameAttr()));
  auto firstType = cast<RankedTensorType>(first.getResult().getType());
  int64_t rows = firstType.getDimSize(0), columns = cast<RankedTensorType>(weight.getType()).getDimSize(0);
  Value init = tensor::EmptyOp::create(builder, loc, ArrayRef<int64_t>{rows, columns}, firstType.getElementType());
  return LinearOp::create(builder, loc, init.getType(), first.getInput(), weight, init, bias, first.getInputScales(),
                          scales, first.getAcc(), first.getGroup(), first.getFastAccumulate(), first.getTermsAttr());
}

/// Replaces the linears by one and slices of its result.
void merge(ArrayRef<LinearOp> linears, RowOrder order, SymbolTable &symbols) {
  // Where the first of them stands: it comes before all users.
  LinearOp first =
      *llvm::min_element(linears, [](LinearOp left, LinearOp right) { return left->isBeforeInBlock(right); });
  OpBuilder builder(first);
  LinearOp merged = mergeLinears(builder, linears, order, symbols);
  int64_t offset = 0, stride = order == RowOrder::Interleaved ? linears.size() : 1;
  for (LinearOp linear : linears) {
    ArrayRef<int64_t> shape = cast<RankedTensorType>(linear.getResult().getType()).getShape();
    auto index = [&](int64_t value) { return OpFoldResult(builder.getIndexAttr(value)); };
    Value slice = tensor::ExtractSliceOp::create(
        builder, linear.getLoc(), merged.getResult(), ArrayRef<OpFoldResult>{index(0), index(offset)},
        ArrayRef<OpFoldResult>{index(shape[0]), index(shape[1])}, ArrayRef<OpFoldResult>{index(1), index(stride)});
    linear.getResult().replaceAllUsesWith(slice);
    offset += order == RowOrder::Interleaved ? 1 : shape[1];
  }
  for (LinearOp linear : linears)
    linear.erase();
}

struct FuseSiblingLinears : impl::FuseSiblingLinearsBase<FuseSiblingLinears> {
  void runOnOperation() override {
    TargetInterface target = getTarget(getOperation());
    if (!target)
      return;
    SymbolTable symbols(getOperation());
    for (auto func : getOperation().getOps<func::FuncOp>())
      for (Block &block : func.getBody())
        fuseInBlock(block, target, symbols);
  }

  void fuseInBlock(Block &block, TargetInterface target, SymbolTable &symbols) {
    SmallVector<SmallVector<LinearOp>> groups;
    for (auto linear : block.getOps<LinearOp>()) {
      auto group = llvm::find_if(
          groups, [&](ArrayRef<LinearOp> members) { return areSiblings(members.front(), linear, symbols); });
      if (group != groups.end())
        group->push_back(linear);
      else
        groups.push_back({linear});
    }
    for (ArrayRef<LinearOp> group : groups) {
      if (group.size() < 2)
        continue;
      SmallVector<LinearOp> gated = getGateAndValue(group, symbols);
      if (!gated.empty() && target.allows(Fusion::Interleave))
        merge(gated, RowOrder::Interleaved, symbols);
      else if (!endInOneOp(group) && target.allows(Fusion::Siblings))
        merge(group, RowOrder::Stacked, symbols);
      else
        continue;
      numMerged += group.size() - 1;
    }
  }
};

} // namespace
} // namespace bambac
