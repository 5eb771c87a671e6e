// What a library is compiled for besides the model: how many sequences and tokens it can hold, and the type of its
// weights.
#ifndef BAMBAC_COMPILER_FRONTEND_COMPILELIMITS_H
#define BAMBAC_COMPILER_FRONTEND_COMPILELIMITS_H

#include "compiler/frontend/ModelConfig.h"
#include "llvm/ADT/SmallVector.h"
#include <optional>

namespace bambac {

/// The type of matrices in memory; everything else is f32.
enum class WeightType { F32, BF16 };

struct CompileLimits {
  int64_t maxBatch = 8;
  /// Default: the model's own max_position_embeddings, at most 4096.
  std::optional<int64_t> maxContext;
  /// Rounded up to a multiple of 8, and no longer than the context needs.
  int64_t prefillChunk = 128;
  int64_t pageTokens = 16;
  WeightType weightType = WeightType::BF16;
};

/// Fills in the defaults and fails where a limit is out of range or a step would need more memory than can be
/// addressed.
llvm::Expected<CompileLimits> resolveLimits(CompileLimits limits, const ModelConfig &config, WarningHandler warn);

/// Batch sizes of the decode entry points: the powers of two up to the first that holds max_batch. A step of fewer
/// sequences runs in the smallest that fits, so that it does not compute many padding rows.
llvm::SmallVector<int64_t> decodeBatches(const CompileLimits &limits);

/// Lengths of the prefill and score entry points, longest first: the prefill chunk and quarters of it down to 8, for
/// short prompts and the ends of long ones.
llvm::SmallVector<int64_t> prefillChunks(const CompileLimits &limits);

} // namespace bambac

#endif // BAMBAC_COMPILER_FRONTEND_COMPILELIMITS_H
