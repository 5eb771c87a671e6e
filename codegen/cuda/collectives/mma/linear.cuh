// The linear on sm_80 and every later architecture: y = x W^T with cp.async and mma.sync. W in core matrices of
// Shape::Operand (bf16 or f16), x of the same or f32, row-major, its first row aligned to 16 bytes.
//
// Shape: Operand, kRows, kColumns (of the linear), kDepth, kMultiprocessors, kSharedLimit; the fields of
// geometry::mma::Linear. Tiles of 16 or 32 rows: LinearSkinny (few rows, W streamed once; a norm before is possible);
// else LinearTall.
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
using Linear = typename mma_sync::SelectLinear<Shape::kTileRows <= geometry::mma::Linear::kSkinnyTileRows, Shape, Input,
                                               Epilogue>::Type;

} // namespace bambac
