// Swizzled tiles in shared memory as wgmma and ldmatrix read them.
#pragma once
#include "wgmma/wgmma.cuh"

namespace bambac {

/// Rows of 16-bit elements in panels of 64 columns. A row of a panel is 128 bytes, its 16-byte units permuted by the
/// 128-byte swizzle; a panel starts at a multiple of 1024 bytes. As a wgmma operand a panel serves both ways: along the
/// columns (swizzledDescriptor) and along the rows (transposedDescriptor).
template <int Columns, int Rows = 64> struct PanelTile {
  static_assert(Columns % 64 == 0 && Rows % 8 == 0, "whole panels, of groups of 8 rows");
  static constexpr int kPanels = Columns / 64, kPanelBytes = Rows * 128, kBytes = kPanels * kPanelBytes;

  /// Byte offset of the 16-byte unit `unit` (eight columns) of a row.
  static __device__ __forceinline__ int offset(int row, int unit) {
    return unit / 8 * kPanelBytes + row * 128 + ((unit ^ row) & 7) * 16;
  }
};

/// Panels as operand b with their rows along the reduction, 64 columns of the product each. `panelBytes` lie between
/// two of them, where there are several. Eight rows are 1024 bytes, so the steps of 16 along the reduction are 2048
/// bytes apart.
__device__ __forceinline__ uint64 transposedDescriptor(uint32 address, uint32 panelBytes = 1024) {
  return uint64((address & 0x3ffffu) >> 4) | uint64(panelBytes >> 4) << 16 | uint64(1024 >> 4) << 32 | uint64(1) << 62;
}

} // namespace bambac
