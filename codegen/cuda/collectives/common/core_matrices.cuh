// The layout of the weights that linears on tensor cores read: core matrices of 8 rows by 8 columns.
#pragma once

namespace bambac {

/// Panels of 8 rows whose columns come in groups of 8, with the columns padded to 64: what a Shape says of such a
/// weight.
struct CoreMatrices {
  static constexpr int kPanelRows = 8, kPanelGroup = 8, kPanelAlign = 64;
};

/// Whether the weight of a Shape is stored in core matrices. A collective that reads them asserts it.
template <class Shape>
inline constexpr bool kHasCoreMatrices =
    Shape::kPanelRows == CoreMatrices::kPanelRows && Shape::kPanelGroup == CoreMatrices::kPanelGroup &&
    Shape::kPanelAlign == CoreMatrices::kPanelAlign;

} // namespace bambac
