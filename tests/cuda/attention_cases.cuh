// Cases of the attention tests: what is computed and how, inputs on the host, and a reference in double precision.
// Both collectives for runs of tokens have the same name; here the one for sm_80 goes by another.
#pragma once
#define AttentionPrefill AttentionPrefillMma
#include "mma/attention_prefill.cuh"
#undef AttentionPrefill
#include "common/attention_decode.cuh"
#include "tests/cuda/harness.cuh"
#include "wgmma/attention_prefill.cuh"
#include "wgmma/wgmma_bf16.cuh"
#include "wgmma/wgmma_f16.cuh"
#include <numeric>
#include <random>

namespace attention_test {

using namespace bambac;
using harness::DeviceBuffer;
using harness::Operand;
using harness::Runner;

// --- what is computed, and how -----------------------------------------------------------------------------------

/// Bamba-9B's heads; the cases below change what they are about.
struct Base {
  using Cached = harness::Operand; ///< or e4m3
  static constexpr int kSequences = 1, kTokens = 1, kHeads = 32, kKvHeads = 8, kHeadDim = 128, kPageTokens = 64;
  static constexpr int kMaxPages = 32;
  static constexpr bool kAligned = true;
  static constexpr int kOffset = 0; ///< of the queries in a row
  static constexpr int kMultiprocessors = 132, kSharedLimit = 232448, kMinBlocks = 2;
  static constexpr int kTiles = 1;                                                 ///< of the query heads of a KV head
  static constexpr int kSplits = 8, kMinSplitTokens = 64, kWarps = 4, kStages = 3; // decode
  static constexpr int kTileQueries = 128, kTileKeys = 64, kStepKeys = 32;         // prefill
  static constexpr bool kOnWgmma = false;
  /// Later keys are larger: by this for each position. What a row has summed is then scaled down again and again.
  static constexpr float kGrowth = 0.0f;
};

/// A case whose maxima rise, of some rows in one tile of keys, of others in the next.
template <class Config> struct Rising : Config {
  static constexpr float kGrowth = 0.05f;
};

/// A case of prefill on wgmma, of any keys at a time.
template <class Config, int TileKeys = 128> struct OnWgmma : Config {
  static constexpr int kTileQueries = alignTo(Config::kTileQueries, 64), kTileKeys = TileKeys, kMinBlocks = 1;
  static constexpr bool kOnWgmma = true;
};

/// What follows from the others: scale and layout of q|k|v.
template <class Config> struct ShapeOf : Config {
  static constexpr bool kHasCodes = kIsSame<typename Config::Cached, e4m3>;
  using Operand = std::conditional_t<kHasCodes, f16, harness::Operand>;
  static constexpr float kScale = 0.25f / (Config::kHeadDim >= 64 ? 2 : 1);
  static constexpr int kTileHeads = Config::kHeads / Config::kKvHeads / Config::kTiles;
  static constexpr int kPieces = Config::kSequences, kRows = Config::kSequences * Config::kTokens;
  static constexpr bool kHasRuns = Config::kTokens > 1;
  static constexpr geometry::AttentionShape kSizes = {kPieces,
                                                      kRows,
                                                      kHasRuns,
                                                      Config::kHeads,
                                                      Config::kKvHeads,
                                                      Config::kHeadDim,
                                                      Config::kPageTokens,
                                                      int(sizeof(typename Config::Cached))};
  static constexpr auto kWithSingles = [] {
    if constexpr (Config::kOnWgmma)
      return withSingles(geometry::wgmma::Prefill{Config::kTileQueries, Config::kTileKeys}, kSizes, kLimits<Config>);
    else
      return withSingles(
          geometry::mma::Prefill{Config::kTileQueries, Config::kTileKeys, Config::kStepKeys, Config::kMinBlocks},
          kSizes, kLimits<Config>);
  }();
  static constexpr int kSingleSplits = kWithSingles.singleSplits, kSingleTileHeads = kWithSingles.singleTileHeads;
  static constexpr int kResult = Config::kHeads * Config::kHeadDim;
  static constexpr int kStride = Config::kOffset + kResult + 2 * Config::kKvHeads * Config::kHeadDim;
};

template <int Columns> struct StoreResult {
  static constexpr int kInputs = 1, kColumns = Columns, kVector = Columns % 8 == 0 ? 8 : 1;
  Operand *result;
  template <int V> struct Extra {};
  template <int V> __device__ Extra<V> load(int, int) const { return {}; }
  template <int V> __device__ void store(int row, int column, const float (&values)[V], const Extra<V> &) const {
    storeVector(result + static_cast<long long>(row) * Columns + column, values);
  }
};

template <class Shape> using QueryOf = Rows<const Operand, Shape::kStride>;
template <class Shape> using Decode = AttentionDecode<Shape, QueryOf<Shape>, StoreResult<Shape::kResult>>;
template <class Shape>
using Prefill =
    std::conditional_t<Shape::kOnWgmma, AttentionPrefill<Shape, QueryOf<Shape>, StoreResult<Shape::kResult>>,
                       AttentionPrefillMma<Shape, QueryOf<Shape>, StoreResult<Shape::kResult>>>;

template <class Shape>
__global__ void __launch_bounds__(Decode<Shape>::kThreads, Decode<Shape>::kMinBlocks)
    decodeKernel(const Operand *query, const typename Shape::Cached *keys, const typename Shape::Cached *values,
                 const int *positions, const int *pages, const float *scales, const int *, Operand *result,
                 void *workspace) {
  Decode<Shape>::run({Shape::kPieces, Shape::kSplits, Shape::kMinSplitTokens}, {query + Shape::kOffset}, keys, values,
                     positions, pages, scales, {result}, workspace);
}

template <class Shape>
__global__ void __launch_bounds__(Prefill<Shape>::kThreads, Prefill<Shape>::kMinBlocks)
    prefillKernel(const Operand *query, const typename Shape::Cached *keys, const typename Shape::Cached *values,
                  const int *positions, const int *pages, const float *scales, const int *starts, Operand *result,
                  void *workspace) {
  Prefill<Shape>::run(Shape::kPieces, Shape::kRows, {query + Shape::kOffset}, keys, values, positions, pages, scales,
                      starts, {result}, workspace);
}

template <class Shape> constexpr bool kDecodes = !Shape::kHasRuns;

template <class Shape> Launch launchOf() {
  if constexpr (kDecodes<Shape>)
    return Decode<Shape>::kLaunch;
  else
    return Prefill<Shape>::kLaunch;
}

template <class Shape> auto kernelOf() {
  if constexpr (kDecodes<Shape>)
    return decodeKernel<Shape>;
  else
    return prefillKernel<Shape>;
}

// --- inputs and reference ----------------------------------------------------------------------------------------

inline double toDouble(Operand value) { return harness::toDouble(value); }
inline double toDouble(e4m3 code) {
  int exponent = code.bits >> 3 & 15, fraction = code.bits & 7;
  double size = exponent ? std::ldexp(8 + fraction, exponent - 10) : std::ldexp(fraction, -9);
  return code.bits & 0x80 ? -size : size;
}

/// An element of a cache: a number from -1 to 1, `size` times as large, or a code from -2 to 2, all of which are as
/// likely.
template <class T> T cachedAt(unsigned seed, size_t element, [[maybe_unused]] float size = 1.0f) {
  float value = harness::randomAt(seed, element);
  if constexpr (kIsSame<T, e4m3>)
    return {uint8((value < 0 ? 0x80 : 0) | int(std::abs(value) * 65))};
  else
    return harness::roundTo<T>(value * size);
}
/// What no sequence may see.
template <class T> constexpr T kNan = {kIsSame<T, e4m3> ? 0x7f : 0x7fff};

/// One call's inputs on the host. Everything in the cache that no sequence can see is NaN, and what stands in rows
/// after the last piece.
template <class Shape> struct Inputs {
  static constexpr int kVectorsAPage = Shape::kKvHeads * Shape::kPageTokens;
  using Cached = typename Shape::Cached;
  std::vector<Operand> query;
  std::vector<Cached> keys, values;
  std::vector<float> scales; ///< of keys and of values; none: 1
  std::vector<int> positions, pages, starts;

  /// Keys and values of `content[b]` (a seed) for sequence b; `rowPositions` for kTokens of each. Without runs a row
  /// without a position is there, and is padding.
  Inputs(const std::vector<int> &rowPositions, const std::vector<int> &content) : starts{0} {
    int pool = Shape::kSequences * Shape::kMaxPages + 3;
    keys.assign(size_t(pool) * kVectorsAPage * Shape::kHeadDim, kNan<Cached>);
    values = keys;
    pages.assign(Shape::kSequences * Shape::kMaxPages, 0);
    std::vector<int> order(pool);
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), std::mt19937(content[0] + 7));
    for (int b = 0; b < Shape::kSequences; ++b)
      fillSequence(b, content[b], order, &rowPositions[b * Shape::kTokens]);
    positions.resize(Shape::kRows, -1);
    query.resize(size_t(Shape::kRows) * Shape::kStride, Operand{0x7fff});
  }

  int rows() const { return starts.back(); }

  Cached *vectorAt(std::vector<Cached> &cache, int sequence, int key, int head) const {
    size_t page = pages[sequence * Shape::kMaxPages + key / Shape::kPageTokens];
    return &cache[(page * kVectorsAPage + head * Shape::kPageTokens + key % Shape::kPageTokens) * Shape::kHeadDim];
  }

