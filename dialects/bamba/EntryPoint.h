// The signature of an entry point: the arrays of runtime/contract/entry_points.h as types.
#ifndef BAMBAC_DIALECTS_BAMBA_ENTRYPOINT_H
#define BAMBAC_DIALECTS_BAMBA_ENTRYPOINT_H

#include "dialects/bamba/Bamba.h"
#include "runtime/contract/entry_points.h"

namespace bambac {

/// How many times as long as the next shorter one a prefill entry point is.
inline constexpr int64_t kChunkRatio = 4;

/// The sizes that the shapes of an entry point's arrays are made of.
struct EntrySizes {
  EntrySizes(EntryAttr entry, int64_t maxPages, int64_t vocabulary);

  int64_t rows, pieces, kept;
  int64_t maxPages, vocabulary;
};

/// The type of an input or output.
RankedTensorType typeOf(MLIRContext *context, const contract::EntryArray &array, const EntrySizes &sizes);

/// The array of that name; null for none.
const contract::EntryArray *findArray(ArrayRef<contract::EntryArray> arrays, StringRef name);

/// The names of the arrays, for error messages: "logits, greedy".
std::string listNames(ArrayRef<contract::EntryArray> arrays);

} // namespace bambac

#endif // BAMBAC_DIALECTS_BAMBA_ENTRYPOINT_H
