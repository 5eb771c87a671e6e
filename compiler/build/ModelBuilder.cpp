// Puts globals and entry points into one module.
#include "compiler/build/ModelBuilder.h"
#include "compiler/build/EntryBuilder.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

using namespace mlir;

namespace bambac {

/// All entry points, sorted by kind and then by size.
static SmallVector<EntryAttr> listEntries(const CompileLimits &limits, TargetInterface target) {
  MLIRContext *context = target.getContext();
  SmallVector<EntryAttr> entries;
  for (int64_t batch : decodeBatches(limits))
    entries.push_back(EntryAttr::get(context, EntryKind::Decode, batch, 1, /*kept=*/0));
  SmallVector<int64_t> prefill = prefillChunks(limits, target.getLeastPrefillChunk(), target.getPrefillTile());
  for (int64_t chunk : llvm::reverse(prefill))
    entries.push_back(EntryAttr::get(context, EntryKind::Prefill, prefillPieces(limits, chunk), chunk,
                                     keptRows(limits, chunk, target.getPrefillTile())));
  return entries;
}

static constexpr int64_t kShortestRingOfCodes = 4;

/// After how many decode steps SSM states are written: what was asked for, as far as the target can, or what it
/// chooses for the largest state.
static int64_t chooseStateRing(const ModelDescription &model, const CompileLimits &limits, const ElementTypes &types,
                               TargetInterface target) {
  if (limits.stateRing)
    return std::min(*limits.stateRing, target.getLongestStateRing());
  auto bytesOf = [](int64_t count, Type element) { return count * element.getIntOrFloatBitWidth() / 8; };
  int64_t stateBytes = 0, entryBytes = 0;
  for (const Layer &layer : model.layers)
    for (const ResidualBlock &block : layer.blocks)
      if (const auto *mamba = std::get_if<Mamba2>(&block.body)) {
        int64_t channels = mamba->heads * mamba->headDim;
        stateBytes = std::max<int64_t>(stateBytes, bytesOf(channels * mamba->stateSize, types.ssmState));
        entryBytes =
            std::max<int64_t>(entryBytes, bytesOf(channels + mamba->groups * mamba->stateSize, types.activation) +
                                              bytesOf(mamba->heads, types.wide));
      }
  int64_t chosen = target.chooseStateRing(limits.maxBatch, stateBytes, entryBytes);
  // The errors of codes that are rounded at each token would add up.
  return isa<IntegerType>(types.ssmState) ? std::max<int64_t>(chosen, kShortestRingOfCodes) : chosen;
}

OwningOpRef<ModuleOp> buildModelModule(const ModelDescription &model, const CompileLimits &asked,
                                       TargetInterface target) {
  MLIRContext *context = target.getContext();
  context->loadDialect<BambaDialect, func::FuncDialect, linalg::LinalgDialect, ml_program::MLProgramDialect,
                       tensor::TensorDialect>();
  ElementTypes types =
      target.getElementTypes(toMlirType(context, asked.weightType), toMlirType(context, asked.stateType));
  CompileLimits limits = asked;
  limits.stateRing = chooseStateRing(model, limits, types, target);
  OwningOpRef<ModuleOp> module = ModuleOp::create(UnknownLoc::get(context));
  (*module)->setAttr(attr::kTarget, target);
  (*module)->setAttr(attr::kLimits, LimitsAttr::get(context, limits.maxBatch, *limits.maxContext, limits.prefillChunk,
                                                    limits.pageTokens, *limits.stateRing));
  (*module)->setAttr(attr::kConfig, StringAttr::get(context, model.config));
  if (model.bosToken)
    (*module)->setAttr(attr::kBosToken, Builder(context).getI32IntegerAttr(*model.bosToken));
  if (!model.eosTokens.empty())
    (*module)->setAttr(attr::kEosTokens, DenseI32ArrayAttr::get(context, model.eosTokens));
  (*module)->setAttr(attr::kCheckpoint, StringAttr::get(context, toJsonText(model.checkpoint)));
  Globals globals(*module, types);
  for (EntryAttr entry : listEntries(limits, target))
    EntryBuilder(*module, globals, model, limits, types, entry).build();
  return module;
}

} // namespace bambac