private:
  void fillSequence(int b, int seed, const std::vector<int> &order, const int *own) {
    int last = *std::max_element(own, own + Shape::kTokens), count = 0;
    while (count < Shape::kTokens && (!Shape::kHasRuns || own[count] >= 0))
      positions.push_back(own[count++]);
    starts.push_back(starts.back() + count);
    for (int key = 0; key <= last; ++key) {
      int index = b * Shape::kMaxPages + key / Shape::kPageTokens;
      pages[index] = order[index];
      for (int head = 0; head < Shape::kKvHeads; ++head)
        for (int d = 0; d < Shape::kHeadDim; ++d) {
          size_t element = (size_t(key) * Shape::kKvHeads + head) * Shape::kHeadDim + d;
          vectorAt(keys, b, key, head)[d] = cachedAt<Cached>(2 * seed, element, 1.0f + Shape::kGrowth * key);
          vectorAt(values, b, key, head)[d] = cachedAt<Cached>(2 * seed + 1, element);
        }
    }
    auto rows = harness::randomOperands(size_t(count) * Shape::kStride, 1000 + seed, 2.0f);
    query.insert(query.end(), rows.begin(), rows.end());
  }
};

/// Query `head` of row `row`.
template <class Shape> std::vector<double> queryOf(const Inputs<Shape> &inputs, int row, int head) {
  const Operand *from = &inputs.query[size_t(row) * Shape::kStride + Shape::kOffset + head * Shape::kHeadDim];
  std::vector<double> query(Shape::kHeadDim);
  for (int d = 0; d < Shape::kHeadDim; ++d)
    query[d] = harness::toDouble(from[d]);
  return query;
}

