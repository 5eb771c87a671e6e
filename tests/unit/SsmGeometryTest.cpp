// How the blocks of a decode step lie in its grid, and what they ask for to be spread.
#include "HopperLimits.h"
#include "geometry/ssm.h"
#include "gtest/gtest.h"

using bambac::geometry::kAnySize;
using bambac::geometry::SsmShape;
using bambac::geometry::SsmStep;
using bambac::test::kLimits;

namespace {

/// 128 heads of 64 channels, in one group.
constexpr SsmShape shapeOf(int stateBytes, int entries = 7) {
  return {1, 1, /*heads=*/128, /*headDim=*/64, /*stateSize=*/128, /*groups=*/1, stateBytes, entries};
}
constexpr SsmStep kCodes = {/*threads=*/256, /*channelTile=*/128};

TEST(SsmGeometry, BlocksOfASequenceCoverItsChannels) {
  EXPECT_EQ(kCodes.blocks(shapeOf(1)), 64);
  EXPECT_EQ((SsmStep{128, 24}.blocks(shapeOf(4))), 128 * 3);
}

TEST(SsmGeometry, FewSequencesAreMixed) {
  EXPECT_EQ(kCodes.residents(shapeOf(1), kLimits), 3);
  EXPECT_TRUE(kCodes.mixesSequences(shapeOf(1), kLimits, 12)); // 768 blocks of 792
  EXPECT_FALSE(kCodes.mixesSequences(shapeOf(1), kLimits, 13));
  EXPECT_FALSE(kCodes.mixesSequences(shapeOf(1), kLimits, kAnySize));
  EXPECT_FALSE(kCodes.mixesSequences(shapeOf(4, /*entries=*/0), kLimits, 1)); // all write at each step
}

TEST(SsmGeometry, WiderRowsOfCodesLeaveRegistersForFewerThreads) {
  auto threadsOf = [](int stateBytes, int stateSize) {
    return SsmStep::residentThreads({1, 1, 4, 64, stateSize, 1, stateBytes, 7});
  };
  EXPECT_EQ(threadsOf(4, 128), 1024);
  EXPECT_EQ(threadsOf(1, 72), 1024); // no whole chunks: not on tensor cores
  EXPECT_EQ(threadsOf(1, 64), threadsOf(1, 128));
  EXPECT_LT(threadsOf(1, 144), threadsOf(1, 128));
  EXPECT_GE(threadsOf(1, SsmStep::kMostMultiplied), 256);
  EXPECT_EQ(threadsOf(1, SsmStep::kMostMultiplied + 16), 1024);
}

TEST(SsmGeometry, BlocksOfCodesAreSpread) {
  const SsmShape shape = shapeOf(1);
  for (int sequences : {1, 2, 3, 4}) {
    const int share = (64 * sequences + 131) / 132;
    const int bytes = kCodes.dynamicBytes(shape, kLimits, sequences) + kCodes.inputBytes(shape);
    EXPECT_LE(bytes, kLimits.sharedBytes);
    const int fitting = (kLimits.sharedBytes + 1024) / (bytes + 1024); // a KiB of a multiprocessor for each block
    EXPECT_EQ(fitting, share) << sequences;
  }
}

TEST(SsmGeometry, NoMoreMemoryThanTheStateWhereThatSpreadsNothing) {
  EXPECT_EQ(kCodes.dynamicBytes(shapeOf(1), kLimits, 5), 128 * 128); // 320 blocks: three each
  EXPECT_EQ(kCodes.dynamicBytes(shapeOf(1), kLimits, kAnySize), 128 * 128);
  EXPECT_EQ(kCodes.dynamicBytes(shapeOf(4), kLimits, 1), 128 * 128 * 4); // moved in less time than it is computed
}

} // namespace
