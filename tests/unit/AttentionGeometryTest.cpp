// What schedules of attention ask for: counters, shared memory and registers.
#include "HopperLimits.h"
#include "geometry/attention.h"
#include "gtest/gtest.h"
#include <string>

using bambac::geometry::AttentionDecode;
using bambac::geometry::AttentionShape;
using bambac::geometry::Fault;
using bambac::geometry::kCountersText;
using bambac::test::kLimits;

namespace {

constexpr AttentionDecode kSplit = {
    /*splits=*/2, /*minSplitTokens=*/64, /*tileHeads=*/4, /*warps=*/4, /*stages=*/2, /*minBlocks=*/1};

/// Pieces of one tile of heads each: one counter more than there are pieces.
AttentionShape shapeOf(int pieces) {
  AttentionShape shape = {};
  shape.pieces = shape.rows = pieces;
  shape.heads = 4;
  shape.kvHeads = 1;
  shape.headDim = 64;
  shape.pageTokens = 64;
  shape.cachedBytes = 2;
  return shape;
}

TEST(AttentionGeometry, CountersMayBeAllOfThem) {
  EXPECT_TRUE(kSplit.legal(shapeOf(16383), kLimits).isLegal());
  const Fault fault = kSplit.legal(shapeOf(16384), kLimits);
  EXPECT_EQ(std::string(fault.what), kCountersText);
}

TEST(AttentionGeometry, CodesStayCodesWhereTheyFillWords) {
  AttentionShape shape = shapeOf(1);
  const int wide = kSplit.warpBytes(shape);
  shape.cachedBytes = 1;
  EXPECT_TRUE(shape.keepsCodes());
  EXPECT_EQ(kSplit.warpBytes(shape), 2 * 2 * 16 * (64 + 16)); // stages, keys and values, rows with their padding
  EXPECT_GT(kSplit.tileRegisters(shape), kSplit.tileRegisters(shapeOf(1))); // which hold the queries
  shape.headDim = 48;                                                       // ldmatrix brings 32 codes of a key
  EXPECT_FALSE(shape.keepsCodes());
  shape.headDim = 64;
  shape.cachedBytes = 2;
  EXPECT_EQ(kSplit.warpBytes(shape), wide);
}

TEST(AttentionGeometry, BlocksAreHeldWithTheirReserve) {
  const AttentionShape shape = shapeOf(1);
  AttentionDecode three = kSplit;
  three.minBlocks = 3;
  const int most = 3 * (three.sharedBytes(shape) + 1024) - 1024;
  EXPECT_TRUE(three.areHeld(shape, {most, 132, 16384}));
  EXPECT_FALSE(three.areHeld(shape, {most - 1, 132, 16384}));
}

TEST(AttentionGeometry, AWarpHasRoomForTheSumsOfItsTile) {
  AttentionShape shape = shapeOf(1);
  shape.heads = 32;
  shape.cachedBytes = 1;
  AttentionDecode tile = kSplit;
  tile.tileHeads = 32;
  EXPECT_EQ(tile.warpBytes(shape), 32 * 64 * 4);
  EXPECT_TRUE(tile.legal(shape, kLimits).isLegal());
}

} // namespace