template <class Shape> std::vector<double> reference(Inputs<Shape> &inputs) {
  constexpr int kDim = Shape::kHeadDim, kGroup = Shape::kHeads / Shape::kKvHeads;
  std::vector<double> result(size_t(inputs.rows()) * Shape::kResult, 0.0);
  const bool scaled = !inputs.scales.empty();
  const double keyScale = scaled ? inputs.scales[kScaleOfKeys] : 1,
               valueScale = scaled ? inputs.scales[kScaleOfValues] : 1;
  for (int row = 0, sequence = 0; row < inputs.rows(); ++row) {
    while (row >= inputs.starts[sequence + 1])
      ++sequence;
    for (int head = 0; head < Shape::kHeads; ++head) {
      int length = inputs.positions[row] + 1;
      std::vector<double> query = queryOf(inputs, row, head);
      double *sums = &result[size_t(row) * Shape::kResult + head * kDim], weights = 0;
      for (int key = 0; key < length; ++key) {
        const auto *k = inputs.vectorAt(inputs.keys, sequence, key, head / kGroup);
        const auto *v = inputs.vectorAt(inputs.values, sequence, key, head / kGroup);
        double score = 0;
        for (int d = 0; d < kDim; ++d)
          score += query[d] * toDouble(k[d]);
        double weight = std::exp(score * keyScale * Shape::kScale);
        weights += weight;
        for (int d = 0; d < kDim; ++d)
          sums[d] += weight * toDouble(v[d]);
      }
      for (int d = 0; d < kDim && length > 0; ++d)
        sums[d] *= valueScale / weights;
    }
  }
  return result;
}

