// What a linear offers an epilogue in addition to its sums: a start and an end in every block.
//
// An epilogue that reduces over columns says `kReduces = true` and has kSharedBytes (static shared memory that it
// uses), begin(), called by all threads before the first barrier of the block, and finish(lane), called by one warp
// when everything that the block stores has been stored. It may use the counters of the workspace.
#pragma once
#include "common/limits.cuh"
#include "geometry/linear.h"

namespace bambac {

/// What an epilogue loads that reads nothing but sums.
struct NoExtra {};

template <class Epilogue> __host__ __device__ constexpr auto reduces(int) -> decltype(Epilogue::kReduces) {
  return Epilogue::kReduces;
}
template <class Epilogue> __host__ __device__ constexpr bool reduces(...) { return false; }
template <class Epilogue> inline constexpr bool kReduces = reduces<Epilogue>(0);

template <class Epilogue> __host__ __device__ constexpr int epilogueSharedBytes() {
  if constexpr (kReduces<Epilogue>)
    return geometry::alignedEpilogueBytes(Epilogue::kSharedBytes);
  else
    return 0;
}

/// The sizes of a linear as its geometry wants them. Shape: kRows, kColumns, kDepth, Operand.
template <class Shape, class Input, class Epilogue>
inline constexpr geometry::LinearShape kLinearShape = {
    Shape::kRows,       Shape::kColumns,
    Shape::kDepth,      epilogueSharedBytes<Epilogue>(),
    Input::kNormalizes, kIsSame<typename Input::Element, typename Shape::Operand>,
    Input::kStride};

/// Bytes of workspace that a launch asks for: the counters, and nothing after them.
template <class Epilogue> inline constexpr uint32 kEpilogueWorkspace = kReduces<Epilogue> ? 256 : 0;

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

} // namespace bambac
