// Takes the states of sequences over the tokens that wait in their rings, before a prompt goes on from them.
#pragma once
#include "common/ssm_step.cuh"

namespace bambac {

/// Shape: kBatch (a size of the launch), kHeads, kHeadDim, kStateSize, kGroups, Operand; the fields of
/// geometry::SsmFold. A block has the tile of the state that one of a step has, of those among kPieces pieces in which
/// tokens wait: mostly there are few.
template <class Shape, class State, class Ring> struct SsmFold {
  struct StepShape : Shape {
    static constexpr int kTaps = 1, kInputVector = 1; // no input is read
  };
  using Step = SsmStep<StepShape, State, Ring>;
  static constexpr int kThreads = Step::kThreads, kMinBlocks = Step::kMinBlocks;
  static constexpr Launch kLaunch = Step::kFoldLaunch;

  /// aLog: [kHeads]; state: [slots, kHeads, kHeadDim, kStateSize]; scales of a state of codes: [slots, kHeads,
  /// kHeadDim].
  static __device__ __forceinline__ void run(int batch, const float *aLog, const int *slots, State *state,
                                             const Ring &ring, float *scales = nullptr) {
    Step::fold(batch, aLog, slots, state, ring, scales);
  }
};

} // namespace bambac
