// How wide the tiles of a linear are for so many rows.
#include "geometry/wgmma_linear.h"
#include "gtest/gtest.h"

using bambac::geometry::LinearShape;
using bambac::geometry::wgmma::LinearLarge;

namespace {

constexpr int kBlocks = 132;
constexpr LinearLarge kLinear = {128, 256, 4, /*leastColumns=*/128, /*tallColumns=*/0};

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
  EXPECT_EQ(kLinear.columnsOf(shapeOf(769, 4096), kBlocks), 256);
  EXPECT_EQ(kLinear.columnsOf(shapeOf(896, 4096), kBlocks), 256);
  EXPECT_EQ(kLinear.columnsOf(shapeOf(1024, 4096), kBlocks), 256);
}

TEST(LinearGeometry, TwoRoundsAreAsFullAsCanBe) {
  EXPECT_EQ(kLinear.columnsOf(shapeOf(1280, 4096), kBlocks), 160);
  EXPECT_EQ(kLinear.columnsOf(shapeOf(1536, 4096), kBlocks), 192);
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

TEST(LinearGeometry, TallTilesTakeOneRoundWhereOthersTakeTwo) {
  constexpr LinearLarge kTall = {128, 256, 4, /*leastColumns=*/128, /*tallColumns=*/160};
  EXPECT_FALSE(kTall.isTall(shapeOf(1024, 4096), kBlocks));
  EXPECT_TRUE(kTall.isTall(shapeOf(1025, 4096), kBlocks));
  EXPECT_TRUE(kTall.isTall(shapeOf(1280, 4096), kBlocks));
  EXPECT_FALSE(kTall.isTall(shapeOf(1281, 4096), kBlocks));
  EXPECT_FALSE(kTall.isTall(shapeOf(4096, 4096), kBlocks));
  for (int rows : {643, 700, 768}) // as linear_wgmma_test
    EXPECT_TRUE(kTall.isTall(shapeOf(rows, 7040), kBlocks));
  EXPECT_FALSE(kLinear.isTall(shapeOf(1025, 4096), kBlocks));
}

TEST(LinearGeometry, CodesHaveNoHalves) {
  LinearShape shape = shapeOf(1025, 4096);
  shape.operandBytes = 1;
  EXPECT_EQ(kLinear.wholeRowTiles(shape), 9);
}

TEST(LinearGeometry, OneWidthIsAllThereIs) {
  constexpr LinearLarge kOneWidth = {128, 256, 4, /*leastColumns=*/256, /*tallColumns=*/0};
  EXPECT_EQ(kOneWidth.columnsOf(shapeOf(512, 4096), kBlocks), 256);
  EXPECT_FALSE(kOneWidth.hasWidths());
}

TEST(LinearGeometry, WidthsThatNoNumberOfRowsTakesAreKnown) {
  EXPECT_TRUE(kLinear.takes(shapeOf(1024, 4096), kBlocks, 160));
  EXPECT_FALSE(kLinear.takes(shapeOf(512, 4096), kBlocks, 160));
  EXPECT_FALSE(kLinear.takes(shapeOf(512, 4096), kBlocks, 224));
}

} // namespace
