// Which op of a kernel the others come before or after, and what a linear reads through those before it.
#include "dialects/bamba/Bamba.h"
#include "llvm/ADT/TypeSwitch.h"

namespace bambac {

/// How much of a kernel an op stands for.
static unsigned rankOf(Operation *op) {
  return llvm::TypeSwitch<Operation *, unsigned>(op)
      .Case<LinearOp, SsmStepOp, SsmFoldOp, SsmScanOp, AttentionOp>([](Operation *) { return 4; })
      .Case<KvAppendOp>([](Operation *) { return 3; })
      .Case<CausalConv1dOp, RmsNormOp, EmbeddingOp, TakeRowsOp, ArgmaxOp, SampleOp, QuantizeOp, SplitOp>(
          [](Operation *) { return 2; })
      .Case<DestinationStyleOpInterface>([](Operation *) { return 1; })
      .Default([](Operation *) { return 0; });
}

Operation *getMainOp(Block &body) {
  Operation *main = nullptr;
  unsigned highest = 0;
  for (Operation &op : body)
    if (unsigned rank = rankOf(&op); rank > 0 && rank >= highest) {
      main = &op;
      highest = rank;
    }
  return main;
}

LinearSource getSource(LinearOp linear) {
  LinearSource source;
  source.input = linear.getInput();
  source.quantize = source.input.getDefiningOp<QuantizeOp>();
  if (source.quantize && hasSharedCodes(source.quantize)) {
    std::swap(source.quantize, source.sharedQuantize);
    return source;
  }
  if (source.quantize)
    source.input = source.quantize.getInput();
  source.norm = source.input.getDefiningOp<RmsNormOp>();
  if (source.norm)
    source.input = source.norm.getInput();
  return source;
}

bool hasSharedCodes(QuantizeOp quantize) {
  return isa<BlockArgument>(quantize.getInit()) &&
         llvm::any_of(quantize.getResult().getUsers(), llvm::IsaPred<LinearOp>);
}

QuantizeOp findTailQuantize(Value produced) {
  for (Operation *user : produced.getUsers()) {
    if (auto quantize = dyn_cast<QuantizeOp>(user))
      return quantize;
    if (isa<tensor::ExtractSliceOp>(user) || rankOf(user) == 1)
      if (QuantizeOp quantize = findTailQuantize(user->getResult(0)))
        return quantize;
  }
  return {};
}

} // namespace bambac
