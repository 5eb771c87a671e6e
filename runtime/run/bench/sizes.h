// The sizes that bench measures: those that were asked for, or such as the library holds.
#ifndef BAMBAC_RUNTIME_RUN_BENCH_SIZES_H
#define BAMBAC_RUNTIME_RUN_BENCH_SIZES_H

#include "runtime/run/loaded_model.h"

#include <vector>

namespace bambac::run {

struct BenchSizes {
  std::vector<uint32_t> batches;  ///< sequences that are decoded together
  std::vector<uint32_t> contexts; ///< tokens that each of them holds before
  std::vector<uint32_t> prompts;  ///< tokens of a prompt
  uint32_t steps = 0;             ///< decode steps that are timed
  bool fit = false;               ///< in place of batches, for each context as many sequences as fit into memory
};

/// Steps that are run before those that count: they touch the session's memory and wake its threads.
inline constexpr uint32_t warmUpSteps = 3;

/// Tokens that each sequence gets where `steps` steps are timed, all in all.
uint64_t countDecoded(bool onCuda, uint32_t steps);

/// The average number of tokens that a sequence holds while it gets its new ones. Where a sequence has no room for all
/// of them, it is emptied and starts again.
uint64_t averageContext(uint64_t maxContext, bool onCuda, uint32_t context, uint32_t steps);

/// Fills in what is empty or zero: 1 sequence that holds 256 tokens, 32 steps, a prompt of 512, or less where the
/// library holds less. Throws Failure for what was asked for and does not fit.
BenchSizes chooseSizes(BenchSizes asked, const LoadedModel &model, bool onCuda);

} // namespace bambac::run

#endif // BAMBAC_RUNTIME_RUN_BENCH_SIZES_H
