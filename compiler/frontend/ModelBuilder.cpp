// Puts globals and entry points into one module.
#include "compiler/frontend/ModelBuilder.h"
#include "compiler/frontend/EntryBuilder.h"
#include "compiler/frontend/Globals.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

using namespace mlir;

namespace bambac {

/// All entry points, sorted by kind and then by size.
static SmallVector<EntryAttr> listEntries(MLIRContext *context, const CompileLimits &limits) {
  SmallVector<EntryAttr> entries;
  for (int64_t batch : decodeBatches(limits))
    entries.push_back(EntryAttr::get(context, EntryKind::Decode, batch, 1));
  SmallVector<int64_t> chunks = prefillChunks(limits);
  for (EntryKind kind : {EntryKind::Prefill, EntryKind::Score})
    for (int64_t chunk : llvm::reverse(chunks))
      entries.push_back(EntryAttr::get(context, kind, 1, chunk));
  return entries;
}

OwningOpRef<ModuleOp> buildModelModule(const ModelConfig &config, const CompileLimits &limits, TargetAttr target) {
  MLIRContext *context = target.getContext();
  context->loadDialect<BambaDialect, func::FuncDialect, linalg::LinalgDialect, ml_program::MLProgramDialect,
                       tensor::TensorDialect>();
  OwningOpRef<ModuleOp> module = ModuleOp::create(UnknownLoc::get(context));
  (*module)->setAttr(attr::kTarget, target);
  (*module)->setAttr(attr::kLimits, LimitsAttr::get(context, limits.maxBatch, *limits.maxContext, limits.prefillChunk,
                                                    limits.pageTokens));
  (*module)->setAttr(attr::kConfig, StringAttr::get(context, toJsonText(config)));
  declareGlobals(*module, config, limits);
  SymbolTable symbols(*module);
  for (EntryAttr entry : listEntries(context, limits))
    EntryBuilder(*module, symbols, config, limits, entry).build();
  return module;
}

} // namespace bambac
