// The requests of a load on an engine: when each comes, how long it is, and which tokens it has.
#ifndef BAMBAC_RUNTIME_RUN_BENCH_LOAD_H
#define BAMBAC_RUNTIME_RUN_BENCH_LOAD_H

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace bambac::run {

/// Numbers between two limits, all as likely.
struct Range {
  uint32_t least = 0, most = 0;
};

/// "100" or "50:200". Throws Failure that names `what`.
Range parseRange(std::string_view text, std::string_view what);

struct LoadSizes {
  uint32_t requests = 100;
  double rate = 0; ///< requests a second; 0: all at once
  Range prompt, answer;
  std::string lengths; ///< the text of a file with a line "PROMPT ANSWER" for each of some requests, taken in turn
  uint32_t shared = 0; ///< tokens that all prompts begin with
  uint64_t seed = 1;
};

struct LoadRequest {
  double seconds; ///< when it comes, from the start
  std::vector<int32_t> prompt;
  uint32_t answer; ///< tokens
};

/// The same sizes and seed give the same requests. The gaps between them are those of a Poisson process. Throws Failure
/// for lengths that cannot be read, or that do not fit into `maxContext` tokens.
std::vector<LoadRequest> makeLoad(const LoadSizes &sizes, uint32_t vocabSize, uint32_t maxContext);

} // namespace bambac::run

#endif // BAMBAC_RUNTIME_RUN_BENCH_LOAD_H
