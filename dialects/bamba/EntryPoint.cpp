// One switch over the shapes that arrays can have.
#include "dialects/bamba/EntryPoint.h"
#include "dialects/bamba/ElementType.h"
#include "runtime/contract/sampling.h"

namespace bambac {

EntrySizes::EntrySizes(EntryAttr entry, int64_t maxPages, int64_t vocabulary)
    : rows(entry.getRows()), pieces(entry.getBatch()), kept(entry.getKeptRows()), maxPages(maxPages),
      vocabulary(vocabulary) {}

static SmallVector<int64_t> shapeOf(bamba_rt_shape shape, const EntrySizes &sizes) {
  switch (shape) {
  case BAMBA_RT_SHAPE_ROWS:
    return {sizes.rows};
  case BAMBA_RT_SHAPE_PIECES:
    return {sizes.pieces};
  case BAMBA_RT_SHAPE_STARTS:
    return {sizes.pieces + 1};
  case BAMBA_RT_SHAPE_ONE:
    return {1};
  case BAMBA_RT_SHAPE_PAGES:
    return {sizes.pieces, sizes.maxPages};
  case BAMBA_RT_SHAPE_KEPT:
    return {sizes.kept};
  case BAMBA_RT_SHAPE_LOGITS:
    return {sizes.kept, sizes.vocabulary};
  case BAMBA_RT_SHAPE_SAMPLING:
    return {sizes.kept, BAMBA_RT_SAMPLING_WORDS};
  case BAMBA_RT_SHAPE_SAMPLES:
    return {sizes.kept, BAMBA_RT_SAMPLE_WORDS};
  }
  llvm_unreachable("the switch covers all shapes");
}

RankedTensorType typeOf(MLIRContext *context, const contract::EntryArray &array, const EntrySizes &sizes) {
  return RankedTensorType::get(shapeOf(array.shape, sizes), toMlirType(context, array.type));
}

const contract::EntryArray *findArray(ArrayRef<contract::EntryArray> arrays, StringRef name) {
  const auto *found =
      llvm::find_if(arrays, [&](const contract::EntryArray &array) { return StringRef(array.name) == name; });
  return found == arrays.end() ? nullptr : found;
}

std::string listNames(ArrayRef<contract::EntryArray> arrays) {
  std::string text;
  for (const contract::EntryArray &array : arrays)
    text += (text.empty() ? "" : ", ") + std::string(array.name);
  return text;
}

} // namespace bambac
