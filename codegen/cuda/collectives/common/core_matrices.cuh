// The layout of the weights that linears on tensor cores read: core matrices of 8 rows of 16 bytes.
#pragma once
#include "common/e4m3.cuh"

namespace bambac {

/// Panels of 8 rows whose columns come in groups of 8, with the columns padded to 64: what a Shape says of such a
/// weight. Of codes there are twice as many columns to as many bytes.
struct CoreMatrices {
  static constexpr int kPanelRows = 8, kPanelGroup = 8, kPanelAlign = 64;
};
struct CodeMatrices {
  static constexpr int kPanelRows = 8, kPanelGroup = 16, kPanelAlign = 128;
};

/// Whether the weight of a Shape is stored in core matrices. A collective that reads them asserts it.
template <class Shape, class Layout>
inline constexpr bool kHasLayout =
    Shape::kPanelRows == Layout::kPanelRows && Shape::kPanelGroup == Layout::kPanelGroup &&
    Shape::kPanelAlign == Layout::kPanelAlign;
template <class Shape>
inline constexpr bool kHasCoreMatrices =
    kIsSame<typename Shape::Operand, e4m3> ? kHasLayout<Shape, CodeMatrices> : kHasLayout<Shape, CoreMatrices>;

} // namespace bambac
