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
  EXPECT_EQ(kCodes.residents(shapeOf(1), kLimits), 4);
  EXPECT_TRUE(kCodes.mixesSequences(shapeOf(1), kLimits, 16)); // 1,024 blocks of 1,056
  EXPECT_FALSE(kCodes.mixesSequences(shapeOf(1), kLimits, 17));
  EXPECT_FALSE(kCodes.mixesSequences(shapeOf(1), kLimits, kAnySize));
  EXPECT_FALSE(kCodes.mixesSequences(shapeOf(4, /*entries=*/0), kLimits, 1)); // all write at each step
}

TEST(SsmGeometry, BlocksOfCodesAreSpread) {
  const SsmShape shape = shapeOf(1);
  for (int sequences : {1, 2, 3, 4, 6}) {
    const int share = (64 * sequences + 131) / 132;
    const int bytes = kCodes.dynamicBytes(shape, kLimits, sequences) + kCodes.inputBytes(shape);
    EXPECT_LE(bytes, kLimits.sharedBytes);
    const int fitting = (kLimits.sharedBytes + 1024) / (bytes + 1024); // a KiB of a multiprocessor for each block
    EXPECT_EQ(fitting, share) << sequences;
  }
}

TEST(SsmGeometry, NoMoreMemoryThanTheStateWhereThatSpreadsNothing) {
  EXPECT_EQ(kCodes.dynamicBytes(shapeOf(1), kLimits, 7), 128 * 128); // 448 blocks: four each
  EXPECT_EQ(kCodes.dynamicBytes(shapeOf(1), kLimits, kAnySize), 128 * 128);
  EXPECT_EQ(kCodes.dynamicBytes(shapeOf(4), kLimits, 1), 128 * 128 * 4); // moved in less time than it is computed
}

} // namespace
