// Grows a group of ops from each root, last ops first, and makes a dispatch of it: see FormDispatches in Passes.td.
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Remarks.h"
#include "passes/Passes.h"
#include "passes/fusion/FusionRules.h"

namespace bambac {
#define GEN_PASS_DEF_FORMDISPATCHES
#include "passes/Passes.h.inc"

namespace {

/// Ops that share a kernel, in the order of the block: the root is the last.
using Group = SmallVector<Operation *>;

/// True where nothing from `store` to `last`, included, reads or writes the global that it writes.
bool canMoveAfter(ml_program::GlobalStoreOp store, Operation *last) {
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

/// A result may come from a kernel as late as from `root`: it is read after it, or stored in a global that can wait.
bool canComeFrom(Operation *root, OpResult result) {
  return llvm::all_of(result.getUsers(), [&](Operation *user) {
    if (user->getBlock() != root->getBlock())
      return false;
    if (root->isBeforeInBlock(user))
      return true;
    auto store = dyn_cast<ml_program::GlobalStoreOp>(user);
    return store && canMoveAfter(store, root);
  });
}

/// A producer that may join the kernel of a group, and the ops that must come with it.
class FusionCandidate {
public:
  FusionCandidate(Operation *producer, const SetVector<Operation *> &group, TargetInterface target)
      : group(group), root(group.front()), target(target) {
    joining.insert(producer);
  }

  /// Yes where every result is read inside the kernel, by ops with which its producer fuses, or may leave the kernel.
  FusionDecision decide() {
    for (unsigned next = 0; next < joining.size(); ++next)
      for (OpResult result : joining[next]->getResults())
        if (FusionDecision decision = isStateResult(result) ? decideState(result) : decideReaders(result); !decision)
          return decision;
    return FusionDecision::yes();
  }
  ArrayRef<Operation *> getOps() const { return joining.getArrayRef(); }

private:
  FusionDecision decideState(OpResult result) const {
    if (canComeFrom(root, result))
      return FusionDecision::yes();
    return FusionDecision::no("its state is used before the kernel could give it");
  }

  FusionDecision decideReaders(OpResult result) {
    for (OpOperand *use : getUsesThroughSlices(result))
      if (FusionDecision decision = decideReader(result, *use); !decision)
        return decision;
    return FusionDecision::yes();
  }

  FusionDecision decideReader(OpResult result, OpOperand &use) {
    Operation *reader = use.getOwner();
    if (reader->getBlock() != root->getBlock())
      return FusionDecision::no("'" + Twine(reader->getName().getStringRef()) + "' of another block reads it too");
    if (root->isBeforeInBlock(reader)) {
      bool pulledIn = result.getOwner() != joining.front();
      if (pulledIn || mayAlsoBeReadOutside(result, group.getArrayRef()))
        return FusionDecision::yes();
      return FusionDecision::no("'" + Twine(reader->getName().getStringRef()) + "' reads it outside of the kernel too");
    }
    if (FusionDecision decision = fuses(result.getOwner(), use, target); !decision)
      return decision;
    if (group.contains(reader) || joining.contains(reader) || (canFollowAnotherReader(use) && joining.insert(reader)))
      return FusionDecision::yes();
    return FusionDecision::no("'" + Twine(reader->getName().getStringRef()) + "' reads it in a kernel of its own");
  }

  const SetVector<Operation *> &group; ///< the root first
  Operation *root;
  TargetInterface target;
  SetVector<Operation *> joining;
};

/// Decides about the producer of an operand `use` of the group. Where the answer is yes, the producer and what comes
/// with it are added.
FusionDecision tryToJoin(Operation *producer, OpOperand &use, SetVector<Operation *> &group, TargetInterface target) {
  if (FusionDecision decision = fuses(producer, use, target); !decision)
    return decision;
  // Where rows are interleaved, a kernel has one product: its epilogue sees the sums of one.
  if (isa<LinearOp>(producer) && target.allows(Fusion::Interleave) && llvm::any_of(group, llvm::IsaPred<LinearOp>))
    return FusionDecision::no("the kernel has a product already, and its epilogue sees the sums of one");
  auto needsRows = [&](Operation *op) {
    auto quantize = dyn_cast<QuantizeOp>(op);
    return quantize && !(quantize.getStaticScales() && target.allows(Fusion::QuantizeEpilogue));
  };
  if (isa<LinearOp>(producer) && llvm::any_of(group, needsRows))
    return FusionDecision::no("a quantization needs the whole row, and a block has some columns of it");
  if (isa<QuantizeOp>(use.getOwner()) && use.getOwner() != group.front() && endsInPieces(producer))
    return FusionDecision::no("the kernel after the quantization has it, and needs whole rows");
  FusionCandidate candidate(producer, group, target);
  FusionDecision decision = candidate.decide();
  if (decision)
    group.insert_range(candidate.getOps());
  return decision;
}

/// Tells the remark engine of the context, if it has one that listens to "fusion".
void explain(Operation *producer, Operation *reader, const FusionDecision &decision) {
  StringRef entry = producer->getParentOfType<func::FuncOp>().getSymName();
  auto options = remark::RemarkOpts::name(decision ? "joins" : "stays-apart").category("fusion").function(entry);
  auto remark = decision ? remark::passed(producer->getLoc(), options) : remark::missed(producer->getLoc(), options);
  if (!remark)
    return;
  remark << ("'" + producer->getName().getStringRef() + "' " + (decision ? "joins" : "stays out of") +
             " the kernel of '" + reader->getName().getStringRef() + "'" + (decision ? "" : ": ") +
             decision.getReason())
                .str();
}

Group growGroup(Operation *root, TargetInterface target) {
  SetVector<Operation *> group;
  group.insert(root);
  for (unsigned next = 0; next < group.size(); ++next) {
    Operation *reader = group[next];
    for (OpOperand *use : cast<DestinationStyleOpInterface>(reader).getDpsInputOperands()) {
      Operation *producer = getProducer(use->get());
      if (producer && !group.contains(producer) && producer->getBlock() == root->getBlock() && isCompute(producer) &&
          !isa<DispatchOp>(producer))
        explain(producer, reader, tryToJoin(producer, *use, group, target));
    }
  }
  Group ordered(group.begin(), group.end());
  llvm::sort(ordered, [](Operation *left, Operation *right) { return left->isBeforeInBlock(right); });
  return ordered;
}

/// Builds the dispatch of one group.
class DispatchBuilder {
public:
  DispatchBuilder(ArrayRef<Operation *> group, TargetInterface target)
      : group(group), root(group.back()), target(target) {
    llvm::append_range(outputs, root->getResults());
    for (Operation *op : group.drop_back())
      llvm::copy_if(op->getResults(), std::back_inserter(outputs), [&](OpResult result) {
        return isStateResult(result) || isReadOutside(result) || isShared(result);
      });
  }

  void build() {
    collectInputs();
    OpBuilder builder(root);
    SmallVector<Type> types = llvm::map_to_vector(outputs, [](OpResult output) { return output.getType(); });
    SmallVector<Value> inits = llvm::map_to_vector(outputs, [](OpResult output) { return getInit(output)->get(); });
    auto dispatch = DispatchOp::create(builder, root->getLoc(), types, /*rows=*/Value(), inputs.getArrayRef(), inits,
                                       /*may_be_empty=*/false);
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

  /// Blocks of the kernel share it through memory.
  bool isShared(OpResult result) const {
    auto quantize = dyn_cast<QuantizeOp>(result.getOwner());
    return quantize && needsSharedCodes(quantize, target);
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

  /// Readers take the dispatch's results; stores that were before it come after it, in their order.
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
  TargetInterface target;
  SetVector<Value> inputs;
  /// Results of the dispatch: those of the root, then of the others the states, what is read outside, and what blocks
  /// share.
  SmallVector<OpResult> outputs;
};

struct FormDispatches : impl::FormDispatchesBase<FormDispatches> {
  void runOnOperation() override {
    if (!getOperation()->hasAttr(attr::kEntry))
      return;
    TargetInterface target = getTarget(getOperation());
    if (!target) {
      getOperation()->getParentOfType<ModuleOp>().emitError()
          << "expected the attribute '" << attr::kTarget << "' on the module";
      return signalPassFailure();
    }
    if (failed(checkStaticShapes()))
      return signalPassFailure();
    for (Block &block : getOperation().getBody())
      formInBlock(block, target);
  }

  /// Kernels, their schedules and the memory plan need every size but the number of items of a state pool.
  LogicalResult checkStaticShapes() {
    WalkResult result = getOperation().walk([](DestinationStyleOpInterface op) -> WalkResult {
      for (OpResult result : op->getResults())
        if (auto type = cast<ShapedType>(result.getType()); !isStateResult(result) && !type.hasStaticShape())
          return op->emitOpError() << "expected static shapes in an entry point, found " << type;
      return success();
    });
    return failure(result.wasInterrupted());
  }

  void formInBlock(Block &block, TargetInterface target) {
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
      DispatchBuilder(group, target).build();
      // The dispatch stands where the root stood, right before `next`.
      op = next->getPrevNode();
    }
  }
};

} // namespace
} // namespace bambac
