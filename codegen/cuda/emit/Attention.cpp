// Attention over the KV cache, of one token of each sequence or of runs of tokens.
#include "codegen/cuda/emit/Epilogue.h"
#include "codegen/cuda/emit/Ops.h"
#include "geometry/wgmma_attention.h"
#include "llvm/ADT/StringExtras.h"

namespace bambac::codegen {

/// The first arguments of the collective's call.
static SmallVector<std::string> emitSizes(KernelWriter &writer, AttentionOp attention) {
  int64_t pieces = dimOf(attention.getPages(), 0), rows = attention.getNumRows();
  if (attention.hasRuns())
    return {writer.sizeParam("pieces", pieces), writer.sizeParam("rows", rows)};
  writer.size("rows", rows);
  const SmallVector<std::string> sizes = {writer.sizeParam("pieces", pieces), writer.fieldParam("splits"),
                                          writer.fieldParam("min_split_tokens")};
  return {"DecodeSizes{" + llvm::join(sizes, ", ") + "}"};
}

FailureOr<KernelText> emitAttention(KernelWriter &writer, AttentionOp attention) {
  // Every code is an f16.
  Type cached = attention.getKCache().getType().getElementType();
  bool hasCodes = isa<Float8E4M3FNType>(cached);
  writer.operand(hasCodes ? Type(Float16Type::get(attention.getContext())) : cached);
  writer.type("Cached", cached);
  if (writer.getCollective() == geometry::wgmma::Prefill::kCollective)
    writer.includeWgmma();
  writer.constant("has_runs", attention.hasRuns());
  writer.constant("heads", attention.getNumKvHeads() * attention.getGroupSize());
  writer.constant("kv_heads", attention.getNumKvHeads());
  writer.constant("head_dim", attention.getHeadDim());
  writer.constant("page_tokens", attention.getPageTokens());
  writer.constant("max_pages", dimOf(attention.getPages(), 1));
  writer.constant("scale", attention.getScale().convertToDouble());
  FailureOr<View> query = writer.view(attention, attention.getQuery());
  if (failed(query))
    return failure();
  writer.constant("aligned", query->offset % kWidest == 0);
  SmallVector<std::string> call = emitSizes(writer, attention); // before the epilogue, which may ask for them
  FailureOr<std::string> epilogue = emitEpilogue(writer, attention.getResult(), nullptr);
  if (failed(epilogue))
    return failure();
  call.append(
      {writer.rows(*query, "query"), writer.address(attention, attention.getKCache(), "kCache"),
       writer.address(attention, attention.getVCache(), "vCache"),
       writer.address(attention, attention.getPositions(), "positions"),
       writer.address(attention, attention.getPages(), "pages"),
       attention.getCacheScales() ? writer.address(attention, attention.getCacheScales(), "cacheScales") : "nullptr"});
  if (attention.hasRuns())
    call.push_back(writer.address(attention, attention.getStarts(), "starts"));
  call.push_back(*epilogue);
  if (!attention.hasRuns() || writer.getField("single_splits") > 0)
    call.push_back(writer.workspace());
  return writer.finish({writer.rowsType(*query), "Epilogue"}, call);
}

} // namespace bambac::codegen
