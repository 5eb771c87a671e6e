// The state space recurrence for one token of each sequence, with the convolution that its inputs come from where that
// joined the kernel, and what takes a state over the tokens of a ring.
#include "codegen/cuda/emit/Convolution.h"
#include "codegen/cuda/emit/Epilogue.h"
#include "codegen/cuda/emit/Ops.h"
#include "codegen/cuda/emit/Ssm.h"
#include "codegen/cuda/emit/StateUse.h"
#include "llvm/ADT/StringExtras.h"

namespace bambac::codegen {
namespace {

/// Columns of a convolution's result.
struct ConvolvedColumns {
  CausalConv1dOp conv; ///< null: the value is something else
  int64_t offset = 0;
};

ConvolvedColumns convolvedColumns(Value value) {
  auto slice = value.getDefiningOp<tensor::ExtractSliceOp>();
  auto conv = slice ? slice.getSource().getDefiningOp<CausalConv1dOp>() : nullptr;
  if (!conv || slice.getStaticSizes().size() != 2 || slice.getStaticStrides()[1] != 1)
    return {};
  return {conv, slice.getStaticOffsets()[1]};
}

/// The convolution that computes x, B and C of a step inside its kernel; null where there is none. The kernel computes
/// its channels as x | B | C (ConvolvedInput in common/ssm_inputs.cuh): any other use of them is an error.
FailureOr<CausalConv1dOp> findConvolution(SsmStepOp step) {
  ConvolvedColumns x = convolvedColumns(step.getX()), b = convolvedColumns(step.getB()),
                   c = convolvedColumns(step.getC());
  if (!x.conv && !b.conv && !c.conv)
    return CausalConv1dOp();
  int64_t heads = step.getNumHeads() * step.getHeadDim(), groups = step.getNumGroups() * step.getStateSize();
  auto fail = [&]() {
    return step.emitOpError() << "expected x, B and C to be columns 0, " << heads << " and " << heads + groups
                              << " of one convolution of " << heads + 2 * groups << " channels";
  };
  if (x.conv != b.conv || x.conv != c.conv)
    return fail() << ", found columns of something else as well";
  int64_t channels = dimOf(x.conv.getResult(), 1);
  if (x.offset != 0 || b.offset != heads || c.offset != heads + groups || channels != heads + 2 * groups)
    return fail() << ", found columns " << x.offset << ", " << b.offset << " and " << c.offset << " of " << channels;
  return x.conv;
}

/// The step's input as a convolution that is computed on the way.
FailureOr<std::string> emitConvolvedInput(KernelWriter &writer, CausalConv1dOp conv) {
  FailureOr<View> view = writer.view(conv, conv.getInput());
  if (failed(view))
    return failure();
  FailureOr<SmallVector<std::string>> arguments = convolutionArguments(writer, conv, *view);
  if (failed(arguments))
    return failure();
  arguments->push_back(writer.address(conv, conv.getPositions(), "positions"));
  writer.operand(cast<RankedTensorType>(conv.getResult().getType()).getElementType());
  writer.constant("input_vector", view->alignment(kWidest));
  writer.declare("/// x, B and C of a step: the convolution of its input.\nusing Input = ConvolvedInput<Shape, " +
                 writer.rowsType(*view) + ", " + cudaType(conv.getState().getType().getElementType()).str() + ">;\n");
  return "Input{" + llvm::join(*arguments, ", ") + "}";
}

/// The step's input as it stands in memory.
FailureOr<std::string> emitPlainInput(KernelWriter &writer, SsmStepOp step) {
  FailureOr<SmallVector<View>> views = viewsOf(writer, step, {step.getX(), step.getB(), step.getC()});
  if (failed(views))
    return failure();
  int64_t alignment = kWidest;
  SmallVector<std::string> types, values;
  const StringRef names[] = {nameOfX(*views), "b", "c"};
  for (auto [view, name] : llvm::zip(*views, names)) {
    alignment = view.alignment(alignment);
    types.push_back(writer.rowsType(view));
    values.push_back(writer.rows(view, name));
  }
  writer.constant("taps", int64_t(1));
  writer.constant("input_vector", alignment);
  writer.declare("/// x, B and C of a step.\nusing Input = SsmInput<" + llvm::join(types, ", ") + ">;\n");
  return "Input{" + llvm::join(values, ", ") + "}";
}

/// Declares the ring of an op, whose entries it may only read, as `Ring`; the value of its call.
template <typename Op> std::string emitRing(KernelWriter &writer, Op op, bool isRead) {
  writer.declare("/// The tokens that wait for the state.\nusing Ring = SsmRing<Shape, " +
                 Twine(dimOf(op.getEntries(), 1) + 1) + (isRead ? ", const Shape::Operand, const float" : "") + ">;\n");
  return "Ring{" +
         llvm::join(SmallVector<std::string>{writer.address(op, op.getEntries(), "entries"),
                                             writer.address(op, op.getDeltas(), "deltas"),
                                             writer.address(op, op.getPending(), "pending")},
                    ", ") +
         "}";
}

} // namespace

FailureOr<KernelText> emitSsmFold(KernelWriter &writer, SsmFoldOp fold) {
  const std::string batch = writer.sizeParam("batch", dimOf(fold.getSlots(), 0));
  describeSsm(writer, fold);
  writer.operand(fold.getEntries().getType().getElementType());
  std::string ring = emitRing(writer, fold, /*isRead=*/true);
  SmallVector<std::string> call{batch, writer.address(fold, fold.getALog(), "aLog"),
                                writer.address(fold, fold.getSlots(), "slots"),
                                writer.address(fold, fold.getState(), "state"), ring};
  if (fold.getScales())
    call.push_back(writer.address(fold, fold.getScales(), "scales"));
  return writer.finish({"State", "Ring"}, call);
}

FailureOr<KernelText> emitSsmStep(KernelWriter &writer, SsmStepOp step) {
  writer.size("batch", cast<RankedTensorType>(step.getSlots().getType()).getDimSize(0));
  describeSsm(writer, step);
  FailureOr<CausalConv1dOp> conv = findConvolution(step);
  if (failed(conv))
    return failure();
  FailureOr<std::string> input = *conv ? emitConvolvedInput(writer, *conv) : emitPlainInput(writer, step);
  FailureOr<View> dt = writer.view(step, step.getDt());
  FailureOr<std::string> epilogue = emitEpilogue(writer, step.getResult(), nullptr);
  if (failed(input) || failed(dt) || failed(epilogue))
    return failure();
  SmallVector<Value> pools{step.getState()};
  if (step.getPending())
    pools.append({step.getEntries(), step.getDeltas()});
  if (step.getScales())
    pools.push_back(step.getScales());
  writer.constant("loads_early", areUnwritten(step->getParentOfType<func::FuncOp>(), pools));
  SmallVector<std::string> call{*input, writer.rows(*dt, "dt")};
  llvm::append_range(call, headArguments(writer, step));
  call.push_back(writer.address(step, step.getState(), "state"));
  call.push_back(*epilogue);
  if (!step.getPending())
    return writer.finish({"State"}, call);
  writer.operand(step.getEntries().getType().getElementType());
  call.push_back(emitRing(writer, step, /*isRead=*/false));
  if (step.getScales())
    call.push_back(writer.address(step, step.getScales(), "scales"));
  return writer.finish({"State", "Ring"}, call);
}

} // namespace bambac::codegen
