// The formulas of packed weights against numbers written by hand, and each against its inverse.

#include "runtime/contract/weight_layout.h"
#include <algorithm>
#include <gtest/gtest.h>
#include <numeric>
#include <vector>

using namespace bambac::contract;

namespace {

using Numbers = std::vector<uint64_t>;

/// The offsets of a whole padded matrix, row by row.
Numbers offsetsOf(uint64_t rows, uint64_t width, uint64_t panel, uint64_t group) {
  Numbers offsets;
  for (uint64_t row = 0; row < rows; ++row)
    for (uint64_t column = 0; column < width; ++column)
      offsets.push_back(panelOffset(row, column, panel, group, width));
  return offsets;
}

/// 0, 1, ..., count - 1.
Numbers upTo(uint64_t count) {
  Numbers numbers(count);
  std::iota(numbers.begin(), numbers.end(), uint64_t{0});
  return numbers;
}

} // namespace

TEST(WeightLayout, PadsToWholePanelsAndGroups) {
  EXPECT_EQ(paddedWidth(100, 1), 100u);
  EXPECT_EQ(paddedWidth(100, 64), 128u);
  EXPECT_EQ(paddedWidth(128, 64), 128u);
  EXPECT_EQ(paddedRows(712, 1), 712u);
  EXPECT_EQ(paddedRows(712, 32), 736u);
  static_assert(paddedWidth(4095, 64) == 4096, "usable where a constant is needed");
}

TEST(WeightLayout, RowMajorIsPanelsOfOneRow) { EXPECT_EQ(offsetsOf(5, 7, 1, 1), upTo(35)); }

TEST(WeightLayout, PanelsAreStoredColumnByColumn) {
  // Two panels of three rows, four columns.
  EXPECT_EQ(offsetsOf(6, 4, 3, 1), (Numbers{0,  3,  6,  9,  //
                                            1,  4,  7,  10, //
                                            2,  5,  8,  11, //
                                            12, 15, 18, 21, //
                                            13, 16, 19, 22, //
                                            14, 17, 20, 23}));
}

TEST(WeightLayout, GroupsAreStoredRowByRow) {
  // Two panels of two rows, three groups of two columns.
  EXPECT_EQ(offsetsOf(4, 6, 2, 2), (Numbers{0,  1,  4,  5,  8,  9,  //
                                            2,  3,  6,  7,  10, 11, //
                                            12, 13, 16, 17, 20, 21, //
                                            14, 15, 18, 19, 22, 23}));
}

TEST(WeightLayout, CoreMatricesAreRunsOf64Elements) {
  EXPECT_EQ(panelOffset(0, 8, 8, 8, 128), 64u) << "the next group of the panel";
  EXPECT_EQ(panelOffset(1, 0, 8, 8, 128), 8u) << "the next row of the core matrix";
  EXPECT_EQ(panelOffset(8, 0, 8, 8, 128), 1024u) << "the next panel";
  EXPECT_EQ(panelOffset(13, 77, 8, 8, 128), 1024u + 9 * 64 + 5 * 8 + 5);
}

TEST(WeightLayout, EveryOffsetIsTakenOnce) {
  for (uint64_t panel : {1, 3, 8, 32})
    for (uint64_t group : {1, 2, 6, 8})
      for (uint64_t align : {group, 2 * group, 4 * group}) {
        uint64_t rows = paddedRows(37, panel), width = paddedWidth(29, align);
        Numbers offsets = offsetsOf(rows, width, panel, group);
        std::ranges::sort(offsets);
        EXPECT_EQ(offsets, upTo(rows * width)) << panel << " " << group << " " << align;
      }
}

TEST(WeightLayout, RotaryPairsBecomeNeighbours) {
  // Two heads of eight rows, of which six rotate: 0 and 3, 1 and 4, 2 and 5 are pairs.
  Numbers places, rows;
  for (uint64_t row = 0; row < 16; ++row) {
    places.push_back(rotaryPlaceOf(row, 8, 6));
    rows.push_back(rotaryRowAt(row, 8, 6));
  }
  EXPECT_EQ(places, (Numbers{0, 2, 4, 1, 3, 5, 6, 7, 8, 10, 12, 9, 11, 13, 14, 15}));
  EXPECT_EQ(rows, (Numbers{0, 3, 1, 4, 2, 5, 6, 7, 8, 11, 9, 12, 10, 13, 14, 15}));
  EXPECT_EQ(rotaryPlaceOf(5, 0, 0), 5u) << "no rotation, no heads";
  EXPECT_EQ(rotaryRowAt(5, 0, 0), 5u);
}

TEST(WeightLayout, RowOrdersAreInversesOfEachOther) {
  for (uint32_t headDim : {2u, 5u, 12u, 128u})
    for (uint32_t rotaryDim = 0; rotaryDim <= headDim; rotaryDim += 2)
      for (uint64_t row = 0; row < uint64_t{3} * headDim; ++row) {
        ASSERT_EQ(rotaryRowAt(rotaryPlaceOf(row, headDim, rotaryDim), headDim, rotaryDim), row) << headDim;
        ASSERT_EQ(rotaryPlaceOf(rotaryRowAt(row, headDim, rotaryDim), headDim, rotaryDim), row) << headDim;
        ASSERT_EQ(rotaryPlaceOf(row, headDim, rotaryDim) / headDim, row / headDim) << "rows stay in their head";
      }
}

TEST(WeightLayout, SourcesAreStackedOrInterleaved) {
  EXPECT_EQ(stackedRows(40).rowOf(0), 40u);
  EXPECT_EQ(stackedRows(40).rowOf(5), 45u);
  EXPECT_EQ(interleavedRows(0, 2).rowOf(5), 10u);
  EXPECT_EQ(interleavedRows(1, 2).rowOf(5), 11u);
  EXPECT_EQ(interleavedRows(2, 3).rowOf(1), 5u);
  for (uint64_t count : {1, 2, 3})
    for (uint64_t row = 0; row < 12; ++row) {
      SourceRow found = interleavedRowAt(row, count);
      EXPECT_EQ(interleavedRows(found.source, count).rowOf(found.place), row);
      EXPECT_LT(found.source, count);
    }
}