/// Runs the kernel twice on the same workspace, the rows that are there; `repeats` says whether the bits were the same,
/// and the counters zero.
template <class Shape> std::vector<Operand> compute(const Inputs<Shape> &inputs, bool *repeats = nullptr) {
  DeviceBuffer<Operand> query(inputs.query);
  DeviceBuffer<typename Shape::Cached> keys(inputs.keys), values(inputs.values);
  DeviceBuffer<float> scales(inputs.scales.empty() ? std::vector<float>{1.0f, 1.0f} : inputs.scales);
  DeviceBuffer<int> positions(inputs.positions), pages(inputs.pages), starts(inputs.starts);
  Launch launch = launchOf<Shape>();
  DeviceBuffer<unsigned> workspace(kWorkspaceCounters + launch.workspace / 4);
  CHECK(cudaMemset(workspace.data(), 0, kWorkspaceCounters * 4));
  std::vector<Operand> results[2];
  for (auto &result : results) {
    DeviceBuffer<Operand> out(size_t(Shape::kRows) * Shape::kResult);
    harness::launch(kernelOf<Shape>(), launch, 0, query.data(), keys.data(), values.data(), positions.data(),
                    pages.data(), inputs.scales.empty() ? nullptr : scales.data(), starts.data(), out.data(),
                    static_cast<void *>(workspace.data()));
    result = out.download();
    result.resize(size_t(inputs.rows()) * Shape::kResult);
  }
  if (repeats)
    *repeats = harness::areCountersZero(workspace.download()) && harness::sameBits(results[0], results[1]);
  return results[0];
}

// --- tests -------------------------------------------------------------------------------------------------------

template <class Config>
void testCase(Runner &runner, const std::string &name, const std::vector<int> &positions,
              std::vector<float> scales = {}) {
  using Shape = ShapeOf<Config>;
  if (!runner.wants(name))
    return;
  std::vector<int> content(Shape::kSequences);
  std::iota(content.begin(), content.end(), 1);
  Inputs<Shape> inputs(positions, content);
  inputs.scales = std::move(scales);
  bool repeats = false;
  runner.report(name, harness::relativeError(compute(inputs, &repeats), reference(inputs)));
  runner.expect(name + ", repeated", repeats);
}

/// `count` positions from `first` on, then padding up to `tokens`.
inline std::vector<int> chunk(int tokens, int first, int count) {
  std::vector<int> positions(tokens, -1);
  std::iota(positions.begin(), positions.begin() + count, first);
  return positions;
}

