// Attention over the paged KV cache: decode and prefill against a reference in double precision, and against each
// other.
#include "tests/cuda/attention_cases.cuh"

using namespace attention_test;

namespace {

// The pages of a large pool have more vectors than an int counts.
static_assert(cacheOffset<Base>(1 << 28, 7, 63) == ((1LL << 31) + 7) * 64 * 128 + 63 * 128, "computed with 64 bits");

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
struct PrefillPieces : Base { // of very different lengths, some of one row
  static constexpr int kSequences = 8, kTokens = 100;
};
struct SinglesWhole : Base { // many query heads on one KV head
  static constexpr int kSequences = 4, kTokens = 24, kHeads = 40, kKvHeads = 1, kHeadDim = 64;
};
struct Prefill32 : Base {
  static constexpr int kTokens = 50, kHeads = 4, kKvHeads = 2, kHeadDim = 32, kPageTokens = 16, kOffset = 3;
  static constexpr bool kAligned = false;
};
struct Prefill36 : Base {
  static constexpr int kTokens = 70, kHeads = 10, kKvHeads = 2, kHeadDim = 36, kTileKeys = 32;
};

struct PrefillOdd : Base {
  static constexpr int kTokens = 50, kHeads = 5, kKvHeads = 1, kHeadDim = 64, kPageTokens = 16, kOffset = 3;
  static constexpr int kMaxPages = 128;
  static constexpr bool kAligned = false;
};
struct PrefillThree : Base {
  static constexpr int kTokens = 90, kTileQueries = 192;
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
template <class Config> void testConsistency(Runner &runner, const std::string &name) {
  if (!runner.wants(name))
    return;
  using Many = ShapeOf<Config>;
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
  runner.report(name, harness::relativeError(compute(inputs), expected));
}

/// Positions of pieces: the first of each, and how many; pieces that are not there follow.
template <class Config> std::vector<int> pieces(const std::vector<std::pair<int, int>> &list) {
  std::vector<int> positions;
  for (auto [first, count] : list)
    positions = join(positions, chunk(Config::kTokens, first, count));
  positions.resize(Config::kSequences * Config::kTokens, -1);
  return positions;
}

/// A piece's result depends neither on the others nor on where it lies.
template <class Config> void testPieces(Runner &runner, const std::string &name) {
  if (!runner.wants(name))
    return;
  using Many = ShapeOf<Config>;
  Inputs<Many> alone(pieces<Config>({{900, 1}, {200, 77}}), {4, 5, 1, 1, 1, 1, 1, 1});
  Inputs<Many> among(pieces<Config>({{1500, 1}, {900, 1}, {3, 45}, {200, 77}, {0, 100}}), {1, 4, 2, 5, 3, 1, 1, 1});
  auto first = compute(alone), second = compute(among);
  auto isSame = [&](int row, int other, int count) {
    return std::equal(&first[size_t(row) * Many::kResult],
                      &first[size_t(row + count - 1) * Many::kResult] + Many::kResult,
                      &second[size_t(other) * Many::kResult], [](Operand a, Operand b) { return a.bits == b.bits; });
  };
  runner.expect(name, isSame(0, 1, 1) && isSame(1, 47, 77));
}

void testWgmma(Runner &runner) {
  testCase<OnWgmma<Prefill192, 64>>(runner, "wgmma, 70, 8/2 heads of 192", chunk(70, 100, 70));
  testCase<OnWgmma<Prefill256, 48>>(runner, "wgmma, 70, 4/2 heads of 256, 48 keys", chunk(70, 19, 69));
  testCase<OnWgmma<Prefill128>>(runner, "wgmma, 96, 32/8 heads of 128", chunk(96, 0, 96));
  testCase<OnWgmma<Prefill128>>(runner, "wgmma, 96 after 500", chunk(96, 500, 70));
  testCase<OnWgmma<Prefill128, 64>>(runner, "wgmma, 96 after 500, 64 keys", chunk(96, 500, 96));
  testCase<OnWgmma<Prefill128>>(runner, "wgmma, 96, padding only", chunk(96, 0, 0));
  testCase<OnWgmma<Prefill64>>(runner, "wgmma, 2x80, 2/2 heads of 64, rotated",
                               join(chunk(80, 0, 80), chunk(80, 131, 33)));
  testCase<OnWgmma<Prefill64, 16>>(runner, "wgmma, 2x80, 16 keys", join(chunk(80, 3, 1), chunk(80, 131, 77)));
  testCase<OnWgmma<PrefillOdd>>(runner, "wgmma, 50, 5/1 heads of 64, pages of 16, unaligned", chunk(50, 300, 49));
  testCase<OnWgmma<PrefillThree, 64>>(runner, "wgmma, 90, three warpgroups", chunk(90, 211, 90));
  testCase<OnWgmma<Rising<Prefill128>>>(runner, "wgmma, 96 after 900, maxima that rise", chunk(96, 900, 96));
  testCase<OnWgmma<PrefillPieces>>(
      runner, "wgmma, 7 pieces, 32/8 heads of 128",
      pieces<PrefillPieces>({{1999, 1}, {0, 1}, {700, 1}, {0, 2}, {17, 100}, {64, 3}, {0, 33}}));
  testCase<OnWgmma<SinglesWhole>>(runner, "wgmma, single rows, 40/1 heads of 64",
                                  pieces<SinglesWhole>({{700, 1}, {30, 1}, {5, 20}}));
  testCase<OnWgmma<PrefillPieces>>(
      runner, "wgmma, single rows only",
      pieces<PrefillPieces>({{1999, 1}, {0, 1}, {700, 1}, {63, 1}, {64, 1}, {2, 1}, {1500, 1}, {511, 1}}));
}

void runTests(Runner &runner) {
  testCase<Decode8>(runner, "decode 8, 32/8 heads of 128", {700, 63, 1999, 0, 64, -1, 300, 1000});
  testCase<Rising<Decode8>>(runner, "decode 8, maxima that rise", {700, 63, 1999, 0, 64, -1, 300, 1000});
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
  testCase<Rising<Prefill128>>(runner, "prefill 96 after 900, maxima that rise", chunk(96, 900, 96));
  testCase<Prefill64>(runner, "prefill 2x80, 2/2 heads of 64, rotated", join(chunk(80, 0, 80), chunk(80, 131, 33)));
  testCase<Prefill32>(runner, "prefill 50, 4/2 heads of 32, unaligned", chunk(50, 100, 49));
  testCase<Prefill36>(runner, "prefill 70, 10/2 heads of 36", chunk(70, 19, 70));
  testCase<PrefillPieces>(runner, "prefill 7 pieces, 32/8 heads of 128",
                          pieces<PrefillPieces>({{1999, 1}, {0, 1}, {700, 1}, {0, 2}, {17, 100}, {64, 3}, {0, 33}}));
  testCase<PrefillPieces>(
      runner, "prefill of single rows",
      pieces<PrefillPieces>({{1999, 1}, {0, 1}, {700, 1}, {63, 1}, {64, 1}, {2, 1}, {1500, 1}, {511, 1}}));
  testCase<SinglesWhole>(runner, "prefill of single rows, 40/1 heads of 64",
                         pieces<SinglesWhole>({{700, 1}, {30, 1}, {5, 20}}));
  testWgmma(runner);
  testConsistency<Prefill128>(runner, "prefill as decode");
  testConsistency<OnWgmma<Prefill128>>(runner, "wgmma as decode");
  testPieces<PrefillPieces>(runner, "prefill, other pieces");
  testPieces<OnWgmma<PrefillPieces>>(runner, "wgmma, other pieces");
}

// --- timing ------------------------------------------------------------------------------------------------------

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
  benchCase<OnWgmma<PrefillBench<64>>>(runner, "wgmma, 64", 64);
  benchCase<OnWgmma<PrefillBench<512>>>(runner, "wgmma, 512", 512);
  benchCase<OnWgmma<PrefillBench<1024>>>(runner, "wgmma, 1024", 1024);
  benchCase<OnWgmma<PrefillBench<4096>>>(runner, "wgmma, 4096", 4096);
  benchCase<OnWgmma<PrefillBench<4096>, 64>>(runner, "wgmma, 4096, 64 keys", 4096);
  benchCase<OnWgmma<PrefillBench<4096>, 96>>(runner, "wgmma, 4096, 96 keys", 4096);
  benchCase<OnWgmma<PrefillBench<4096, 192>, 64>>(runner, "wgmma, 4096, 192 rows, 64 keys", 4096);
  benchCase<OnWgmma<PrefillBench<4096>>>(runner, "wgmma, 4096 after 12288", 16384);
  benchCase<OnWgmma<PrefillBench<4096>, 64>>(runner, "wgmma, 4096 after 12288, 64 keys", 16384);
  benchCase<OnWgmma<PrefillBench<4096, 192>, 64>>(runner, "wgmma, 4096 after 12288, 192 rows, 64 keys", 16384);
}

} // namespace

int main(int argc, char **argv) {
  Runner runner(argc, argv);
  runTests(runner);
  runBenchmarks(runner);
  return runner.exitCode();
}
