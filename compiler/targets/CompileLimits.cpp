// Defaults and bounds of the limits, and the sizes of entry points that follow from them.
#include "compiler/targets/CompileLimits.h"
#include "dialects/bamba/EntryPoint.h"
#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/MathExtras.h"

using namespace llvm;

namespace bambac {

static constexpr int64_t kDefaultContext = 4096;
static constexpr int64_t kLargestBatch = 1024;
static constexpr int64_t kLargestChunk = 16384;
static constexpr int64_t kLargestContext = int64_t(1) << 24;
/// Rows of a prefill step come in groups of this many, which fit a register tile.
static constexpr int64_t kRowGroup = 8;
/// Rows of logits that a step can keep at most: those of all tokens of a long chunk would fill gigabytes.
static constexpr int64_t kMostKeptRows = 512;
/// Bytes of the largest intermediate of a step.
static constexpr uint64_t kLargestActivation = uint64_t(1) << 36;

static Error checkRange(StringRef option, int64_t value, int64_t max) {
  if (value >= 1 && value <= max)
    return Error::success();
  return createStringError("option '" + option + "': expected an integer from 1 to " + Twine(max) + ", found " +
                           Twine(value));
}

static Error checkStepSize(const CompileLimits &limits, const ModelDescription &model) {
  int64_t rows = std::max(decodeBatches(limits).back(), limits.prefillChunk);
  uint64_t bytes = static_cast<uint64_t>(rows) * model.widestRow() * sizeof(float);
  if (bytes < kLargestActivation)
    return Error::success();
  return createStringError("expected intermediates below " + Twine(kLargestActivation) + " bytes, found " +
                           Twine(rows) + " rows of " + Twine(model.widestRow()) +
                           " columns; lower --max-batch or --prefill-chunk");
}

Expected<CompileLimits> resolveLimits(CompileLimits limits, const ModelDescription &model, WarningHandler warn) {
  if (!limits.maxContext)
    limits.maxContext = std::min(model.maxPositions, kDefaultContext);
  if (Error error = checkRange("--max-batch", limits.maxBatch, kLargestBatch))
    return error;
  if (Error error = checkRange("--max-context", *limits.maxContext, kLargestContext))
    return error;
  if (Error error = checkRange("--prefill-chunk", limits.prefillChunk, kLargestChunk))
    return error;
  if (limits.accumulatesFast && !model.hasCodesOfRows())
    return createStringError(
        "option '--fp8-accumulate': expected exact for a model without linears of fp8 that have one "
        "scale a row, found fast");
  if (*limits.maxContext > model.maxPositions)
    warn(("--max-context=" + Twine(*limits.maxContext) +
          " is beyond the model's max_position_embeddings = " + Twine(model.maxPositions))
             .str());
  int64_t chunk = std::min(limits.prefillChunk, *limits.maxContext);
  limits.prefillChunk = static_cast<int64_t>(alignTo(chunk, kRowGroup));
  if (Error error = checkStepSize(limits, model))
    return error;
  return limits;
}

SmallVector<int64_t> decodeBatches(const CompileLimits &limits) {
  SmallVector<int64_t> batches{1};
  while (batches.back() < limits.maxBatch)
    batches.push_back(2 * batches.back());
  return batches;
}

SmallVector<int64_t> prefillChunks(const CompileLimits &limits, int64_t least, int64_t tile) {
  SmallVector<int64_t> chunks;
  for (int64_t chunk = limits.prefillChunk; chunks.empty() || chunk >= least; chunk /= kChunkRatio) {
    int64_t rounded = static_cast<int64_t>(alignTo(chunk, kRowGroup));
    if (!chunks.empty() && rounded > tile / kChunkRatio && rounded < tile && 2 * chunks.back() >= 3 * tile)
      rounded = tile;
    if (chunks.empty() || rounded < chunks.back())
      chunks.push_back(rounded);
  }
  return chunks;
}

int64_t keptRows(const CompileLimits &limits, int64_t rows, int64_t tile) {
  return std::min(tile > 0 ? limits.prefillChunk : rows, kMostKeptRows);
}

int64_t prefillPieces(const CompileLimits &limits, int64_t rows) {
  return std::min({rows, kMostKeptRows, 2 * decodeBatches(limits).back()});
}

} // namespace bambac
