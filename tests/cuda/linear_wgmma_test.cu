// The wgmma linears (LinearLarge, LinearMiddle) against a plain reference, and their speed at the shapes of Bamba-9B.
// `--bench large` times those of prefill, `--bench middle` those of decode batches.
#include "harness.cuh"
#include "linear_wgmma_cases.cuh"

using namespace wgmma_test;

namespace {

constexpr int kSms = 132, kShared = 232448;

/// Tiles of prefill: kind of epilogue, sizes, tile, stages.
template <Kind K, int Rows, int Columns, int Depth, int TileRows = 128, int TileColumns = 256, int Stages = 4,
          int LeastColumns = TileColumns>
struct Large {
  struct Shape : bambac::CoreMatrices {
    using Operand = harness::Operand;
    static constexpr int kRows = Rows, kColumns = Columns, kDepth = Depth, kMultiprocessors = kSms;
    static constexpr int kTileRows = TileRows, kTileColumns = TileColumns, kStages = Stages, kSharedLimit = kShared;
    static constexpr int kLeastColumns = LeastColumns;
  };
  using Epilogue = TestEpilogue<K, Columns>;
  using Kernel = bambac::LinearLarge<Shape, PlainInput<Depth>, Epilogue>;
  static std::string name() {
    return "large " + describe(K, Rows, Columns, Depth) + " tile " + std::to_string(TileRows) + "x" +
           std::to_string(TileColumns) + " stages " + std::to_string(Stages);
  }
};

/// As many stages as fit, up to 12.
constexpr int stagesOf(int tileRows, int tileColumns, int tileDepth, int split) {
  int stages = 12;
  auto bytes = [&] {
    return bambac::geometry::wgmma::LinearMiddle{tileRows, tileColumns, tileDepth, stages, split}.sharedBytes();
  };
  while (bytes() > kShared)
    --stages;
  return stages;
}

/// Tiles of decode batches: kind of epilogue, sizes, columns of a tile, blocks that share its depth.
template <Kind K, int Rows, int Columns, int Depth, int TileColumns = 128, int Split = 1, int TileDepth = 64,
          int RowTiles = 1>
struct Middle {
  struct Shape : bambac::CoreMatrices {
    using Operand = harness::Operand;
    static constexpr int kRows = Rows, kColumns = Columns, kDepth = Depth, kMultiprocessors = kSms;
    static constexpr int kTileRows =
        bambac::geometry::wgmma::LinearMiddle::fittingRows(bambac::ceilDiv(Rows, RowTiles), TileColumns, false);
    static constexpr int kTileColumns = TileColumns, kTileDepth = TileDepth;
    static constexpr int kSplit = Split, kSharedLimit = kShared;
    static constexpr int kStages = stagesOf(kTileRows, TileColumns, TileDepth, Split);
  };
  using Epilogue = TestEpilogue<K, Columns>;
  using Kernel = bambac::LinearMiddle<Shape, PlainInput<Depth>, Epilogue>;
  static std::string name() {
    return "middle " + describe(K, Rows, Columns, Depth) + " columns " + std::to_string(TileColumns) + " depth " +
           std::to_string(TileDepth) + " stages " + std::to_string(Shape::kStages) + " split " + std::to_string(Split) +
           (RowTiles > 1 ? " row tiles " + std::to_string(RowTiles) : "");
  }
};

template <class... Cases> void testAll(harness::Runner &runner) { (testCase<Cases>(runner), ...); }
template <class... Cases> void benchAll(harness::Runner &runner, bool memoryBound) {
  (benchCase<Cases>(runner, memoryBound), ...);
}

void testLarge(harness::Runner &runner) {
  testAll<Large<kPlain, 257, 4096, 4096>, Large<kResidual, 257, 4096, 8192>, Large<kSwiglu, 257, 28672, 4096, 256, 128>,
          Large<kPlain, 257, 712, 200>, Large<kPlain, 512, 4096, 4096, 256, 128>, Large<kResidual, 512, 4096, 8192>,
          Large<kSwiglu, 512, 712, 4096>, Large<kSwiglu, 512, 28672, 200>, Large<kPlain, 1000, 712, 4096, 128, 128, 5>,
          Large<kResidual, 1000, 4096, 200, 256, 128, 4>, Large<kSwiglu, 1000, 28672, 4096, 128, 256, 3>,
          Large<kFloat, 1000, 16768, 4096, 128, 192, 4>, Large<kPlain, 4096, 4096, 4096, 256, 128, 3>,
          Large<kResidual, 4096, 4096, 8192>, Large<kSwiglu, 4096, 28672, 4096>, Large<kScalar, 300, 713, 200>,
          Large<kSwiglu, 1000, 28672, 200, 128, 256, 4, 128>, Large<kScalar, 600, 713, 200, 128, 256, 4, 128>,
          Large<kResidual, 1300, 4096, 200, 128, 256, 4, 128>, Large<kSwiglu, 1100, 28672, 200, 128, 256, 4, 128>,
          Large<kFloat, 1300, 4104, 4096, 128, 256, 4, 128>>(runner);
}

/// A launch of as many blocks as there are tiles splits none: one that splits the last tiles has the same bits.
template <class... Cases> void testSplits(harness::Runner &runner) { (splitCase<Cases>(runner), ...); }

void testSplitTiles(harness::Runner &runner) {
  testSplits<Large<kResidual, 1025, 4096, 14336>, Large<kFloat, 1025, 16768, 4096>, Large<kSwiglu, 1281, 28672, 4096>,
             Large<kResidual, 1300, 4096, 8192>, Large<kResidual, 1200, 4096, 2048, 256, 128, 4>,
             Large<kScalar, 1400, 4104, 1000>, Large<kPlain, 1060, 4352, 520>, Large<kFloat, 896, 4864, 200>>(runner);
}

void testMiddle(harness::Runner &runner) {
  testAll<Middle<kResidual, 12, 4096, 14336, 64, 2>, Middle<kSwiglu, 16, 28672, 4096>,
          Middle<kPlain, 17, 4096, 4096, 128, 4>, Middle<kResidual, 17, 712, 200>, Middle<kSwiglu, 17, 16768, 4096>,
          Middle<kPlain, 32, 16768, 4096>, Middle<kResidual, 32, 4096, 14336, 128, 4>, Middle<kPlain, 32, 712, 200, 64>,
          Middle<kPlain, 64, 16768, 4096>, Middle<kResidual, 64, 4096, 14336, 128, 4>, Middle<kSwiglu, 64, 28672, 4096>,
          Middle<kSwiglu, 64, 28672, 4096, 256>, Middle<kPlain, 64, 712, 200, 128, 4>,
          Middle<kResidual, 64, 4096, 14336, 64, 2, 128>, Middle<kResidual, 100, 4096, 4096, 128, 3>,
          Middle<kPlain, 100, 16768, 200>, Middle<kSwiglu, 100, 712, 14336, 128, 8>,
          Middle<kResidual, 128, 4096, 14336, 256, 4>, Middle<kPlain, 128, 16768, 4096>,
          Middle<kSwiglu, 128, 28672, 4096>, Middle<kPlain, 256, 16768, 4096>,
          Middle<kResidual, 256, 4096, 14336, 128, 4>, Middle<kSwiglu, 256, 28672, 4096>,
          Middle<kPlain, 256, 712, 200, 128, 2>, Middle<kScalar, 37, 713, 200>, Middle<kScalar, 37, 713, 1000, 128, 2>,
          Middle<kResidual, 200, 4096, 8192, 64, 2>, Middle<kSwiglu, 257, 28672, 4096>,
          Middle<kResidual, 256, 4096, 14336, 128, 2, 64, 2>, Middle<kScalar, 131, 713, 1000, 128, 2, 64, 2>,
          Middle<kSwiglu, 320, 712, 4096, 128, 4, 64, 3>, Middle<kResidual, 320, 4096, 14336, 64, 2>,
          Middle<kScalar, 311, 713, 200, 64>, Middle<kPlain, 320, 16768, 4096>>(runner);
}

template <int Rows> void benchMiddle(harness::Runner &runner) {
  benchAll<Middle<kPlain, Rows, 16768, 4096>, Middle<kResidual, Rows, 4096, 8192, 128, 4>,
           Middle<kResidual, Rows, 4096, 8192, 128, 2>, Middle<kSwiglu, Rows, 28672, 4096>,
           Middle<kResidual, Rows, 4096, 14336, 128, 4>, Middle<kPlain, Rows, 128256, 4096>>(runner, true);
  if constexpr (Rows <= 128)
    benchAll<Middle<kSwiglu, Rows, 28672, 4096, 256>, Middle<kPlain, Rows, 16768, 4096, 256, 2>,
             Middle<kPlain, Rows, 16768, 4096, 128, 1, 128>, Middle<kResidual, Rows, 4096, 8192, 64, 2>,
             Middle<kResidual, Rows, 4096, 8192, 128, 3>>(runner, true);
  else
    benchAll<Large<kPlain, Rows, 16768, 4096>, Large<kSwiglu, Rows, 28672, 4096>,
             Large<kResidual, Rows, 4096, 14336, 128, 64, 8>>(runner, true);
}

/// The linears of Bamba-9B with their own epilogues.
template <int Rows, int TileRows, int TileColumns, int Stages> void benchTile(harness::Runner &runner) {
  benchAll<Large<kFloat, Rows, 16768, 4096, TileRows, TileColumns, Stages>,
           Large<kSwiglu, Rows, 28672, 4096, TileRows, TileColumns, Stages>,
           Large<kResidual, Rows, 4096, 14336, TileRows, TileColumns, Stages>,
           Large<kResidual, Rows, 4096, 8192, TileRows, TileColumns, Stages>>(runner, false);
}

template <int Rows> void benchLarge(harness::Runner &runner) {
  benchTile<Rows, 128, 256, 4>(runner);
  benchTile<Rows, 256, 128, 4>(runner);
  benchTile<Rows, 128, 128, 6>(runner);
}

} // namespace

int main(int argc, char **argv) {
  harness::Runner runner(argc, argv);
  testMiddle(runner);
  testLarge(runner);
  testSplitTiles(runner);
  benchLarge<4096>(runner);
  benchLarge<1024>(runner);
  benchMiddle<32>(runner);
  benchMiddle<64>(runner);
  benchMiddle<128>(runner);
  benchMiddle<256>(runner);
  benchMiddle<320>(runner);
  return runner.exitCode();
}
