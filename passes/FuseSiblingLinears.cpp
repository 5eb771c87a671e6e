// Merges linears with the same input: see FuseSiblingLinears in Passes.td.
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "passes/Passes.h"

namespace bambac {
#define GEN_PASS_DEF_FUSESIBLINGLINEARS
#include "passes/Passes.h.inc"

namespace {

/// The global that a weight operand is loaded from, or null.
ml_program::GlobalOp getGlobal(Value value, SymbolTable &symbols) {
  auto load = value ? value.getDefiningOp<ml_program::GlobalLoadConstOp>() : nullptr;
  return load ? symbols.lookup<ml_program::GlobalOp>(load.getGlobal().getLeafReference()) : nullptr;
}

/// The op that alone reads the result of `linear`, or null.
Operation *getOnlyUser(LinearOp linear) {
  return linear.getResult().hasOneUse() ? *linear.getResult().user_begin() : nullptr;
}

/// Two linears can be one: same input, block and types, and weights whose rows can be stacked.
bool areSiblings(LinearOp first, LinearOp second, SymbolTable &symbols) {
  auto firstWeight = getGlobal(first.getWeight(), symbols), secondWeight = getGlobal(second.getWeight(), symbols);
  if (first.getInput() != second.getInput() || first->getBlock() != second->getBlock() || !firstWeight ||
      !secondWeight || bool(first.getBias()) != bool(second.getBias()))
    return false;
  if (first.getBias() && (!getGlobal(first.getBias(), symbols) || !getGlobal(second.getBias(), symbols)))
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

/// A global that stacks the rows of those that `values` are loaded from; made once for all entry points.
ml_program::GlobalOp stackGlobals(ArrayRef<Value> values, SymbolTable &symbols) {
  std::string name;
  SmallVector<Attribute> sources;
  SmallVector<int64_t> shape;
  ml_program::GlobalOp first = getGlobal(values.front(), symbols);
  for (Value value : values) {
    ml_program::GlobalOp global = getGlobal(value, symbols);
    StringRef part = global.getSymName();
    // layers.2.q_proj, layers.2.k_proj -> layers.2.q_proj+k_proj
    name += name.empty() ? part.str() : ("+" + part.rsplit('.').second).str();
    llvm::append_range(sources, global->getAttrOfType<ArrayAttr>(attr::kSources));
    ArrayRef<int64_t> partShape = cast<RankedTensorType>(global.getType()).getShape();
    if (shape.empty())
      shape.assign(partShape.begin(), partShape.end());
    else
      shape[0] += partShape[0];
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
  symbols.insert(global);
  return global;
}

Value loadStacked(OpBuilder &builder, Location loc, ArrayRef<Value> values, SymbolTable &symbols) {
  ml_program::GlobalOp global = stackGlobals(values, symbols);
  return ml_program::GlobalLoadConstOp::create(builder, loc, global.getType(),
                                               FlatSymbolRefAttr::get(global.getSymNameAttr()));
}

/// Replaces the linears by one and slices of its result.
void merge(ArrayRef<LinearOp> linears, SymbolTable &symbols) {
  LinearOp first = linears.front();
  OpBuilder builder(first);
  Location loc = first.getLoc();
  auto stack = [&](auto getOperand) {
    return loadStacked(builder, loc, llvm::map_to_vector(linears, [&](LinearOp op) { return getOperand(op); }),
                       symbols);
  };
  Value weight = stack([](LinearOp op) -> Value { return op.getWeight(); });
  Value bias = first.getBias() ? stack([](LinearOp op) -> Value { return op.getBias(); }) : Value();
  auto firstType = cast<RankedTensorType>(first.getResult().getType());
  int64_t rows = firstType.getDimSize(0), columns = cast<RankedTensorType>(weight.getType()).getDimSize(0);
  Value init = tensor::EmptyOp::create(builder, loc, ArrayRef<int64_t>{rows, columns}, firstType.getElementType());
  auto merged = LinearOp::create(builder, loc, init.getType(), first.getInput(), weight, init, bias, first.getAcc());
  int64_t offset = 0;
  for (LinearOp linear : linears) {
    int64_t width = cast<RankedTensorType>(linear.getResult().getType()).getDimSize(1);
    auto index = [&](int64_t value) { return OpFoldResult(builder.getIndexAttr(value)); };
    Value slice = tensor::ExtractSliceOp::create(
        builder, linear.getLoc(), merged.getResult(), ArrayRef<OpFoldResult>{index(0), index(offset)},
        ArrayRef<OpFoldResult>{index(rows), index(width)}, ArrayRef<OpFoldResult>{index(1), index(1)});
    linear.getResult().replaceAllUsesWith(slice);
    offset += width;
  }
  for (LinearOp linear : linears)
    linear.erase();
}

struct FuseSiblingLinears : impl::FuseSiblingLinearsBase<FuseSiblingLinears> {
  void runOnOperation() override {
    auto target = getOperation()->getAttrOfType<TargetAttr>(attr::kTarget);
    if (!target || !target.allows(Fusion::Siblings))
      return;
    SymbolTable symbols(getOperation());
    for (auto func : getOperation().getOps<func::FuncOp>())
      for (Block &block : func.getBody())
        fuseInBlock(block, symbols);
  }

  void fuseInBlock(Block &block, SymbolTable &symbols) {
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
      if (group.size() < 2 || endInOneOp(group))
        continue;
      numMerged += group.size() - 1;
      merge(group, symbols);
    }
  }
};

} // namespace
} // namespace bambac
