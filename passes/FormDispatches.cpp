// Groups ops into dispatches: see FormDispatches in Passes.td.
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Utils/Utils.h"
#include "mlir/IR/IRMapping.h"
#include "passes/Passes.h"

namespace bambac {
#define GEN_PASS_DEF_FORMDISPATCHES
#include "passes/Passes.h.inc"

namespace {

/// Ops that become part of a kernel.
bool isCompute(Operation *op) {
  return isa<TilingInterface, linalg::LinalgOp>(op) && isa<DestinationStyleOpInterface>(op);
}

/// Each result element depends on the same element of the inputs only.
bool isElementwise(Operation *op) {
  if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op))
    return linalg::isElementwise(linalgOp);
  return isa<SwigluOp>(op);
}

/// Whether `producer` pays inside the kernel of `consumer` on this target.
bool fuses(Operation *producer, Operation *consumer, TargetAttr target) {
  if (isa<LinearOp>(producer) && isElementwise(consumer))
    return target.allows(Fusion::Epilogue);
  if (isa<RmsNormOp, GatedRmsNormOp>(producer) && isa<LinearOp>(consumer))
    return target.allows(Fusion::NormPrologue);
  return false;
}

/// A root and its fused producers, producers first.
using Group = SmallVector<Operation *>;

/// Adds to the group the producers of its ops whose results are read by nothing else.
Group growGroup(Operation *root, TargetAttr target) {
  SetVector<Operation *> group;
  group.insert(root);
  for (unsigned next = 0; next < group.size(); ++next) {
    Operation *consumer = group[next];
    for (Value input : cast<DestinationStyleOpInterface>(consumer).getDpsInputs()) {
      Operation *producer = input.getDefiningOp();
      if (producer && producer->getBlock() == root->getBlock() && isCompute(producer) &&
          fuses(producer, consumer, target) &&
          llvm::all_of(producer->getUsers(), [&](Operation *user) { return group.contains(user); }))
        group.insert(producer);
    }
  }
  Group ordered(group.begin(), group.end());
  llvm::sort(ordered, [](Operation *left, Operation *right) { return left->isBeforeInBlock(right); });
  return ordered;
}

/// Builds the dispatch of one group.
class DispatchBuilder {
public:
  explicit DispatchBuilder(ArrayRef<Operation *> group)
      : group(group), root(cast<DestinationStyleOpInterface>(group.back())) {}

  void build() {
    collectInputs();
    SmallVector<Value> inits(root.getDpsInits());
    OpBuilder builder(root);
    auto dispatch = DispatchOp::create(builder, root.getLoc(), root->getResultTypes(), inputs.getArrayRef(), inits);
    fillBody(dispatch, inits);
    root->replaceAllUsesWith(dispatch);
    for (Operation *op : llvm::reverse(group))
      op->erase();
  }

private:
  bool isInside(Value value) const { return llvm::is_contained(group, value.getDefiningOp()); }

  /// What is made anew inside: uninitialized destinations and slices of whole buffers.
  static bool isCloned(Value value) {
    return value.getDefiningOp<tensor::EmptyOp>() || value.getDefiningOp<tensor::ExtractSliceOp>();
  }

  void collectInputs() {
    for (Operation *op : group)
      for (Value operand : op->getOperands()) {
        if (isInside(operand) || (op == root && llvm::is_contained(root.getDpsInits(), operand)))
          continue;
        while (auto slice = operand.getDefiningOp<tensor::ExtractSliceOp>())
          operand = slice.getSource();
        if (!isCloned(operand) && !isInside(operand))
          inputs.insert(operand);
      }
  }

  /// The value inside the dispatch that stands for `value`.
  Value lookup(OpBuilder &builder, Value value, IRMapping &mapping) {
    if (!mapping.contains(value) && isCloned(value)) {
      Operation *definition = value.getDefiningOp();
      if (auto slice = dyn_cast<tensor::ExtractSliceOp>(definition))
        lookup(builder, slice.getSource(), mapping);
      builder.clone(*definition, mapping);
    }
    return mapping.lookup(value);
  }

  void fillBody(DispatchOp dispatch, ValueRange inits) {
    Block *body = &dispatch.getBody().emplaceBlock();
    OpBuilder builder = OpBuilder::atBlockBegin(body);
    IRMapping mapping;
    for (Value input : inputs)
      mapping.map(input, body->addArgument(input.getType(), input.getLoc()));
    SmallVector<Value> initArguments;
    for (Value init : inits)
      initArguments.push_back(body->addArgument(init.getType(), init.getLoc()));
    Operation *last = nullptr;
    for (Operation *op : group) {
      IRMapping local = mapping;
      if (op == root)
        local.map(inits, initArguments);
      for (Value operand : op->getOperands())
        if (!local.contains(operand))
          local.map(operand, lookup(builder, operand, mapping));
      last = builder.clone(*op, local);
      mapping.map(op->getResults(), last->getResults());
    }
    YieldOp::create(builder, root.getLoc(), last->getResults());
  }

  ArrayRef<Operation *> group;
  DestinationStyleOpInterface root;
  SetVector<Value> inputs;
};

struct FormDispatches : impl::FormDispatchesBase<FormDispatches> {
  void runOnOperation() override {
    if (!getOperation()->hasAttr(attr::kEntry))
      return;
    auto module = getOperation()->getParentOfType<ModuleOp>();
    auto target = module->getAttrOfType<TargetAttr>(attr::kTarget);
    if (!target) {
      module.emitError() << "expected the attribute '" << attr::kTarget << "' on the module";
      return signalPassFailure();
    }
    for (Block &block : getOperation().getBody())
      formInBlock(block, target);
  }

  void formInBlock(Block &block, TargetAttr target) {
    // From the end: a consumer takes its producers before they become roots themselves.
    Operation *op = block.empty() ? nullptr : &block.back();
    while (op) {
      if (!isCompute(op) || isa<DispatchOp>(op)) {
        op = op->getPrevNode();
        continue;
      }
      Group group = growGroup(op, target);
      ++numDispatches;
      numFused += group.size() - 1;
      Operation *next = op->getNextNode();
      DispatchBuilder(group).build();
      // The dispatch stands where the root stood, right before `next`.
      op = next->getPrevNode();
    }
  }
};

} // namespace
} // namespace bambac
