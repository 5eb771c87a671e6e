// Makes the dimensions that a rotation turns together neighbours: see InterleaveRotaryPairs in Passes.td.
#include "passes/Passes.h"
#include "passes/WeightGlobals.h"
#include "llvm/ADT/MapVector.h"

namespace bambac {
#define GEN_PASS_DEF_INTERLEAVEROTARYPAIRS
#include "passes/Passes.h.inc"

namespace {

/// The linear whose result the rotation alone reads, or null.
LinearOp getProjection(RopeOp rope) {
  auto linear = rope.getInput().getDefiningOp<LinearOp>();
  return linear && linear.getResult().hasOneUse() ? linear : nullptr;
}

/// Queries and keys meet in a product over the dimensions of a head: in all of a module they have one order.
class RotaryOrder {
public:
  RotaryOrder(ModuleOp module, SymbolTable &symbols) : module(module), symbols(symbols) {}

  /// Finds all rotations and the weights whose projections they turn; false where one of them cannot change its order.
  bool find() {
    WalkResult result = module.walk([&](Operation *op) {
      bool fits = true;
      if (auto rope = dyn_cast<RopeOp>(op))
        fits = add(rope);
      else if (auto attention = dyn_cast<AttentionOp>(op))
        fits = attention.getQuery().getDefiningOp<RopeOp>() != nullptr;
      else if (auto append = dyn_cast<KvAppendOp>(op))
        fits = append.getK().getDefiningOp<RopeOp>() != nullptr;
      return fits ? WalkResult::advance() : WalkResult::interrupt();
    });
    return !result.wasInterrupted() && areReadByProjectionsOnly();
  }

  void change() {
    for (auto [global, rope] : weights) {
      auto source = cast<SourceAttr>(global->getAttrOfType<ArrayAttr>(attr::kSources)[0]);
      Attribute reordered = source.withRowOrder(static_cast<int64_t>(rope.getHeadDim()), rope.getRotaryDim());
      global->setAttr(attr::kSources, ArrayAttr::get(module.getContext(), {reordered}));
    }
    for (RopeOp rope : ropes)
      rope.setInterleaved(true);
  }

  size_t size() const { return ropes.size(); }

private:
  bool add(RopeOp rope) {
    LinearOp linear = getProjection(rope);
    bool readsHeads = llvm::all_of(rope->getUses(), [](OpOperand &use) {
      auto attention = dyn_cast<AttentionOp>(use.getOwner());
      auto append = dyn_cast<KvAppendOp>(use.getOwner());
      return (attention && use == attention.getQueryMutable()) || (append && use == append.getKMutable());
    });
    if (!linear || !readsHeads || rope.getInterleaved() || rope.getHeadDim() % 2 != 0)
      return false;
    ropes.push_back(rope);
    projections.insert(linear);
    return llvm::all_of(ArrayRef<Value>{linear.getWeight(), linear.getBias(), linear.getWeightScales()},
                        [&](Value value) { return !value || addWeight(value, rope); });
  }

  /// The source's rows change places.
  bool addWeight(Value value, RopeOp rope) {
    ml_program::GlobalOp global = getWeightGlobal(value, symbols);
    auto sources = global ? global->getAttrOfType<ArrayAttr>(attr::kSources) : nullptr;
    if (!sources || sources.size() != 1 || cast<SourceAttr>(sources[0]).getRotaryDim() != 0)
      return false;
    RopeOp first = weights.try_emplace(global, rope).first->second;
    return first.getHeadDim() == rope.getHeadDim() && first.getRotaryDim() == rope.getRotaryDim();
  }

  bool areReadByProjectionsOnly() {
    WalkResult result = module.walk([&](ml_program::GlobalLoadConstOp load) {
      auto global = symbols.lookup<ml_program::GlobalOp>(load.getGlobal().getLeafReference());
      bool fits = !weights.contains(global) || llvm::all_of(load->getUsers(), [&](Operation *user) {
        auto linear = dyn_cast<LinearOp>(user);
        return linear && projections.contains(linear);
      });
      return fits ? WalkResult::advance() : WalkResult::interrupt();
    });
    return !result.wasInterrupted();
  }

  ModuleOp module;
  SymbolTable &symbols;
  SmallVector<RopeOp> ropes;
  DenseSet<LinearOp> projections;
  /// Each weight with a rotation of its rows.
  llvm::MapVector<ml_program::GlobalOp, RopeOp> weights;
};

struct InterleaveRotaryPairs : impl::InterleaveRotaryPairsBase<InterleaveRotaryPairs> {
  void runOnOperation() override {
    TargetInterface target = getTarget(getOperation());
    if (!target || !target.allows(Fusion::Rope))
      return;
    SymbolTable symbols(getOperation());
    RotaryOrder order(getOperation(), symbols);
    if (!order.find())
      return;
    order.change();
    numInterleaved += order.size();
  }
};

} // namespace
} // namespace bambac