inline std::vector<int> join(std::vector<int> first, const std::vector<int> &second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

// --- timing ------------------------------------------------------------------------------------------------------

/// Times the shape with every sequence's last row at position `context - 1`, over as many caches as L2 cannot hold.
template <class Config> void benchCase(Runner &runner, const std::string &name, int context) {
  using Shape = ShapeOf<Config>;
  if (!runner.benches(name))
    return;
  constexpr int kPage = Shape::kKvHeads * Shape::kPageTokens * Shape::kHeadDim, kBytes = sizeof(typename Shape::Cached);
  int pagesEach = ceilDiv(context, Shape::kPageTokens), used = pagesEach * Shape::kSequences;
  int copies = harness::rotations(size_t(used) * kPage * 2 * kBytes);
  DeviceBuffer<Operand> query(size_t(Shape::kRows) * Shape::kStride), out(size_t(Shape::kRows) * Shape::kResult);
  DeviceBuffer<typename Shape::Cached> keys(size_t(used) * copies * kPage), values(size_t(used) * copies * kPage);
  query.randomize(1), keys.randomize(2), values.randomize(3);
  std::vector<int> order(used * copies), rows;
  std::iota(order.begin(), order.end(), 0);
  std::shuffle(order.begin(), order.end(), std::mt19937(1));
  for (int b = 0; b < Shape::kSequences; ++b)
    rows = join(rows, chunk(Shape::kTokens, context - Shape::kTokens, Shape::kTokens));
  std::vector<DeviceBuffer<int>> pages;
  for (int copy = 0; copy < copies; ++copy) {
    std::vector<int> table(Shape::kSequences * Shape::kMaxPages, 0);
    for (int b = 0; b < Shape::kSequences; ++b)
      std::copy_n(&order[copy * used + b * pagesEach], pagesEach, &table[b * Shape::kMaxPages]);
    pages.emplace_back(table);
  }
  std::vector<int> firstRows;
  for (int b = 0; b <= Shape::kSequences; ++b)
    firstRows.push_back(b * Shape::kTokens);
  DeviceBuffer<int> positions(rows), starts(firstRows);
  Launch launch = launchOf<Shape>();
  DeviceBuffer<unsigned> workspace(kWorkspaceCounters + launch.workspace / 4);
  workspace.zero();
  auto enqueue = [&](cudaStream_t stream, int i) {
    harness::launch(kernelOf<Shape>(), launch, stream, query.data(), keys.data(), values.data(), positions.data(),
                    pages[i % copies].data(), static_cast<const float *>(nullptr), starts.data(), out.data(),
                    static_cast<void *>(workspace.data()));
  };
  double time = harness::medianMicroseconds(enqueue, kDecodes<Shape> ? 50 : 10);
  double pairs = Shape::kTokens * (context - Shape::kTokens / 2.0) * Shape::kSequences; // of a query and a key
  if (kDecodes<Shape>)
    runner.benched(name, time, double(context) * Shape::kSequences * Shape::kKvHeads * Shape::kHeadDim * 2 * kBytes,
                   "GB/s");
  else
    runner.benched(name, time, pairs * Shape::kHeads * Shape::kHeadDim * 4, "TFLOP/s");
}

template <int Sequences, int Splits, int MinSplitTokens, int Stages = 3, int Blocks = 2, int Warps = 4>
struct DecodeBench : Base {
  static constexpr int kSequences = Sequences, kMaxPages = 4096, kSplits = Splits, kMinSplitTokens = MinSplitTokens;
  static constexpr int kStages = Stages, kMinBlocks = Blocks, kWarps = Warps;
};
template <int Tokens, int TileQueries = 128, int TileKeys = 64, int StepKeys = 32, int Blocks = 2>
struct PrefillBench : Base {
  static constexpr int kTokens = Tokens, kMaxPages = 4096, kMinBlocks = Blocks;
  static constexpr int kTileQueries = TileQueries, kTileKeys = TileKeys, kStepKeys = StepKeys;
};

} // namespace attention_test
