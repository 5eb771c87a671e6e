// Tensors to memory, bamba ops to loops: see Bufferize in Passes.td.
#include "codegen/cpu/Passes.h"
#include "codegen/cpu/emit/Ops.h"
#include "dialects/bamba/Kernel.h"
#include "mlir/Dialect/Bufferization/IR/DstBufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Bufferization/Transforms/OneShotAnalysis.h"
#include "mlir/Dialect/Bufferization/Transforms/OneShotModuleBufferize.h"
#include "mlir/Dialect/Bufferization/Transforms/Passes.h"

namespace bambac::codegen {
#define GEN_PASS_DEF_BUFFERIZE
#include "codegen/cpu/Passes.h.inc"

namespace {

/// A state is read before it is updated; any other destination is overwritten.
bool isState(DestinationStyleOpInterface op, OpOperand &init) {
  return isa<KvAppendOp>(*op) || (isa<CausalConv1dOp, SsmStepOp, SsmScanOp>(*op) &&
                                  op.getTiedOpResult(&init).getResultNumber() + 1 == op->getNumResults());
}

template <typename Op> struct EmitLoops : bufferization::DstBufferizableOpInterfaceExternalModel<EmitLoops<Op>, Op> {
  bool bufferizesToMemoryRead(Operation *op, OpOperand &operand, const bufferization::AnalysisState &) const {
    auto destinationOp = cast<DestinationStyleOpInterface>(op);
    return !destinationOp.isDpsInit(&operand) || isState(destinationOp, operand);
  }

  LogicalResult bufferize(Operation *op, RewriterBase &rewriter, const bufferization::BufferizationOptions &options,
                          bufferization::BufferizationState &state) const {
    rewriter.setInsertionPoint(op);
    SmallVector<Value> buffers;
    for (Value operand : op->getOperands()) {
      FailureOr<Value> buffer = bufferization::getBuffer(rewriter, operand, options, state);
      if (failed(buffer))
        return failure();
      buffers.push_back(*buffer);
    }
    Value rows = findRows(op->getParentOfType<func::FuncOp>());
    if (rows && isa<TensorType>(rows.getType())) {
      FailureOr<Value> buffer = bufferization::getBuffer(rewriter, rows, options, state);
      if (failed(buffer))
        return failure();
      rows = *buffer;
    }
    Emitter emitter(rewriter, op, rows);
    if (failed(emitOp(emitter, cast<Op>(op), typename Op::Adaptor(buffers, cast<Op>(op)))))
      return failure();
    SmallVector<Value> results;
    for (OpOperand &init : cast<DestinationStyleOpInterface>(op).getDpsInitsMutable())
      results.push_back(buffers[init.getOperandNumber()]);
    bufferization::replaceOpWithBufferizedValues(rewriter, op, results);
    return success();
  }
};

bufferization::OneShotBufferizationOptions getOptions() {
  bufferization::OneShotBufferizationOptions options;
  options.bufferizeFunctionBoundaries = true;
  options.setFunctionBoundaryTypeConversion(bufferization::LayoutMapOption::IdentityLayoutMap);
  options.inferFunctionResultLayout = true;
  // Workgroups write to tiles of their own.
  options.checkParallelRegions = false;
  return options;
}

/// One-shot bufferization would say no more than that the op was not bufferized.
LogicalResult checkBufferizable(ModuleOp module) {
  auto isTensor = [](Type type) { return isa<TensorType>(type); };
  WalkResult walked = module.walk([&](Operation *op) {
    if (isa<bufferization::BufferizableOpInterface>(op) ||
        (llvm::none_of(op->getOperandTypes(), isTensor) && llvm::none_of(op->getResultTypes(), isTensor)))
      return WalkResult::advance();
    op->emitError() << "expected an op that CPU code generation has loops for, found '" << op->getName()
                    << "': declare its emitOp in codegen/cpu/emit/Ops.h and attach EmitLoops to it in "
                       "codegen/cpu/Bufferize.cpp";
    return WalkResult::interrupt();
  });
  return failure(walked.wasInterrupted());
}

struct Bufferize : impl::BufferizeBase<Bufferize> {
  void runOnOperation() override {
    bufferization::BufferizationState state;
    if (failed(checkBufferizable(getOperation())) ||
        failed(bufferization::runOneShotModuleBufferize(getOperation(), getOptions(), state)) ||
        failed(bufferization::dropEquivalentBufferResults(getOperation())))
      return signalPassFailure();
    for (auto kernel : getOperation().getOps<func::FuncOp>())
      if (kernel->hasAttr(attr::kKernel) && kernel.getNumResults() != 0) {
        kernel.emitError() << "expected every result to be computed into its destination";
        return signalPassFailure();
      }
  }
};

} // namespace

void registerBufferization(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, BambaDialect *) {
    EmbeddingOp::attachInterface<EmitLoops<EmbeddingOp>>(*context);
    RmsNormOp::attachInterface<EmitLoops<RmsNormOp>>(*context);
    GatedRmsNormOp::attachInterface<EmitLoops<GatedRmsNormOp>>(*context);
    QuantizeOp::attachInterface<EmitLoops<QuantizeOp>>(*context);
    SplitOp::attachInterface<EmitLoops<SplitOp>>(*context);
    LinearOp::attachInterface<EmitLoops<LinearOp>>(*context);
    RopeOp::attachInterface<EmitLoops<RopeOp>>(*context);
    SwigluOp::attachInterface<EmitLoops<SwigluOp>>(*context);
    TakeRowsOp::attachInterface<EmitLoops<TakeRowsOp>>(*context);
    ArgmaxOp::attachInterface<EmitLoops<ArgmaxOp>>(*context);
    SampleOp::attachInterface<EmitLoops<SampleOp>>(*context);
    CausalConv1dOp::attachInterface<EmitLoops<CausalConv1dOp>>(*context);
    SsmStepOp::attachInterface<EmitLoops<SsmStepOp>>(*context);
    SsmScanOp::attachInterface<EmitLoops<SsmScanOp>>(*context);
    KvAppendOp::attachInterface<EmitLoops<KvAppendOp>>(*context);
    AttentionOp::attachInterface<EmitLoops<AttentionOp>>(*context);
  });
}

} // namespace bambac::codegen
