#include "runtime/run/bench/load.h"
#include "runtime/run/failure.h"
#include "runtime/run/options.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <random>
#include <sstream>
#include <utility>

namespace bambac::run {
namespace {

using Lengths = std::vector<std::pair<uint32_t, uint32_t>>;

Lengths parseLengths(const std::string &text) {
  Lengths lengths;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string prompt, answer, rest;
    if (!(words >> prompt))
      continue;
    words >> answer >> rest;
    std::optional<uint64_t> tokens = parseNumber(prompt, 1, UINT32_MAX), more = parseNumber(answer, 1, UINT32_MAX);
    if (!tokens || !more || !rest.empty())
      fail("--lengths: expected lines of two numbers, tokens of a prompt and of its answer, found '{}'", line);
    lengths.emplace_back(static_cast<uint32_t>(*tokens), static_cast<uint32_t>(*more));
  }
  if (lengths.empty())
    fail("--lengths: expected at least one line, found none");
  return lengths;
}

/// Numbers that are the same with every C++ library.
class Random {
public:
  explicit Random(uint64_t seed) : engine(seed) {}

  /// In [0, 1).
  double uniform() { return static_cast<double>(engine() >> 11) * 0x1p-53; }
  uint32_t below(uint32_t count) { return static_cast<uint32_t>(uniform() * count); }
  uint32_t in(Range range) { return range.least + below(range.most - range.least + 1); }

private:
  std::mt19937_64 engine;
};

} // namespace

Range parseRange(std::string_view text, std::string_view what) {
  size_t colon = text.find(':');
  std::optional<uint64_t> least = parseNumber(text.substr(0, colon), 1, INT32_MAX), most = least;
  if (colon != std::string_view::npos)
    most = parseNumber(text.substr(colon + 1), 1, INT32_MAX);
  if (!least || !most || *least > *most)
    fail("{}: expected a number of tokens or two of them, such as 50:200, found '{}'", what, text);
  return {static_cast<uint32_t>(*least), static_cast<uint32_t>(*most)};
}

std::vector<LoadRequest> makeLoad(const LoadSizes &sizes, uint32_t vocabSize, uint32_t maxContext) {
  Lengths lengths;
  if (!sizes.lengths.empty())
    lengths = parseLengths(sizes.lengths);
  Random random(sizes.seed);
  std::vector<int32_t> shared(sizes.shared);
  for (int32_t &token : shared)
    token = static_cast<int32_t>(random.below(vocabSize));
  std::vector<LoadRequest> load;
  load.reserve(sizes.requests);
  double seconds = 0;
  for (uint32_t i = 0; i < sizes.requests; ++i) {
    auto [prompt, answer] =
        lengths.empty() ? std::pair(random.in(sizes.prompt), random.in(sizes.answer)) : lengths[i % lengths.size()];
    prompt = std::max(prompt, sizes.shared + 1);
    if (uint64_t{prompt} + answer - 1 > maxContext) // the last token of an answer is not run
      fail("request {}: expected at most {} tokens of prompt and answer, the context of the library, found {}", i + 1,
           maxContext, uint64_t{prompt} + answer);
    LoadRequest &request = load.emplace_back(seconds, shared, answer);
    while (request.prompt.size() < prompt)
      request.prompt.push_back(static_cast<int32_t>(random.below(vocabSize)));
    if (sizes.rate > 0)
      seconds -= std::log(1 - random.uniform()) / sizes.rate;
  }
  return load;
}

} // namespace bambac::run
