// Groups ops into dispatches: see FormDispatches in Passes.td.
#include "mlir/IR/IRMapping.h"
#include "passes/Passes.h"
#include "passes/fusion/FusionRules.h"

namespace bambac {
#define GEN_PASS_DEF_FORMDISPATCHES
#include "passes/Passes.h.inc"

namespace {

/// A root and the ops that share its kernel, in the order of the block.
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

/// A result may come from a kernel as late as from `root`: it is read behind it, or stored in a global that can wait.
bool canComeFrom(Operation *root, OpResult result) {
  return llvm::all_of(result.getUsers(), [&](Operation *user) {
    if (user->getBlock() != root->getBlock())
      return false;
    if (root->isBeforeInBlock(user))
      return true;
    auto store = dyn_cast<ml_program::GlobalStoreOp>(user);
    return store && canMoveBehind(store, root);
  });
}

/// A producer on trial for the kernel of a group, and what must come with it.
class Joining {
public:
  Joining(Operation *producer, const SetVector<Operation *> &group, TargetAttr target)
      : group(group), root(group.front()), target(target) {
    joining.insert(producer);
  }

  /// Every result is read inside, by ops with which the producer fuses, or leaves the kernel.
  bool succeeds() {
    for (unsigned next = 0; next < joining.size(); ++next)
      for (OpResult result : joining[next]->getResults())
        if (isStateResult(result) ? !canComeFrom(root, result) : !isReadInsideOrLeaves(result))
          return false;
    return true;
  }
  ArrayRef<Operation *> getOps() const { return joining.getArrayRef(); }

private:
  bool isReadInsideOrLeaves(OpResult result) {
    bool comesBeside = result.getOwner() != joining.front();
    return llvm::all_of(getUsesThroughSlices(result), [&](OpOperand *use) {
      Operation *reader = use->getOwner();
      if (reader->getBlock() != root->getBlock())
        return false;
      if (root->isBeforeInBlock(reader))
        return comesBeside || mayLeave(result, group.getArrayRef());
      if (!fuses(result.getOwner(), *use, target))
        return false;
      // A reader of other columns than those that the group reads moves into the kernel too.
      return group.contains(reader) || joining.contains(reader) || (isBeside(*use) && joining.insert(reader));
    });
  }

  const SetVector<Operation *> &group;
  Operation *root;
  TargetAttr target;
  SetVector<Operation *> joining;
};

/// `producer` and what comes with it into the group; empty where it stays outside.
Group getJoining(Operation *producer, const SetVector<Operation *> &group, TargetAttr target) {
  if (producer->getBlock() != group.front()->getBlock() || !isCompute(producer) || isa<DispatchOp>(producer))
    return {};
  // Where rows are interleaved, a kernel has one product: its epilogue sees the sums of one.
  if (isa<LinearOp>(producer) && target.allows(Fusion::Interleave) && llvm::any_of(group, llvm::IsaPred<LinearOp>))
    return {};
  Joining joining(producer, group, target);
  return joining.succeeds() ? Group(joining.getOps()) : Group();
}

Group growGroup(Operation *root, TargetAttr target) {
  SetVector<Operation *> group;
  group.insert(root);
  for (unsigned next = 0; next < group.size(); ++next)
    for (Value input : cast<DestinationStyleOpInterface>(group[next]).getDpsInputs())
      if (Operation *producer = getProducer(input); producer && !group.contains(producer))
        group.insert_range(getJoining(producer, group, target));
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
      llvm::copy_if(op->getResults(), std::back_inserter(outputs),
                    [&](OpResult result) { return isStateResult(result) || isReadOutside(result); });
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
  bool isReadOutside(OpResult result) const {
    return llvm::any_of(getUsesThroughSlices(result),
                        [&](OpOperand *use) { return !llvm::is_contained(group, use->getOwner()); });
  }

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
  /// Results of the dispatch: those of the root, then of the others the states and what is read outside.
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
