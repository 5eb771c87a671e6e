// What a library is compiled for, apart from the model: how many sequences and tokens it can hold, and the type of its
// weights.
#ifndef BAMBAC_COMPILER_TARGETS_COMPILELIMITS_H
#define BAMBAC_COMPILER_TARGETS_COMPILELIMITS_H

#include "compiler/config/WarningHandler.h"
#include "compiler/models/ModelDescription.h"
#include "dialects/bamba/ElementType.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <optional>

namespace bambac {

struct CompileLimits {
  int64_t maxBatch = 8;
  /// Default: the model's own max_position_embeddings, at most 4096.
  std::optional<int64_t> maxContext;
  /// Rounded up to a multiple of 8, and no longer than the context needs.
  int64_t prefillChunk = 128;
  int64_t pageTokens = 0;                    ///< of a page of the KV cache; the target says it
  bamba_rt_dtype weightType = BAMBA_RT_BF16; ///< of the matrices in memory
  /// The type of the SSM state, which a step reads and writes whole. A target may keep it in f32 all the same.
  bamba_rt_dtype stateType = BAMBA_RT_F32;
  /// Decode steps after which SSM states are written; none: what the target chooses. A target may write them in each.
  std::optional<int64_t> stateRing;
  /// Products of codes with one scale a row may be summed with as few bits as the device's fastest instructions do.
  bool accumulatesFast = false;
};

/// Fills in the defaults and fails where a limit is out of range or a step would need more memory than can be
/// addressed.
llvm::Expected<CompileLimits> resolveLimits(CompileLimits limits, const ModelDescription &model, WarningHandler warn);

/// Batch sizes of the decode entry points: the powers of two up to the first that holds max_batch. A step of fewer
/// sequences runs in the smallest that fits, so that it does not compute many padding rows.
llvm::SmallVector<int64_t> decodeBatches(const CompileLimits &limits);

/// Rows of the prefill entry points, longest first: the prefill chunk and quarters of it down to `least`, for short
/// prompts and the ends of long ones. One that is somewhat shorter than `tile` has as many, if the next longer one is
/// clearly longer.
llvm::SmallVector<int64_t> prefillChunks(const CompileLimits &limits, int64_t least, int64_t tile);

/// Rows of logits that a prefill entry point of `rows` rows can keep: all of them, but no more than memory is well
/// spent on. Where linears have a `tile` of many rows, of which those that are not there cost little, it has room for
/// as many as the longest: all have the same kernels for them.
int64_t keptRows(const CompileLimits &limits, int64_t rows, int64_t tile);

/// Pieces of a prefill entry point of `rows` rows: a sequence of each row, but no more than twice as many as are
/// decoded at a time, so that prompts find room next to those, nor than keep a row of logits.
int64_t prefillPieces(const CompileLimits &limits, int64_t rows);

} // namespace bambac

#endif // BAMBAC_COMPILER_TARGETS_COMPILELIMITS_H
