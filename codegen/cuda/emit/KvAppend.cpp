// The append to the KV cache, where it joined no projection.
#include "codegen/cuda/emit/Ops.h"

namespace bambac::codegen {

void describeCache(KernelWriter &writer, KvAppendOp append) {
  auto cache = cast<RankedTensorType>(append.getKCache().getType());
  writer.constant("kv_heads", cache.getDimSize(1));
  writer.constant("page_tokens", cache.getDimSize(2));
  writer.constant("max_pages", dimOf(append.getPages(), 1));
}

FailureOr<KernelText> emitKvAppend(KernelWriter &writer, KvAppendOp append) {
  writer.constant("rows", dimOf(append.getV(), 0));
  writer.constant("head_dim", cast<RankedTensorType>(append.getKCache().getType()).getDimSize(3));
  describeCache(writer, append);
  FailureOr<View> keys = writer.view(append, append.getK()), values = writer.view(append, append.getV());
  if (failed(keys) || failed(values))
    return failure();
  writer.constant("vector", std::min(keys->alignment(kWidest), values->alignment(kWidest)));
  SmallVector<std::string> call{writer.rows(*keys, "k"),
                                writer.rows(*values, "v"),
                                writer.address(append, append.getPositions(), "positions"),
                                writer.address(append, append.getPages(), "pages"),
                                append.getPieces() ? writer.address(append, append.getPieces(), "pieces") : "nullptr",
                                writer.address(append, append.getKCache(), "kCache"),
                                writer.address(append, append.getVCache(), "vCache")};
  if (append.getScales())
    call.push_back(writer.address(append, append.getScales(), "scales"));
  return writer.finish({}, call);
}

} // namespace bambac::codegen
