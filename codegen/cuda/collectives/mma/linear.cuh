// The linear on sm_80 and every later architecture: y = x W^T with cp.async and mma.sync. W in core matrices of
// Shape::Operand (bf16 or f16), x of the same or f32, row-major, its first row aligned to 16 bytes.
//
// Shape: Operand, kRows, kColumns (of the linear), kDepth, kMultiprocessors; the schedule:
//   kTileRows     16 or 32: LinearSkinny (few rows, W streamed once; a norm in front is possible); else LinearTall
//   kTileColumns  skinny: columns a block takes in a pass (32); tall: width of a tile (32 to 256)
//   kTileDepth    64 (tall)
//   kStages       skinny: slices of 32 deep under way in each warp; tall: tiles
#pragma once
#include "mma/linear_skinny.cuh"
#include "mma/linear_tall.cuh"

namespace bambac {
namespace mma_sync {

template <bool Skinny, class Shape, class Input, class Epilogue> struct SelectLinear {
  using Type = LinearSkinny<Shape, Input, Epilogue>;
};
template <class Shape, class Input, class Epilogue> struct SelectLinear<false, Shape, Input, Epilogue> {
  using Type = LinearTall<Shape, Input, Epilogue>;
};

} // namespace mma_sync

template <class Shape, class Input, class Epilogue>
using Linear = typename mma_sync::SelectLinear<Shape::kTileRows <= 32, Shape, Input, Epilogue>::Type;

} // namespace bambac
