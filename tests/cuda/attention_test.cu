// Attention over the paged KV cache: decode and prefill against a reference in double precision, and against each
// other.
#include "common/attention_decode.cuh"
#include "mma/attention_prefill.cuh"
#include "tests/cuda/harness.cuh"
#include <numeric>
#include <random>

using namespace bambac;
using harness::DeviceBuffer;
using harness::Operand;
using harness::Runner;

namespace {

// --- what is computed, and how -----------------------------------------------------------------------------------

/// Bamba-9B's heads; the cases below change what they are about.
struct Base {
  static constexpr int kSequences = 1, kTokens = 1, kHeads = 32, kKvHeads = 8, kHeadDim = 128, kPageTokens = 64;
  static constexpr int kMaxPages = 32;
  static constexpr bool kAligned = true;
  static constexpr int kOffset = 0; ///< of the queries in a row
  static constexpr int kMultiprocessors = 132, kSharedLimit = 232448, kMinBlocks = 2;
  static constexpr int kTiles = 1;                                                 ///< of the query heads of a KV head
  static constexpr int kSplits = 8, kMinSplitTokens = 64, kWarps = 4, kStages = 3; // decode
  static constexpr int kTileQueries = 128, kTileKeys = 64, kStepKeys = 32;         // prefill
};

// The pages of a large pool have more vectors than an int counts.
static_assert(cacheOffset<Base>(1 << 28, 7, 63) == ((1LL << 31) + 7) * 64 * 128 + 63 * 128, "computed with 64 bits");

/// What follows from the others: scale and layout of q|k|v.
template <class Config> struct ShapeOf : Config {
  using Operand = harness::Operand;
  using Cached = Operand;
  static constexpr float kScale = 0.25f / (Config::kHeadDim >= 64 ? 2 : 1);
  static constexpr int kTileHeads = Config::kHeads / Config::kKvHeads / Config::kTiles;
  static constexpr int kRows = Config::kSequences * Config::kTokens;
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
template <class Shape> using Prefill = AttentionPrefill<Shape, QueryOf<Shape>, StoreResult<Shape::kResult>>;

template <class Shape>
__global__ void __launch_bounds__(Decode<Shape>::kThreads, Decode<Shape>::kMinBlocks)
    decodeKernel(const Operand *query, const Operand *keys, const Operand *values, const int *positions,
                 const int *pages, Operand *result, void *workspace) {
  Decode<Shape>::run({query + Shape::kOffset}, keys, values, positions, pages, nullptr, {result}, workspace);
}

template <class Shape>
__global__ void __launch_bounds__(Prefill<Shape>::kThreads, Prefill<Shape>::kMinBlocks)
    prefillKernel(const Operand *query, const Operand *keys, const Operand *values, const int *positions,
                  const int *pages, Operand *result, void *) {
  Prefill<Shape>::run({query + Shape::kOffset}, keys, values, positions, pages, nullptr, {result});
}

template <class Shape> constexpr bool kDecodes = Shape::kTokens == 1;

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

/// One call's inputs on the host. Everything in the cache that no sequence can see is NaN.
template <class Shape> struct Inputs {
  static constexpr int kVectorsAPage = Shape::kKvHeads * Shape::kPageTokens;
  std::vector<Operand> query, keys, values;
  std::vector<int> positions, pages;

  /// Keys and values of `content[b]` (a seed) for sequence b; `positions` for each row.
  Inputs(std::vector<int> rowPositions, const std::vector<int> &content) : positions(std::move(rowPositions)) {
    int pool = Shape::kSequences * Shape::kMaxPages + 3;
    keys.assign(size_t(pool) * kVectorsAPage * Shape::kHeadDim, Operand{0x7fff});
    values = keys;
    pages.assign(Shape::kSequences * Shape::kMaxPages, 0);
    std::vector<int> order(pool);
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), std::mt19937(content[0] + 7));
    for (int b = 0; b < Shape::kSequences; ++b)
      fillSequence(b, content[b], order);
  }

