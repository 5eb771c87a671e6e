// How wide the tiles of a linear are for so many rows.
#include "geometry/wgmma_linear.h"
#include "gtest/gtest.h"

using bambac::geometry::LinearShape;
using bambac::geometry::wgmma::LinearLarge;

namespace {

constexpr int kBlocks = 132;
constexpr LinearLarge kLinear = {128, 256, 4, /*leastColumns=*/128};

LinearShape shapeOf(int rows, int columns) {
  LinearShape shape = {};
  shape.rows = rows;
  shape.columns = columns;
  return shape;
}

TEST(LinearGeometry, TilesAreAsWideAsGivesEachBlockOne) {
  EXPECT_EQ(kLinear.columnsOf(shapeOf(512, 4096), kBlocks), 128);
  EXPECT_EQ(kLinear.columnsOf(shapeOf(513, 4096), kBlocks), 160);
  EXPECT_EQ(kLinear.columnsOf(shapeOf(641, 4096), kBlocks), 192);
  EXPECT_EQ(kLinear.columnsOf(shapeOf(769, 4096), kBlocks), 256);
  EXPECT_EQ(kLinear.columnsOf(shapeOf(1024, 4096), kBlocks), 256);
}

TEST(LinearGeometry, ManyRoundsTakeTheWidest) { EXPECT_EQ(kLinear.columnsOf(shapeOf(4096, 28672), kBlocks), 256); }

TEST(LinearGeometry, OneWidthIsAllThereIs) {
  constexpr LinearLarge kOneWidth = {128, 256, 4, /*leastColumns=*/256};
  EXPECT_EQ(kOneWidth.columnsOf(shapeOf(512, 4096), kBlocks), 256);
  EXPECT_FALSE(kOneWidth.hasWidths());
}

TEST(LinearGeometry, WidthsThatNoNumberOfRowsTakesAreKnown) {
  EXPECT_TRUE(kLinear.takes(shapeOf(1024, 4096), kBlocks, 160));
  EXPECT_FALSE(kLinear.takes(shapeOf(512, 4096), kBlocks, 160));
  EXPECT_FALSE(kLinear.takes(shapeOf(1024, 4096), kBlocks, 224));
}

} // namespace
