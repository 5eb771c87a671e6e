// What a linear asks of its input in addition to Element, kNormalizes, kStride and data.
//
// An input that becomes codes in the kernel, again in each block, says `kQuantizes = true`; sums then are products with
// its scales. Those are the largest of kFixedScales `fixedScales`, or where that is 0 those of the rows.
//
// One that becomes codes in the kernel once, for all blocks, says `kSharesCodes = true` and is SharedCodes
// (common/shared_codes.cuh). Nothing may read it, or its scales, before the block has made it or awaits it.
#pragma once
#include "common/launch.cuh"

namespace bambac {

template <class Input> __host__ __device__ constexpr auto quantizes(int) -> decltype(Input::kQuantizes) {
  return Input::kQuantizes;
}
template <class Input> __host__ __device__ constexpr bool quantizes(...) { return false; }
template <class Input> inline constexpr bool kQuantizes = quantizes<Input>(0);

template <class Input> __host__ __device__ constexpr auto sharesCodes(int) -> decltype(Input::kSharesCodes) {
  return Input::kSharesCodes;
}
template <class Input> __host__ __device__ constexpr bool sharesCodes(...) { return false; }
template <class Input> inline constexpr bool kSharesCodes = sharesCodes<Input>(0);

template <class Input> __host__ __device__ constexpr int inputSharedBytes() {
  if constexpr (kSharesCodes<Input>)
    return Input::kSharedBytes;
  else
    return 0;
}

/// By all threads, before a barrier of the block, where some of them await the input.
template <class Input> __device__ __forceinline__ void beginInput(const Input &input) {
  if constexpr (kSharesCodes<Input>)
    input.begin();
}

/// By the threads of a team, after waitForPredecessors() and before they read the input: the `rows` rows that are
/// there, of `Rows`, by `Blocks` blocks.
template <class Team, int Rows, int Blocks, class Input>
__device__ __forceinline__ void makeInput(const Input &input, int rows) {
  if constexpr (kSharesCodes<Input>)
    input.template make<Team, Rows, Blocks>(rows);
}

/// The same where others await the input.
template <class Team, int Rows, int Blocks, class Input>
__device__ __forceinline__ void makeInputForOthers(const Input &input, int rows) {
  if constexpr (kSharesCodes<Input>) {
    makeInput<Team, Rows, Blocks>(input, rows);
    if (Team::thread() == 0)
      input.announce();
  }
}

/// By other threads, after waitForPredecessors() and before they read the input.
template <class Input> __device__ __forceinline__ void awaitInput(const Input &input) {
  if constexpr (kSharesCodes<Input>)
    input.await();
}

/// By one thread of the block, when the input is there and nothing waits for this thread.
template <class Input> __device__ __forceinline__ void leaveInput(const Input &input) {
  if constexpr (kSharesCodes<Input>)
    input.leave();
}

} // namespace bambac
