// Shapes and schedules of linears with 16-bit operands, for tests of what follows their sums.
#pragma once
#include "common/core_matrices.cuh"
#include "geometry/linear.h"
#include "tests/cuda/harness.cuh"

namespace linear_shapes {

template <int Rows, int Columns, int Depth> struct Sizes : bambac::CoreMatrices {
  using Operand = harness::Operand;
  static constexpr int kRows = Rows, kColumns = Columns, kDepth = Depth, kMultiprocessors = 132;
  static constexpr int kSharedLimit = 232448, kTileDepth = bambac::geometry::kTileDepth;
};

template <class Shape> struct PlainInput {
  using Element = harness::Operand;
  static constexpr bool kNormalizes = false;
  static constexpr int kStride = Shape::kDepth;
  const Element *data;
};

template <int Rows, int Columns, int Depth, int TileRows, int Split = 1> struct Middle : Sizes<Rows, Columns, Depth> {
  static constexpr int kTileRows = TileRows, kTileColumns = Split > 1 ? 64 : 128, kStages = 4, kSplit = Split;
};
template <int Rows, int Columns, int Depth> struct Large : Sizes<Rows, Columns, Depth> {
  static constexpr int kTileRows = 128, kTileColumns = 128, kStages = 4, kLeastColumns = 128;
};
template <int Rows, int Columns, int Depth> struct Skinny : Sizes<Rows, Columns, Depth> {
  static constexpr int kStages = 12;
};
template <int Rows, int Columns, int Depth, int TileRows, int TileColumns> struct Mma : Sizes<Rows, Columns, Depth> {
  static constexpr int kTileRows = TileRows, kTileColumns = TileColumns, kStages = 4;
};

} // namespace linear_shapes
