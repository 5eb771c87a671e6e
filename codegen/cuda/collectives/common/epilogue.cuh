// What a linear offers an epilogue in addition to its sums: a start and an end in every block.
//
// An epilogue that reduces over columns says `kReduces = true` and has kSharedBytes (static shared memory that it
// uses), begin(), called by all threads before the first barrier of the block, and finish(lane), called by one warp
// when everything that the block stores has been stored. It may use the counters of the workspace.
//
// An epilogue of codes multiplies sums by their scales, unless groups of columns of the depth have their own: then it
// has kGroup, the columns of a group, inputScale(row, group) and weightScale(column, group), and its sums are
// products with them already. `column` is one of the linear.
#pragma once
#include "common/limits.cuh"
#include "common/linear_input.cuh"
#include "geometry/linear.h"

namespace bambac {

/// What an epilogue loads that reads nothing but sums.
struct NoExtra {};

template <class Epilogue> __host__ __device__ constexpr auto reduces(int) -> decltype(Epilogue::kReduces) {
  return Epilogue::kReduces;
}
template <class Epilogue> __host__ __device__ constexpr bool reduces(...) { return false; }
template <class Epilogue> inline constexpr bool kReduces = reduces<Epilogue>(0);

template <class Epilogue> __host__ __device__ constexpr auto groupOf(int) -> decltype(Epilogue::kGroup) {
  return Epilogue::kGroup;
}
template <class Epilogue> __host__ __device__ constexpr int groupOf(...) { return 0; }
/// Columns of the depth that share scales; 0: all.
template <class Epilogue> inline constexpr int kGroupOf = groupOf<Epilogue>(0);

/// Whether sums of codes may have the few bits of the tensor cores: Shape says so.
template <class Shape> __host__ __device__ constexpr auto sumsFast(int) -> decltype(Shape::kSumsFast) {
  return Shape::kSumsFast;
}
template <class Shape> __host__ __device__ constexpr bool sumsFast(...) { return false; }

/// Elements from row to row of the input: of the shape where they are a size of the launch.
template <class Shape, class Input>
__host__ __device__ constexpr auto inputStride(int) -> decltype(Shape::kInputStride) {
  return Shape::kInputStride;
}
template <class Shape, class Input> __host__ __device__ constexpr int inputStride(...) { return Input::kStride; }

/// Whether the steps along the depth are those that the launch says, where it does.
template <class Shape> __host__ __device__ constexpr bool areSteps(int steps, decltype(Shape::kSteps) *) {
  return Shape::kSteps == geometry::kAnySize || Shape::kSteps == steps;
}
template <class Shape> __host__ __device__ constexpr bool areSteps(int, ...) { return true; }

template <class Epilogue> __host__ __device__ constexpr int epilogueSharedBytes() {
  if constexpr (kReduces<Epilogue>)
    return Epilogue::kSharedBytes;
  else
    return 0;
}
template <class Input, class Epilogue> __host__ __device__ constexpr int staticSharedBytes() {
  return geometry::alignedStaticBytes(inputSharedBytes<Input>() + epilogueSharedBytes<Epilogue>());
}

/// The sizes of a linear as its geometry wants them. Shape: kRows, kColumns, kDepth, Operand.
template <class Shape, class Input, class Epilogue>
inline constexpr geometry::LinearShape kLinearShape = {Shape::kRows,
                                                       Shape::kColumns,
                                                       Shape::kDepth,
                                                       staticSharedBytes<Input, Epilogue>(),
                                                       Input::kNormalizes,
                                                       kIsSame<typename Input::Element, typename Shape::Operand>,
                                                       inputStride<Shape, Input>(0),
                                                       int(sizeof(typename Shape::Operand)),
                                                       kQuantizes<Input>,
                                                       kGroupOf<Epilogue>,
                                                       sumsFast<Shape>(0)};

/// Bytes of workspace that a launch asks for: the counters, and nothing after them.
template <class Input, class Epilogue>
inline constexpr uint32 kLinearWorkspace = kReduces<Epilogue> || kSharesCodes<Input> ? kWorkspaceOfCounters : 0;

/// totals += sums with the scales of group `group`: results of two rows, `row` and row + 8, and two neighbouring
/// columns as a fragment of mma holds them. Rows, columns and groups that the linear does not have repeat its last:
/// what is summed of the padding of the depth is zero, but memory that is no scale may hold a NaN.
template <class Shape, class Epilogue>
__device__ __forceinline__ void addScaled(float *totals, const float *sums, const Epilogue &epilogue, int row,
                                          int column, int group) {
  group = minOf(group, ceilDiv(Shape::kDepth, Epilogue::kGroup) - 1);
#pragma unroll
  for (int i = 0; i < 4; ++i)
    totals[i] += sums[i] * (epilogue.inputScale(minOf(row + i / 2 * 8, Shape::kRows - 1), group) *
                            epilogue.weightScale(minOf(column + i % 2, Shape::kColumns - 1), group));
}

template <class Epilogue> __device__ __forceinline__ void beginEpilogue(const Epilogue &epilogue) {
  if constexpr (kReduces<Epilogue>)
    epilogue.begin();
}

template <class Epilogue> __device__ __forceinline__ void finishEpilogue(const Epilogue &epilogue) {
  if constexpr (kReduces<Epilogue>) {
    __syncwarp();
    epilogue.finish(threadIdx.x % 32);
  }
}

/// The end of a block of which all threads come here: what they have stored is complete.
template <class Input, class Epilogue>
__device__ __forceinline__ void finishBlock(const Input &input, const Epilogue &epilogue) {
  if (threadIdx.x == 0)
    leaveInput(input);
  if constexpr (kReduces<Epilogue>) {
    __syncthreads();
    if (threadIdx.x < 32)
      finishEpilogue(epilogue);
  }
}

} // namespace bambac
