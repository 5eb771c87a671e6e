// Attention over a KV cache of codes: decode and prefill against a reference in double precision, with scales of keys
// and values and without. Slots that no one may see hold NaN.
#include "tests/cuda/attention_cases.cuh"

using namespace attention_test;

namespace {

const std::vector<float> kScales = {0.75f, 1.5f};

template <class Config> struct Codes : Config {
  using Cached = e4m3;
};

struct Decode10 : Base { // of odd numbers: a query of any offset, codes at any byte
  static constexpr int kSequences = 3, kHeads = 15, kKvHeads = 5, kHeadDim = 10, kOffset = 3;
  static constexpr bool kAligned = false;
};
struct Decode64 : Base {
  static constexpr int kSequences = 33, kHeads = 9, kKvHeads = 3, kHeadDim = 64, kSplits = 1;
};
struct Decode32 : Base { // the fewest codes of a key that ldmatrix brings
  static constexpr int kSequences = 2, kHeads = 9, kKvHeads = 1, kHeadDim = 32;
};
struct Decode96 : Base {
  static constexpr int kSequences = 2, kHeads = 4, kKvHeads = 4, kHeadDim = 96;
};
struct Decode128 : Base {
  static constexpr int kSequences = 8, kMultiprocessors = 3; // few blocks: they take many items each
};
struct DecodeOnce : Base {
  static constexpr int kHeads = 7, kKvHeads = 7, kSplits = 33;
};
struct DecodeShared : Base { // many query heads on one KV head: two tiles of 32
  static constexpr int kSequences = 5, kHeads = 64, kKvHeads = 1, kTiles = 2;
};
struct Decode256 : Base {
  static constexpr int kSequences = 2, kHeads = 6, kKvHeads = 3, kHeadDim = 256;
};
struct Prefill10 : Base {
  static constexpr int kTokens = 70, kHeads = 15, kKvHeads = 5, kHeadDim = 10, kOffset = 3;
  static constexpr bool kAligned = false;
};
struct Prefill64 : Base {
  static constexpr int kSequences = 2, kTokens = 80, kHeads = 9, kKvHeads = 3, kHeadDim = 64, kTileQueries = 64;
};
struct Prefill128 : Base {
  static constexpr int kTokens = 96;
};
struct Prefill256 : Base {
  static constexpr int kTokens = 70, kHeads = 6, kKvHeads = 3, kHeadDim = 256, kTileQueries = 48, kTileKeys = 16;
  static constexpr int kStepKeys = 16, kMinBlocks = 1;
};

template <class Config> void test(Runner &runner, const std::string &name, const std::vector<int> &positions) {
  testCase<Codes<Config>>(runner, name, positions);
  testCase<Codes<Config>>(runner, name + ", scaled", positions, kScales);
}

void runTests(Runner &runner) {
  test<Decode10>(runner, "decode 3, 15/5 heads of 10, unaligned", {200, 15, 611});
  test<Decode64>(runner, "decode 33, 9/3 heads of 64, whole", [] {
    std::vector<int> positions(33);
    for (int i = 0; i < 33; ++i)
      positions[i] = i * 37 - 1;
    return positions;
  }());
  test<Decode32>(runner, "decode 2, 9/1 heads of 32", {900, 63});
  test<Decode96>(runner, "decode 2, 4/4 heads of 96", {130, 1500});
  test<Decode128>(runner, "decode 8, 32/8 heads of 128", {700, 63, 1999, 0, 64, -1, 300, 1000});
  test<DecodeOnce>(runner, "decode 1, 7/7 heads of 128, 33 splits", {2047});
  test<DecodeOnce>(runner, "decode 1, first token", {0});
  test<DecodeShared>(runner, "decode 5, 64/1 heads of 128, two tiles", {1999, 0, 640, -1, 63});
  test<Decode256>(runner, "decode 2, 6/3 heads of 256", {900, 63});
  test<Prefill10>(runner, "prefill 70, 15/5 heads of 10, unaligned", chunk(70, 100, 69));
  test<Prefill64>(runner, "prefill 2x80, 9/3 heads of 64", join(chunk(80, 0, 80), chunk(80, 131, 33)));
  test<Prefill128>(runner, "prefill 96, 32/8 heads of 128", chunk(96, 0, 96));
  test<Prefill128>(runner, "prefill 96 after 500", chunk(96, 500, 70));
  test<Prefill256>(runner, "prefill 70, 6/3 heads of 256", chunk(70, 19, 69));
  test<OnWgmma<Prefill64>>(runner, "wgmma, 2x80, 9/3 heads of 64", join(chunk(80, 0, 80), chunk(80, 131, 33)));
  test<OnWgmma<Prefill128>>(runner, "wgmma, 96 after 500", chunk(96, 500, 70));
  test<OnWgmma<Prefill256, 32>>(runner, "wgmma, 70, 6/3 heads of 256", chunk(70, 19, 69));
}

void runBenchmarks(Runner &runner) {
  benchCase<Codes<DecodeBench<1, 33, 64>>>(runner, "decode 1 x 64K", 65536);
  benchCase<Codes<DecodeBench<32, 16, 512>>>(runner, "decode 32 x 16K", 16384);
  benchCase<Codes<DecodeBench<32, 16, 512, 2>>>(runner, "decode 32 x 16K, 2 stages", 16384);
  benchCase<Codes<DecodeBench<32, 16, 512, 4>>>(runner, "decode 32 x 16K, 4 stages", 16384);
  benchCase<Codes<DecodeBench<32, 16, 512, 2, 3>>>(runner, "decode 32 x 16K, 2 stages, 3 blocks", 16384);
  benchCase<DecodeBench<32, 16, 512>>(runner, "decode 32 x 16K, 16 bits", 16384);
  benchCase<Codes<DecodeBench<256, 8, 1024>>>(runner, "decode 256 x 1K", 1024);
  benchCase<Codes<PrefillBench<4096>>>(runner, "prefill 4096", 4096);
  benchCase<Codes<OnWgmma<PrefillBench<4096>>>>(runner, "wgmma, 4096", 4096);
}

} // namespace

int main(int argc, char **argv) {
  Runner runner(argc, argv);
  runTests(runner);
  runBenchmarks(runner);
  return runner.exitCode();
}
