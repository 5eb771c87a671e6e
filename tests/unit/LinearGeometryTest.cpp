// How wide the tiles of a linear are for so many rows.
#include "geometry/quantize.h"
#include "geometry/wgmma_linear.h"
#include "gtest/gtest.h"

using bambac::geometry::LinearShape;
using bambac::geometry::wgmma::LinearLarge;

namespace {

constexpr int kBlocks = 132;
constexpr LinearLarge kLinear = {128, 256, 4, /*leastColumns=*/128};
constexpr LinearLarge kOneWidth = {128, 256, 4, /*leastColumns=*/256};

LinearShape shapeOf(int rows, int columns) {
  LinearShape shape = {};
  shape.rows = rows;
  shape.columns = columns;
  return shape;
}

TEST(LinearGeometry, TilesAreAsWideAsGivesEachBlockOne) {
  EXPECT_EQ(kLinear.columnsOf(shapeOf(512, 4096), kBlocks), 128);
  EXPECT_EQ(kLinear.columnsOf(shapeOf(513, 4096), kBlocks), 160);
  EXPECT_EQ(kLinear.columnsOf(shapeOf(640, 4096), kBlocks), 160);
  EXPECT_EQ(kLinear.columnsOf(shapeOf(641, 4096), kBlocks), 192);
  EXPECT_EQ(kLinear.columnsOf(shapeOf(768, 4096), kBlocks), 192);
  EXPECT_EQ(kLinear.columnsOf(shapeOf(769, 4096), kBlocks), 224);
  EXPECT_EQ(kLinear.columnsOf(shapeOf(896, 4096), kBlocks), 256);
  EXPECT_EQ(kLinear.columnsOf(shapeOf(1024, 4096), kBlocks), 256);
}

TEST(LinearGeometry, TilesThatAreSplitAreTheWidest) {
  EXPECT_EQ(kLinear.columnsOf(shapeOf(1280, 4096), kBlocks), 256);
  EXPECT_EQ(kLinear.columnsOf(shapeOf(1536, 4096), kBlocks), 256);
  EXPECT_EQ(kLinear.columnsOf(shapeOf(2048, 4096), kBlocks), 256);
}

TEST(LinearGeometry, ManyRoundsTakeTheWidest) { EXPECT_EQ(kLinear.columnsOf(shapeOf(4096, 28672), kBlocks), 256); }

TEST(LinearGeometry, LastRowsAreHalfATile) {
  EXPECT_EQ(kLinear.wholeRowTiles(shapeOf(1024, 4096)), 8);
  EXPECT_EQ(kLinear.wholeRowTiles(shapeOf(1025, 4096)), 8);
  EXPECT_EQ(kLinear.wholeRowTiles(shapeOf(1088, 4096)), 8);
  EXPECT_EQ(kLinear.wholeRowTiles(shapeOf(1089, 4096)), 9);
  EXPECT_EQ(kLinear.wholeRowTiles(shapeOf(1, 4096)), 0);
  EXPECT_EQ(kLinear.wholeRowTiles(shapeOf(0, 4096)), 0);
}

TEST(LinearGeometry, LastTilesAreSplitWhereARoundHasFew) {
  constexpr int kSteps = 64;
  auto splits = [](int rows, int columns) { return kOneWidth.splits(shapeOf(rows, columns), kBlocks, 256, kSteps); };
  EXPECT_FALSE(splits(1024, 4096)); // one round
  EXPECT_TRUE(splits(1025, 4096));
  EXPECT_TRUE(splits(1281, 4096));
  EXPECT_FALSE(splits(4096, 4096)); // 3.9 rounds
  EXPECT_TRUE(splits(1025, 28672));
  EXPECT_FALSE(splits(4096, 28672));
  EXPECT_FALSE(splits(4096, 16896)); // 16 rounds
  EXPECT_FALSE(splits(0, 4096));
}

TEST(LinearGeometry, NothingIsSplitOfFewStepsOrOnManyBlocks) {
  EXPECT_FALSE(kOneWidth.splits(shapeOf(1025, 4096), kBlocks, 256, /*steps=*/1));
  EXPECT_FALSE(kOneWidth.splits(shapeOf(40960, 4096), /*blocks=*/1024, 256, /*steps=*/128));
}

TEST(LinearGeometry, SplittingCostsLessThanARoundForAFew) {
  const LinearShape shape = shapeOf(1025, 4096);
  EXPECT_LT(kOneWidth.cost(shape, kBlocks, 256), kOneWidth.wholeCost(shape, kBlocks, 256));
  EXPECT_EQ(kOneWidth.cost(shapeOf(1024, 4096), kBlocks, 256), kOneWidth.timeOfTile(256));
}

TEST(LinearGeometry, CodesAreNotSplit) {
  LinearShape shape = shapeOf(1025, 4096);
  shape.operandBytes = 1;
  EXPECT_FALSE(kOneWidth.splits(shape, kBlocks, 192, /*steps=*/128));
}

TEST(LinearGeometry, CodesHaveNoHalves) {
  LinearShape shape = shapeOf(1025, 4096);
  shape.operandBytes = 1;
  EXPECT_EQ(kLinear.wholeRowTiles(shape), 9);
}

TEST(LinearGeometry, OneWidthIsAllThereIs) {
  EXPECT_EQ(kOneWidth.columnsOf(shapeOf(512, 4096), kBlocks), 256);
  EXPECT_FALSE(kOneWidth.hasWidths());
}

TEST(LinearGeometry, WidthsThatNoNumberOfRowsTakesAreKnown) {
  EXPECT_TRUE(kLinear.takes(shapeOf(1024, 4096), kBlocks, 160));
  EXPECT_FALSE(kLinear.takes(shapeOf(512, 4096), kBlocks, 160));
  EXPECT_FALSE(kLinear.takes(shapeOf(512, 4096), kBlocks, 224));
}

TEST(LinearGeometry, RowsThatBlocksShareAreInFewParts) {
  using bambac::geometry::sharedParts;
  EXPECT_EQ(sharedParts(8, kBlocks, /*vectors=*/14), 2);
  EXPECT_EQ(sharedParts(66, kBlocks, 14), 2);
  EXPECT_EQ(sharedParts(67, kBlocks, 14), 1);
  EXPECT_EQ(sharedParts(8, kBlocks, 1), 1);
  EXPECT_EQ(sharedParts(1024, kBlocks, 14), 1);
}

} // namespace
