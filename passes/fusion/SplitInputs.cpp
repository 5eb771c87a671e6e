// Puts a split before linears that multiply terms: see SplitInputs in Passes.td.
#include "passes/Passes.h"

namespace bambac {
#define GEN_PASS_DEF_SPLITINPUTS
#include "passes/Passes.h.inc"

namespace {

struct SplitInputs : impl::SplitInputsBase<SplitInputs> {
  void runOnOperation() override {
    TargetInterface target = getTarget(getOperation());
    if (!target)
      return;
    DenseMap<std::pair<Value, TermsAttr>, Value> done;
    getOperation().walk([&](LinearOp linear) {
      RankedTensorType input = linear.getInput().getType();
      TermsAttr terms = target.getInputTerms(input.getDimSize(0), linear.getWeight().getType().getElementType());
      if (!terms || linear.getTerms() || !input.hasStaticShape() || !input.getElementType().isF32())
        return;
      Value &split = done[{linear.getInput(), terms}];
      if (!split || split.getParentBlock() != linear->getBlock())
        split = splitBefore(linear, terms);
      linear.getInputMutable().assign(split);
      linear.setTermsAttr(terms);
    });
  }

private:
  Value splitBefore(LinearOp linear, TermsAttr terms) {
    OpBuilder builder(linear);
    RankedTensorType input = linear.getInput().getType();
    Value init = tensor::EmptyOp::create(builder, linear.getLoc(),
                                         ArrayRef<int64_t>{input.getDimSize(0), terms.getWidth(input.getDimSize(1))},
                                         linear.getWeight().getType().getElementType());
    ++numSplit;
    return SplitOp::create(builder, linear.getLoc(), init.getType(), linear.getInput(), terms, init).getResult();
  }
};

} // namespace
} // namespace bambac
