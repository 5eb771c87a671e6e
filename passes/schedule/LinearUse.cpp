// Counts what the module says of entry points and their launches.
#include "passes/schedule/LinearUse.h"
#include "dialects/bamba/EntryPoint.h"
#include "dialects/bamba/Kernel.h"

namespace bambac {

SmallVector<int> getLikelyRows(LinearOp linear) {
  constexpr int kSamples = 32;
  int rows = static_cast<int>(linear.getInput().getType().getDimSize(0));
  auto limits = linear->getParentOfType<ModuleOp>()->getAttrOfType<LimitsAttr>(attr::kLimits);
  auto kernel = linear->getParentOfType<func::FuncOp>();
  if (kernel->hasAttr(attr::kMayBeEmpty))
    return {1};
  if (!findRows(kernel) || !limits)
    return {rows};
  SmallVector<int> likely;
  for (int sample = kSamples / kChunkRatio + 1; sample <= kSamples; ++sample)
    likely.push_back(static_cast<int>(llvm::divideCeil(rows * sample, kSamples)));
  if (rows >= limits.getPrefillChunk())
    likely.append(likely.size() - 2, rows);
  return likely;
}

bool hasMostRows(LinearOp linear) {
  auto kernel = linear->getParentOfType<func::FuncOp>();
  if (!findRows(kernel))
    return true;
  bool isLaunched = false, onlyDecodes = true;
  linear->getParentOfType<ModuleOp>().walk([&](LaunchOp launch) {
    if (launch.getKernel() != kernel.getName())
      return;
    auto entry = launch->getParentOp()->getAttrOfType<EntryAttr>(attr::kEntry);
    isLaunched = true;
    onlyDecodes &= entry && entry.getKind() == EntryKind::Decode;
  });
  return isLaunched && onlyDecodes;
}

bool isRareShape(LinearOp linear) {
  constexpr int kRarely = 8;
  auto shapeOf = [](LinearOp op) { return cast<RankedTensorType>(op.getInit().getType()).getShape(); };
  auto module = linear->getParentOfType<ModuleOp>();
  SymbolTable kernels(module);
  int same = 0, all = 0;
  module.walk([&](LaunchOp launch) {
    auto kernel = kernels.lookup<func::FuncOp>(launch.getKernel());
    auto main = kernel ? dyn_cast<LinearOp>(getMainOp(kernel.front())) : LinearOp();
    if (!main || shapeOf(main)[0] != shapeOf(linear)[0])
      return;
    ++all;
    same += shapeOf(main)[1] == shapeOf(linear)[1];
  });
  return same * kRarely < all;
}

} // namespace bambac
