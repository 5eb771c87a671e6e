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
    entries.push_back(EntryAttr::get(context, EntryKind::Decode, batch, 1));
  SmallVector<int64_t> prefill = prefillChunks(limits, target.getLeastPrefillChunk());
  SmallVector<int64_t> score = scoreChunks(prefill);
  for (int64_t chunk : llvm::reverse(prefill))
    entries.push_back(EntryAttr::get(context, EntryKind::Prefill, 1, chunk));
  for (int64_t chunk : llvm::reverse(score))
    entries.push_back(EntryAttr::get(context, EntryKind::Score, 1, chunk));
  return entries;
}

OwningOpRef<ModuleOp> buildModelModule(const ModelDescription &model, const CompileLimits &limits,
                                       TargetInterface target) {
  MLIRContext *context = target.getContext();
  context->loadDialect<BambaDialect, func::FuncDialect, linalg::LinalgDialect, ml_program::MLProgramDialect,
                       tensor::TensorDialect>();
  OwningOpRef<ModuleOp> module = ModuleOp::create(UnknownLoc::get(context));
  (*module)->setAttr(attr::kTarget, target);
  (*module)->setAttr(attr::kLimits, LimitsAttr::get(context, limits.maxBatch, *limits.maxContext, limits.prefillChunk,
                                                    limits.pageTokens));
  (*module)->setAttr(attr::kConfig, StringAttr::get(context, model.config));
  if (model.bosToken)
    (*module)->setAttr(attr::kBosToken, Builder(context).getI32IntegerAttr(*model.bosToken));
  if (!model.eosTokens.empty())
    (*module)->setAttr(attr::kEosTokens, DenseI32ArrayAttr::get(context, model.eosTokens));
  (*module)->setAttr(attr::kCheckpoint, StringAttr::get(context, toJsonText(model.checkpoint)));
  ElementTypes types =
      target.getElementTypes(toMlirType(context, limits.weightType), toMlirType(context, limits.stateType));
  Globals globals(*module, types);
  for (EntryAttr entry : listEntries(limits, target))
    EntryBuilder(*module, globals, model, limits, types, entry).build();
  return module;
}

} // namespace bambac
