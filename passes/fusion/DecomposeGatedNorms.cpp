// Splits gated norms into gate and norm: see DecomposeGatedNorms in Passes.td.
#include "passes/Passes.h"

namespace bambac {
#define GEN_PASS_DEF_DECOMPOSEGATEDNORMS
#include "passes/Passes.h.inc"

namespace {

void decompose(GatedRmsNormOp norm) {
  OpBuilder builder(norm);
  Location loc = norm.getLoc();
  RankedTensorType type = norm.getInput().getType();
  Value init = tensor::EmptyOp::create(builder, loc, type.getShape(), type.getElementType());
  Value gated = SwigluOp::create(builder, loc, norm.getGate(), norm.getInput(), init).getResult();
  auto plain = RmsNormOp::create(builder, loc, gated, norm.getWeight(), norm.getInit(), norm.getEpsAttr());
  norm.getResult().replaceAllUsesWith(plain.getResult());
  norm.erase();
}

struct DecomposeGatedNorms : impl::DecomposeGatedNormsBase<DecomposeGatedNorms> {
  void runOnOperation() override {
    TargetInterface target = getTarget(getOperation());
    if (!target || !target.allows(Fusion::Gate))
      return;
    getOperation().walk([](GatedRmsNormOp norm) { decompose(norm); });
  }
};

} // namespace
} // namespace bambac
