// What a measurement must cost at least: the plan's bytes and operations against the machine's own rates.
#ifndef BAMBAC_RUNTIME_RUN_BENCH_FLOOR_H
#define BAMBAC_RUNTIME_RUN_BENCH_FLOOR_H

#include "runtime/run/library_metadata.h"
#include "runtime/run/measure/read_bandwidth.h"

#include <optional>
#include <string>
#include <vector>

namespace bambac::run {

/// The rates of the machine that the model runs on: of its processor with as many threads as the model, or of its CUDA
/// device.
struct Machine {
  unsigned threads = 0;         ///< 0: a CUDA device
  unsigned multiprocessors = 0; ///< of a CUDA device
  measure::Bandwidth memory;    ///< of a buffer that no cache holds
  std::optional<measure::Bandwidth>
      weights; ///< of one as large as the weights, where that is smaller: a cache may hold it
  std::optional<measure::Bandwidth> copy; ///< bytes read and written, of a CUDA device
  double matrixRate = 0;                  ///< operations a second; 0: not measured
  std::string blas;                       ///< whose rate that is on a CUDA device, or why there is none
  double codeRate = 0;                    ///< of products of codes on a CUDA device; 0: not measured
  std::string noCodeRate;                 ///< why it was not
  std::optional<double> blasRate;         ///< of a processor

  bool isCuda() const { return threads == 0; }

  /// The better of both: no excuse for weights that stay in a cache.
  double readRate() const;

  /// Seconds of `flops`, of which `codeFlops` are of products of codes. Where their rate is not known, that of others
  /// counts; 0 where none is.
  double arithmeticSeconds(double flops, double codeFlops) const;

  /// Of bytes of which half are written.
  double copyRate() const { return copy ? copy->bytesPerSecond : readRate(); }
};

/// Seconds that a run takes at least, by what it is spent on. Weights stream by while they are multiplied, so of these
/// two the longer one counts; states and the KV cache have kernels of their own.
struct Floor {
  double weights = 0, arithmetic = 0, states = 0, context = 0;

  double seconds() const;

  /// What most of it is: "weights", "arithmetic", "states" or "KV cache".
  const char *mostly() const;

  Floor &operator+=(const Floor &other);
};

/// One run of an entry point, or what several come to. Intermediates are not counted: a good program keeps them in the
/// caches. Nor is padding: what counts is what was asked for.
struct PlannedRun {
  std::string entry;
  double sequences = 1;     ///< that take part
  double sequenceShare = 1; ///< of the entry point's sequences that are no padding
  double tokenShare = 1;    ///< of the tokens of a sequence that are no padding
  double rowShare = 1;      ///< of the entry point's rows that are no padding
  double context = 0;       ///< tokens that each sequence holds, on average over its new tokens
  double weightBytes = 0, stateBytes = 0, contextBytes = 0, flops = 0;
  double codeFlops = 0; ///< of `flops`

  double bytes() const { return weightBytes + stateBytes + contextBytes; }
  Floor floor(const Machine &machine) const;
};

/// A step that decodes one token for each of `batch` sequences which hold `context` tokens.
std::vector<PlannedRun> planDecode(const Metadata &metadata, uint64_t batch, uint64_t context);

/// A prompt of `tokens` in an empty sequence.
std::vector<PlannedRun> planPrefill(const Metadata &metadata, uint64_t tokens);

/// Weight bytes that decoding a single token reads.
uint64_t getStreamedWeightBytes(const Metadata &metadata);

/// What one launch of a kernel moves and computes in a run. Here intermediates count: the kernel has to read and write
/// them, wherever they are.
struct KernelWork {
  double streamBytes = 0; ///< weights, KV cache and intermediates
  double stateBytes = 0;
  double flops = 0;
  double codeFlops = 0; ///< of `flops`

  double bytes() const { return streamBytes + stateBytes; }
  double floorSeconds(const Machine &machine) const;
};
KernelWork workOf(const Cost &cost, const PlannedRun &run);

} // namespace bambac::run

#endif // BAMBAC_RUNTIME_RUN_BENCH_FLOOR_H