  Operand *vectorAt(std::vector<Operand> &cache, int sequence, int key, int head) const {
    size_t page = pages[sequence * Shape::kMaxPages + key / Shape::kPageTokens];
    return &cache[(page * kVectorsAPage + head * Shape::kPageTokens + key % Shape::kPageTokens) * Shape::kHeadDim];
  }

private:
  void fillSequence(int b, int seed, const std::vector<int> &order) {
    int last = -1;
    for (int t = 0; t < Shape::kTokens; ++t)
      last = std::max(last, positions[b * Shape::kTokens + t]);
    for (int key = 0; key <= last; ++key) {
      int index = b * Shape::kMaxPages + key / Shape::kPageTokens;
      pages[index] = order[index];
      for (int head = 0; head < Shape::kKvHeads; ++head)
        for (int d = 0; d < Shape::kHeadDim; ++d) {
          size_t element = (size_t(key) * Shape::kKvHeads + head) * Shape::kHeadDim + d;
          vectorAt(keys, b, key, head)[d] = harness::roundTo<Operand>(harness::randomAt(2 * seed, element));
          vectorAt(values, b, key, head)[d] = harness::roundTo<Operand>(harness::randomAt(2 * seed + 1, element));
        }
    }
    auto own = harness::randomOperands(size_t(Shape::kTokens) * Shape::kStride, 1000 + seed, 2.0f);
    query.insert(query.end(), own.begin(), own.end());
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
  std::vector<double> result(size_t(Shape::kRows) * Shape::kResult, 0.0);
  for (int row = 0; row < Shape::kRows; ++row)
    for (int head = 0; head < Shape::kHeads; ++head) {
      int sequence = row / Shape::kTokens, length = inputs.positions[row] + 1;
      std::vector<double> query = queryOf(inputs, row, head);
      double *sums = &result[size_t(row) * Shape::kResult + head * kDim], weights = 0;
      for (int key = 0; key < length; ++key) {
        const Operand *k = inputs.vectorAt(inputs.keys, sequence, key, head / kGroup);
        const Operand *v = inputs.vectorAt(inputs.values, sequence, key, head / kGroup);
        double score = 0;
        for (int d = 0; d < kDim; ++d)
          score += query[d] * harness::toDouble(k[d]);
        double weight = std::exp(score * Shape::kScale);
        weights += weight;
        for (int d = 0; d < kDim; ++d)
          sums[d] += weight * harness::toDouble(v[d]);
      }
      for (int d = 0; d < kDim && length > 0; ++d)
        sums[d] /= weights;
    }
  return result;
}

/// Runs the kernel twice on the same workspace; `repeats` says whether the bits were the same, and the counters zero.
template <class Shape> std::vector<Operand> compute(const Inputs<Shape> &inputs, bool *repeats = nullptr) {
  DeviceBuffer<Operand> query(inputs.query), keys(inputs.keys), values(inputs.values);
  DeviceBuffer<int> positions(inputs.positions), pages(inputs.pages);
  Launch launch = launchOf<Shape>();
  DeviceBuffer<unsigned> workspace(kWorkspaceCounters + launch.workspace / 4);
  CHECK(cudaMemset(workspace.data(), 0, kWorkspaceCounters * 4));
  std::vector<Operand> results[2];
  for (auto &result : results) {
    DeviceBuffer<Operand> out(size_t(Shape::kRows) * Shape::kResult);
    harness::launch(kernelOf<Shape>(), launch, 0, query.data(), keys.data(), values.data(), positions.data(),
                    pages.data(), out.data(), static_cast<void *>(workspace.data()));
    result = out.download();
  }
  std::vector<unsigned> counters = workspace.download();
  bool clean = std::all_of(counters.begin(), counters.begin() + kWorkspaceCounters, [](unsigned c) { return c == 0; });
  if (repeats)
    *repeats = clean && harness::sameBits(results[0], results[1]);
  return results[0];
}

// --- tests -------------------------------------------------------------------------------------------------------

template <class Config> void testCase(Runner &runner, const char *name, const std::vector<int> &positions) {
  using Shape = ShapeOf<Config>;
  if (!runner.wants(name))
    return;
  std::vector<int> content(Shape::kSequences);
  std::iota(content.begin(), content.end(), 1);
  Inputs<Shape> inputs(positions, content);
  bool repeats = false;
  runner.report(name, harness::relativeError(compute(inputs, &repeats), reference(inputs)));
  runner.expect(std::string(name) + ", repeated", repeats);
}

/// `count` positions from `first` on, then padding up to `tokens`.
std::vector<int> chunk(int tokens, int first, int count) {
  std::vector<int> positions(tokens, -1);
  std::iota(positions.begin(), positions.begin() + count, first);
  return positions;
}

std::vector<int> join(std::vector<int> first, const std::vector<int> &second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

struct Decode8 : Base {
  static constexpr int kSequences = 8, kMultiprocessors = 3; // few blocks: they take many items each
};
struct DecodeOnce : Base {
  static constexpr int kSplits = 33;
};
struct DecodeWhole : Base {
  static constexpr int kSequences = 33, kHeads = 4, kKvHeads = 4, kHeadDim = 64, kSplits = 1;
};
struct DecodePairs : Base {
  static constexpr int kSequences = 3, kHeads = 6, kKvHeads = 3, kHeadDim = 16, kPageTokens = 16;
};
struct Decode32 : Base {
  static constexpr int kSequences = 3, kHeads = 4, kKvHeads = 2, kHeadDim = 32, kOffset = 3;
  static constexpr bool kAligned = false;
};
struct Decode36 : Base {
  static constexpr int kSequences = 3, kHeads = 10, kKvHeads = 2, kHeadDim = 36;
};
struct DecodeWide : Base {
  static constexpr int kSequences = 2, kHeads = 32, kKvHeads = 2, kHeadDim = 128, kWarps = 2, kStages = 2;
};

struct DecodeShared : Base { // many query heads on one KV head: two tiles of 32
  static constexpr int kSequences = 5, kHeads = 64, kKvHeads = 1, kTiles = 2;
};
struct DecodeTiles : Base { // without splits
  static constexpr int kSequences = 3, kHeads = 24, kKvHeads = 2, kHeadDim = 64, kTiles = 3, kSplits = 1;
};
struct Decode256 : Base {
  static constexpr int kSequences = 2, kHeads = 4, kKvHeads = 2, kHeadDim = 256;
};

struct Prefill192 : Base {
  static constexpr int kTokens = 70, kHeads = 8, kKvHeads = 2, kHeadDim = 192, kMinBlocks = 1;
};
struct Prefill256 : Base {
  static constexpr int kTokens = 70, kHeads = 4, kKvHeads = 2, kHeadDim = 256, kTileQueries = 48, kTileKeys = 16;
  static constexpr int kStepKeys = 16, kMinBlocks = 1;
};
struct Prefill128 : Base {
  static constexpr int kTokens = 96;
};
struct Prefill64 : Base {
  static constexpr int kSequences = 2, kTokens = 80, kHeads = 2, kKvHeads = 2, kHeadDim = 64;
  static constexpr int kTileQueries = 64;
};
struct Prefill32 : Base {
  static constexpr int kTokens = 50, kHeads = 4, kKvHeads = 2, kHeadDim = 32, kPageTokens = 16, kOffset = 3;
  static constexpr bool kAligned = false;
};
struct Prefill36 : Base {
  static constexpr int kTokens = 70, kHeads = 10, kKvHeads = 2, kHeadDim = 36, kTileKeys = 32;
};

/// A sequence's result may not depend on the lengths of the others, nor on its place in the batch.
void testCompany(Runner &runner) {
  if (!runner.wants("decode, other company"))
    return;
  using Shape = ShapeOf<Decode8>;
  auto first = compute(Inputs<Shape>({700, 63, 1999, 0, 64, -1, 300, 1000}, {1, 2, 3, 4, 5, 6, 7, 8}));
  auto second = compute(Inputs<Shape>({1999, 63, 12, 700, 64, 2040, 300, -1}, {3, 2, 11, 1, 5, 12, 7, 14}));
  int placeOf[8] = {3, 1, 0, -1, 4, -1, 6, -1};
  bool same = true;
  for (int b = 0; b < 8; ++b)
    same &= placeOf[b] < 0 ||
            std::equal(
                &first[b * Shape::kResult], &first[b * Shape::kResult] + Shape::kResult,
                &second[placeOf[b] * Shape::kResult], [](Operand a, Operand b) { return a.bits == b.bits; });
  runner.expect("decode, other company", same);
}

/// The rows of a chunk, computed by decode as eight sequences that share their pages.
void testConsistency(Runner &runner) {
  if (!runner.wants("prefill as decode"))
    return;
  using Many = ShapeOf<Prefill128>;
  using One = ShapeOf<Decode8>;
  Inputs<Many> chunkInputs(chunk(96, 777, 96), {5});
  auto all = compute(chunkInputs);
  Inputs<One> inputs(std::vector<int>(8, -1), {1, 2, 3, 4, 5, 6, 7, 8});
  inputs.keys = chunkInputs.keys, inputs.values = chunkInputs.values;
  std::vector<double> expected;
  for (int b = 0; b < 8; ++b) {
    int row = b * 13;
    inputs.positions[b] = 777 + row;
    std::copy(chunkInputs.pages.begin(), chunkInputs.pages.end(), inputs.pages.begin() + b * One::kMaxPages);
    std::copy_n(&chunkInputs.query[row * Many::kStride], One::kStride, &inputs.query[b * One::kStride]);
    for (int i = 0; i < One::kResult; ++i)
      expected.push_back(harness::toDouble(all[row * One::kResult + i]));
  }
  runner.report("prefill as decode", harness::relativeError(compute(inputs), expected));
}

void runTests(Runner &runner) {
  testCase<Decode8>(runner, "decode 8, 32/8 heads of 128", {700, 63, 1999, 0, 64, -1, 300, 1000});
  testCase<DecodeOnce>(runner, "decode 1, 33 splits", {2047});
  testCase<DecodeOnce>(runner, "decode 1, first token", {0});
  testCase<DecodeWhole>(runner, "decode 33, 4/4 heads of 64, rotated", [] {
    std::vector<int> positions(33);
    for (int i = 0; i < 33; ++i)
      positions[i] = i * 37 - 1;
    return positions;
  }());
  testCase<DecodePairs>(runner, "decode 3, 6/3 heads of 16, pages of 16", {200, 15, 511});
  testCase<Decode32>(runner, "decode 3, 4/2 heads of 32, unaligned", {200, 15, 611});
  testCase<Decode36>(runner, "decode 3, 10/2 heads of 36", {200, 17, 611});
  testCase<DecodeWide>(runner, "decode 2, 32/2 heads of 128", {400, 17});
  testCase<DecodeShared>(runner, "decode 5, 64/1 heads of 128, two tiles", {1999, 0, 640, -1, 63});
  testCase<DecodeTiles>(runner, "decode 3, 24/2 heads of 64, three tiles, whole", {1200, 17, 0});
  testCase<Decode256>(runner, "decode 2, 4/2 heads of 256", {900, 63});
  testCompany(runner);
  testCase<Prefill192>(runner, "prefill 70, 8/2 heads of 192", chunk(70, 100, 70));
  testCase<Prefill256>(runner, "prefill 70, 4/2 heads of 256", chunk(70, 19, 69));
  testCase<Prefill128>(runner, "prefill 96, 32/8 heads of 128", chunk(96, 0, 96));
  testCase<Prefill128>(runner, "prefill 96 after 500", chunk(96, 500, 70));
  testCase<Prefill128>(runner, "prefill 96, padding only", chunk(96, 0, 0));
  testCase<Prefill64>(runner, "prefill 2x80, 2/2 heads of 64, rotated", join(chunk(80, 0, 80), chunk(80, 131, 33)));
  testCase<Prefill32>(runner, "prefill 50, 4/2 heads of 32, unaligned", chunk(50, 100, 49));
  testCase<Prefill36>(runner, "prefill 70, 10/2 heads of 36", chunk(70, 19, 70));
  testConsistency(runner);
}

// --- timing ------------------------------------------------------------------------------------------------------

/// Times the shape with every sequence's last row at position `context - 1`, over as many caches as L2 cannot hold.
template <class Config> void benchCase(Runner &runner, const std::string &name, int context) {
  using Shape = ShapeOf<Config>;
  if (!runner.benches(name))
    return;
  constexpr int kPage = Shape::kKvHeads * Shape::kPageTokens * Shape::kHeadDim;
  int pagesEach = ceilDiv(context, Shape::kPageTokens), used = pagesEach * Shape::kSequences;
  int copies = harness::rotations(size_t(used) * kPage * 4);
  DeviceBuffer<Operand> query(size_t(Shape::kRows) * Shape::kStride), out(size_t(Shape::kRows) * Shape::kResult);
  DeviceBuffer<Operand> keys(size_t(used) * copies * kPage), values(size_t(used) * copies * kPage);
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
  DeviceBuffer<int> positions(rows);
  Launch launch = launchOf<Shape>();
  DeviceBuffer<unsigned> workspace(kWorkspaceCounters + launch.workspace / 4);
  workspace.zero();
  auto enqueue = [&](cudaStream_t stream, int i) {
    harness::launch(kernelOf<Shape>(), launch, stream, query.data(), keys.data(), values.data(), positions.data(),
                    pages[i % copies].data(), out.data(), static_cast<void *>(workspace.data()));
  };
  double time = harness::medianMicroseconds(enqueue, kDecodes<Shape> ? 50 : 10);
  double pairs = Shape::kTokens * (context - Shape::kTokens / 2.0) * Shape::kSequences; // of a query and a key
  if (kDecodes<Shape>)
    runner.benched(name, time, double(context) * Shape::kSequences * Shape::kKvHeads * Shape::kHeadDim * 4, "GB/s");
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

void runBenchmarks(Runner &runner) {
  benchCase<DecodeBench<1, 33, 64>>(runner, "decode 1 x 1K", 1024);
  benchCase<DecodeBench<1, 33, 64, 2, 3>>(runner, "decode 1 x 1K, 2 stages, 3 blocks", 1024);
  benchCase<DecodeBench<1, 33, 64>>(runner, "decode 1 x 64K", 65536);
  benchCase<DecodeBench<1, 33, 64, 2, 3>>(runner, "decode 1 x 64K, 2 stages, 3 blocks", 65536);
  benchCase<DecodeBench<32, 16, 512>>(runner, "decode 32 x 1K", 1024);
  benchCase<DecodeBench<32, 16, 512>>(runner, "decode 32 x 16K", 16384);
  benchCase<DecodeBench<32, 16, 512, 2, 3>>(runner, "decode 32 x 16K, 2 stages, 3 blocks", 16384);
  benchCase<DecodeBench<32, 4, 512>>(runner, "decode 32 x 16K, 4 splits", 16384);
  benchCase<DecodeBench<64, 8, 512>>(runner, "decode 64 x 1K", 1024);
  benchCase<DecodeBench<64, 8, 1024>>(runner, "decode 64 x 1K, whole", 1024);
  benchCase<DecodeBench<256, 8, 1024>>(runner, "decode 256 x 1K", 1024);
  benchCase<DecodeBench<256, 8, 1024, 2, 3>>(runner, "decode 256 x 1K, 2 stages, 3 blocks", 1024);
  benchCase<PrefillBench<64>>(runner, "prefill 64", 64);
  benchCase<PrefillBench<1024>>(runner, "prefill 1024", 1024);
  benchCase<PrefillBench<1024, 64>>(runner, "prefill 1024, 64 queries", 1024);
  benchCase<PrefillBench<4096>>(runner, "prefill 4096", 4096);
  benchCase<PrefillBench<4096, 128, 64, 64>>(runner, "prefill 4096, 64 keys at once", 4096);
  benchCase<PrefillBench<4096, 128, 32, 32>>(runner, "prefill 4096, 32 keys", 4096);
  benchCase<PrefillBench<4096>>(runner, "prefill 4096 after 12288", 16384);
}

} // namespace

int main(int argc, char **argv) {
  Runner runner(argc, argv);
  runTests(runner);
  runBenchmarks(runner);
  return runner.exitCode();
}
