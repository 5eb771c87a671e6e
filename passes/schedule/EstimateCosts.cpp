// States what kernels move and compute: see EstimateCosts in Passes.td.
#include "codegen/cuda/collectives/geometry/state_ring.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "passes/Passes.h"
#include "passes/memory/TensorBytes.h"
#include "passes/schedule/CudaCollectives.h"
#include "llvm/ADT/TypeSwitch.h"

namespace bambac {
#define GEN_PASS_DEF_ESTIMATECOSTS
#include "passes/Passes.h.inc"

namespace {

int64_t sizeOf(Value value, unsigned dim) { return cast<ShapedType>(value.getType()).getDimSize(dim); }

struct KernelCost {
  int64_t weights = 0, states = 0, activations = 0, flops = 0, contextBytes = 0, contextFlops = 0, codeFlops = 0;
};

/// Without positions all of the state moves. A ring is read where the inputs before the step lie and written where
/// the last of the step go.
int64_t convolutionStateBytes(CausalConv1dOp conv) {
  Type state = conv.getState().getType();
  int64_t pieces = sizeOf(conv.getSlots(), 0);
  if (!conv.getPositions())
    return 2 * bytesOf(state, pieces);
  int64_t written = std::min(sizeOf(conv.getInput(), 0) / pieces, conv.getTaps());
  return pieces * (conv.getTaps() - 1 + written) * sizeOf(conv.getState(), 2) * elementBytesOf(state);
}

/// Tokens of a chunk as the kernel computes it. Before there is a schedule, as the model says.
int64_t chunkOf(SsmScanOp scan) {
  Attribute schedule = scan->getParentOfType<func::FuncOp>()->getAttr(attr::kSchedule);
  if (auto cpu = dyn_cast_or_null<CpuScheduleAttr>(schedule))
    return cpu.getChunk();
  if (auto cuda = dyn_cast_or_null<CudaScheduleAttr>(schedule))
    return getScanChunk(cuda);
  return scan.getChunk();
}

/// States of so many sequences, with the scales of codes.
template <typename Op> int64_t stateBytes(Op op, int64_t batch) {
  int64_t scales = op.getScales() ? bytesOf(op.getScales().getType(), batch) : 0;
  return bytesOf(op.getState().getType(), batch) + scales;
}

/// What a decode step with a ring moves on average.
int64_t ringBytes(SsmStepOp step, int64_t batch) {
  int64_t entries = sizeOf(step.getEntries(), 1);
  int64_t all = bytesOf(step.getEntries().getType(), batch) + bytesOf(step.getDeltas().getType(), batch);
  return static_cast<int64_t>(geometry::ringStepBytes(stateBytes(step, batch), all / entries, entries + 1));
}

/// States read and written, and operations; a multiply-add counts as two. Fails for an op of which neither is known.
LogicalResult addOp(Operation *op, KernelCost &cost) {
  if (!isa<TilingInterface, linalg::LinalgOp>(op))
    return success();
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case<LinearOp>([&](LinearOp linear) {
        int64_t flops =
            2 * sizeOf(linear.getInput(), 0) * sizeOf(linear.getWeight(), 0) * sizeOf(linear.getWeight(), 1);
        cost.flops += flops;
        cost.codeFlops += linear.isScaled() ? flops : 0;
        return success();
      })
      .Case<CausalConv1dOp>([&](CausalConv1dOp conv) {
        cost.states += convolutionStateBytes(conv);
        cost.flops += 2 * sizeOf(conv.getInput(), 0) * sizeOf(conv.getInput(), 1) * sizeOf(conv.getWeight(), 0);
        return success();
      })
      .Case<SsmStepOp>([&](SsmStepOp step) {
        int64_t batch = sizeOf(step.getSlots(), 0);
        cost.states += step.getPending() ? ringBytes(step, batch) : 2 * stateBytes(step, batch);
        // decay, outer product with B, product with C: 5 operations for each element of the state
        cost.flops += 5 * batch * step.getNumHeads() * step.getHeadDim() * step.getStateSize();
        return success();
      })
      // Nothing waits when a prompt goes on.
      .Case<SsmFoldOp>([](Operation *) { return success(); })
      .Case<SsmScanOp>([&](SsmScanOp scan) {
        int64_t tokens = sizeOf(scan.getX(), 0), chunk = chunkOf(scan);
        int64_t channels = scan.getHeadDim(), state = scan.getStateSize();
        cost.states += 2 * stateBytes(scan, sizeOf(scan.getSlots(), 0));
        // C B^T and its product with X over half a chunk on average, C S^T and the state update over all of it
        cost.flops += scan.getNumHeads() * tokens * (chunk * (state + channels) + 4 * state * channels);
        return success();
      })
      .Case<KvAppendOp>([&](KvAppendOp append) {
        int64_t keys = cast<ShapedType>(append.getK().getType()).getNumElements();
        cost.states += 2 * keys * elementBytesOf(append.getKCache().getType());
        return success();
      })
      .Case<AttentionOp>([&](AttentionOp attention) {
        int64_t width = attention.getNumKvHeads() * attention.getHeadDim();
        int64_t tokens = attention.hasRuns() ? attention.getNumRows() : 1;
        cost.contextBytes += 2 * width * elementBytesOf(attention.getKCache().getType());
        cost.contextFlops += 4 * tokens * width * attention.getGroupSize();
        return success();
      })
      .Case<linalg::LinalgOp, SwigluOp, RmsNormOp, GatedRmsNormOp, RopeOp, QuantizeOp, SplitOp>([&](Operation *other) {
        cost.flops += 4 * cast<ShapedType>(other->getResult(0).getType()).getNumElements();
        return success();
      })
      // What moves rows or compares their elements has no operations to speak of; most rows are not sampled.
      .Case<EmbeddingOp, TakeRowsOp, ArgmaxOp, SampleOp>([](Operation *) { return success(); })
      .Default([](Operation *other) {
        return other->emitOpError() << "has no cost: expected a case of addOp in the pass bamba-estimate-costs";
      });
}

struct EstimateCosts : impl::EstimateCostsBase<EstimateCosts> {
  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    DenseSet<Operation *> done;
    getOperation().walk([&](LaunchOp launch) {
      auto kernel = symbols.lookup<func::FuncOp>(launch.getKernel());
      if (!done.insert(kernel).second)
        return;
      if (CostAttr cost = estimate(launch, kernel))
        kernel->setAttr(attr::kCost, cost);
      else
        signalPassFailure();
    });
  }

