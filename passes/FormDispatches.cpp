// Groups ops into dispatches: see FormDispatches in Passes.td.
#include "mlir/IR/IRMapping.h"
#include "passes/FusionRules.h"
#include "passes/Passes.h"

namespace bambac {
#define GEN_PASS_DEF_FORMDISPATCHES
#include "passes/Passes.h.inc"

namespace {

/// A root and its fused producers, producers first.
using Group = SmallVector<Operation *>;

/// True where nothing from `store` to `last`, included, reads or writes the global that it writes.
bool canMoveBehind(ml_program::GlobalStoreOp store, Operation *last) {
  for (Operation *op = store->getNextNode(); op != last->getNextNode(); op = op->getNextNode()) {
    if (isMemoryEffectFree(op))
      continue;
    auto otherStore = dyn_cast<ml_program::GlobalStoreOp>(op);
    auto load = dyn_cast<ml_program::GlobalLoadOp>(op);
    bool touchesOther = (otherStore && otherStore.getGlobal() != store.getGlobal()) ||
                        (load && load.getGlobal() != store.getGlobal()) || isa<ml_program::GlobalLoadConstOp>(op);
    if (!touchesOther)
      return false;
  }
  return true;
}

/// A state may come from a kernel as late as from `root`: it is read behind it, or stored in a global that can wait.
bool canComeFrom(Operation *root, OpResult state) {
  return llvm::all_of(state.getUsers(), [&](Operation *user) {
    if (user->getBlock() != root->getBlock())
      return false;
    if (root->isBeforeInBlock(user))
      return true;
    auto store = dyn_cast<ml_program::GlobalStoreOp>(user);
    return store && canMoveBehind(store, root);
  });
}

/// Every reader of the producer's fresh results is in the group and fuses with it; its states may leave the kernel.
bool joins(Operation *producer, const SetVector<Operation *> &group, TargetAttr target) {
  Operation *root = group.front();
  if (producer->getBlock() != root->getBlock() || !isCompute(producer) || isa<DispatchOp>(producer))
    return false;
  // Where rows are interleaved, a kernel has one product: its epilogue sees the sums of one.
  if (isa<LinearOp>(producer) && target.allows(Fusion::Interleave) && llvm::any_of(group, llvm::IsaPred<LinearOp>))
    return false;
  return llvm::all_of(producer->getResults(), [&](OpResult result) {
    if (isStateResult(result))
      return canComeFrom(root, result);
    return llvm::all_of(getUsesThroughSlices(result), [&](OpOperand *use) {
      return group.contains(use->getOwner()) && fuses(producer, *use, target);
    });
  });
}

Group growGroup(Operation *root, TargetAttr target) {
  SetVector<Operation *> group;
  group.insert(root);
  for (unsigned next = 0; next < group.size(); ++next)
    for (Value input : cast<DestinationStyleOpInterface>(group[next]).getDpsInputs())
      if (Operation *producer = getProducer(input); producer && joins(producer, group, target))
        group.insert(producer);
  Group ordered(group.begin(), group.end());
  llvm::sort(ordered, [](Operation *left, Operation *right) { return left->isBeforeInBlock(right); });
  return ordered;
}

/// Builds the dispatch of one group.
class DispatchBuilder {
public:
  explicit DispatchBuilder(ArrayRef<Operation *> group) : group(group), root(group.back()) {
    llvm::append_range(outputs, root->getResults());
    for (Operation *op : group.drop_back())
      llvm::copy_if(op->getResults(), std::back_inserter(outputs), isStateResult);
  }

  void build() {
    collectInputs();
    OpBuilder builder(root);
    SmallVector<Type> types = llvm::map_to_vector(outputs, [](OpResult output) { return output.getType(); });
    SmallVector<Value> inits = llvm::map_to_vector(outputs, [](OpResult output) { return getInit(output)->get(); });
    auto dispatch = DispatchOp::create(builder, root->getLoc(), types, inputs.getArrayRef(), inits);
    fillBody(dispatch);
    replaceOutputs(dispatch);
    for (Operation *op : llvm::reverse(group)) {
      eraseSlices(op);
      op->erase();
    }
  }

private:
  bool isInside(Value value) const { return llvm::is_contained(group, value.getDefiningOp()); }

  static OpOperand *getInit(OpResult output) {
    return cast<DestinationStyleOpInterface>(output.getOwner()).getTiedOpOperand(output);
  }

  /// What is made anew inside: uninitialized destinations and slices of whole buffers.
  static bool isCloned(Value value) {
    return value.getDefiningOp<tensor::EmptyOp>() || value.getDefiningOp<tensor::ExtractSliceOp>();
  }

  /// True for a destination of the dispatch itself, as operand of `op`.
  bool isDestination(Operation *op, Value operand) const {
    return llvm::any_of(outputs,
                        [&](OpResult output) { return output.getOwner() == op && getInit(output)->get() == operand; });
  }

  void collectInputs() {
    for (Operation *op : group)
      for (Value operand : op->getOperands()) {
        if (isInside(operand) || isDestination(op, operand))
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

  void fillBody(DispatchOp dispatch) {
    Block *body = &dispatch.getBody().emplaceBlock();
    OpBuilder builder = OpBuilder::atBlockBegin(body);
    IRMapping mapping;
    for (Value input : inputs)
      mapping.map(input, body->addArgument(input.getType(), input.getLoc()));
    SmallVector<Value> destinations;
    for (Value init : dispatch.getInits())
      destinations.push_back(body->addArgument(init.getType(), init.getLoc()));
    for (Operation *op : group) {
      IRMapping local = mapping;
      for (auto [output, destination] : llvm::zip(outputs, destinations))
        if (output.getOwner() == op)
          local.map(getInit(output)->get(), destination);
      for (Value operand : op->getOperands())
        if (!local.contains(operand))
          local.map(operand, lookup(builder, operand, mapping));
      mapping.map(op->getResults(), builder.clone(*op, local)->getResults());
    }
    YieldOp::create(builder, root->getLoc(),
                    llvm::map_to_vector(outputs, [&](OpResult output) { return mapping.lookup<Value>(output); }));
  }

  /// Readers take the dispatch's results; stores that stood before it come behind it, in their order.
  void replaceOutputs(DispatchOp dispatch) {
    Operation *last = dispatch;
    for (auto [output, result] : llvm::zip(outputs, dispatch.getResults())) {
      for (Operation *user : llvm::to_vector(output.getUsers()))
        if (user->getBlock() == dispatch->getBlock() && user->isBeforeInBlock(dispatch) &&
            isa<ml_program::GlobalStoreOp>(user)) {
          user->moveAfter(last);
          last = user;
        }
      output.replaceAllUsesWith(result);
    }
  }

  static void eraseSlices(Operation *op) {
    for (Operation *user : llvm::make_early_inc_range(op->getUsers())) {
      eraseSlices(user);
      user->erase();
    }
  }

  ArrayRef<Operation *> group;
  Operation *root;
  SetVector<Value> inputs;
  /// Results of the dispatch: those of the root, then the states of the others.
  SmallVector<OpResult> outputs;
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
