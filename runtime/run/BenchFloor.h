// What a measurement must cost at least: the plan's bytes and operations against the machine's own rates.
#ifndef BAMBAC_RUNTIME_RUN_BENCHFLOOR_H
#define BAMBAC_RUNTIME_RUN_BENCHFLOOR_H

#include "runtime/run/MatrixRate.h"
#include "runtime/run/Metadata.h"
#include "runtime/run/ReadBandwidth.h"

#include <optional>
#include <string>
#include <vector>

namespace bambac::run {

/// The machine's rates, on as many threads as the model runs on.
struct Machine {
  unsigned threads = 0;
  Bandwidth memory;                 ///< of a buffer that no cache holds
  std::optional<Bandwidth> weights; ///< of one as large as the weights, where that is smaller: a cache may hold it
  double matrixRate = 0;            ///< operations a second
  std::optional<double> blasRate;

  /// The better of both: no excuse for weights that stay in a cache.
  double bandwidth() const;
};

/// One run of an entry point, with what attention adds at its place in the sequence. Intermediates are not counted: a
/// good kernel keeps them in the caches.
struct PlannedRun {
  std::string entry;
  double bytes;
  double flops;

  double floorSeconds(const Machine &machine) const;
};

/// A step that decodes one token for each of `batch` sequences which hold `context` tokens.
std::vector<PlannedRun> planDecode(const Metadata &metadata, uint64_t batch, uint64_t context);

/// A prompt of `tokens` in an empty sequence.
std::vector<PlannedRun> planPrefill(const Metadata &metadata, uint64_t tokens);

/// Weight bytes that decoding a single token reads.
uint64_t getStreamedWeightBytes(const Metadata &metadata);

} // namespace bambac::run

#endif // BAMBAC_RUNTIME_RUN_BENCHFLOOR_H
