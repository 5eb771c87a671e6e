// What a linear offers an epilogue beside its sums: a start and an end in every block.
//
// An epilogue that reduces over columns says `kReduces = true` and has kSharedBytes (static shared memory that it
// uses), begin(), called by all threads before the first barrier of the block, and finish(lane), called by one warp
// when everything that the block stores has been stored. It may use the counters of the workspace.
#pragma once
#include "common/launch.cuh"

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
    return alignTo(Epilogue::kSharedBytes, 1024); // what lies behind it starts at a multiple of 1024 bytes
  else
    return 0;
}

/// Bytes of workspace that a launch asks for: none behind the counters, but the counters themselves.
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