  /// Null, after an error, where an op's cost is not known.
  CostAttr estimate(LaunchOp launch, func::FuncOp kernel) {
    KernelCost cost;
    for (OpOperand &operand : launch->getOpOperands())
      addOperand(operand, kernel, cost);
    WalkResult known = kernel.walk(
        [&](Operation *op) { return failed(addOp(op, cost)) ? WalkResult::interrupt() : WalkResult::advance(); });
    if (known.wasInterrupted())
      return {};
    if (kernel->hasAttr(attr::kMayBeEmpty)) { // a prompt keeps the logits of one row
      int64_t rows = sizeOf(launch.getResult(0), 0);
      cost.activations /= rows;
      cost.flops /= rows;
      cost.codeFlops /= rows;
    }
    return CostAttr::get(&getContext(), cost.weights, cost.states, cost.activations, cost.flops, cost.contextBytes,
                         cost.contextFlops, cost.codeFlops);
  }

  /// Weights and activations are counted where a launch takes them; states where ops touch them.
  static void addOperand(OpOperand &operand, func::FuncOp kernel, KernelCost &cost) {
    auto type = cast<RankedTensorType>(operand.get().getType());
    Operation *definition = operand.get().getDefiningOp();
    BlockArgument argument = kernel.getArgument(operand.getOperandNumber());
    auto embedding = argument.hasOneUse() ? dyn_cast<EmbeddingOp>(*argument.user_begin()) : nullptr;
    if (embedding && embedding.getTable() == argument)
      cost.weights += bytesOf(type) / type.getDimSize(0) * sizeOf(embedding.getTokens(), 0);
    else if (isa_and_nonnull<ml_program::GlobalLoadConstOp>(definition))
      cost.weights += bytesOf(type);
    else if (type.hasStaticShape())
      cost.activations += bytesOf(type);
  }
};

} // namespace
} // namespace bambac
