// Rotary position embedding: the angles, the rotation of a pair, and vectors of a head rotated.
#pragma once
#include "common/types.cuh"

namespace bambac {

// What the functions below take: `Rope`, with kHeadDim, kRotaryDim and kRotationScale, and a table of kRotaryDim / 2
// frequencies, the angles in radians by which one position turns each pair. Pairs are half-split, dimension
// j < kRotaryDim / 2 of a head with dimension j + kRotaryDim / 2, or interleaved, 2 j with 2 j + 1. They become
// kRotationScale times as long; the dimensions from kRotaryDim on pass through.

struct Rotation {
  float cosine, sine;
};

/// The rotation by the angle position * frequency, a product in f32. Whole turns are taken off in f64, which is
/// exact enough for every position and leaves an angle for which the fast sine and cosine are good to 5e-7.
template <class Rope> __device__ __forceinline__ Rotation ropeRotation(int position, float frequency) {
  constexpr double kTurn = 6.283185307179586477;
  double angle = __fmul_rn(static_cast<float>(position), frequency);
  float reduced = static_cast<float>(fma(-rint(angle * (1.0 / kTurn)), kTurn, angle));
  return {Rope::kRotationScale * __cosf(reduced), Rope::kRotationScale * __sinf(reduced)};
}

/// Turns a pair: `first` is its dimension j or 2 j.
__device__ __forceinline__ void rotate(Rotation rotation, float &first, float &second) {
  float turned = first * rotation.cosine - second * rotation.sine;
  second = second * rotation.cosine + first * rotation.sine;
  first = turned;
}

/// Turns the V dimensions from `dim` of an interleaved head; V and `dim` are even.
template <class Rope, int V>
__device__ __forceinline__ void rotatePairs(float (&values)[V], int dim, int position, const float *frequencies) {
  static_assert(V % 2 == 0 && Rope::kRotaryDim % 2 == 0, "whole pairs");
  if constexpr (Rope::kRotaryDim > 0)
#pragma unroll
    for (int i = 0; i < V; i += 2)
      if (dim + i < Rope::kRotaryDim)
        rotate(ropeRotation<Rope>(position, __ldg(frequencies + (dim + i) / 2)), values[i], values[i + 1]);
}

/// The widest vector of at most `limit` elements (a power of two) that lies in one half of a half-split head's rotary
/// dimensions, or after them, wherever it starts in a head.
template <class Rope> __host__ __device__ constexpr int ropeVector(int limit) {
  while (limit > 1 && (Rope::kHeadDim % limit || (Rope::kRotaryDim / 2) % limit))
    limit /= 2;
  return limit;
}

/// Dimensions `dim` to `dim + V - 1` of the half-split head at `head` as f32, rotated to `position`. V divides `dim`
/// and is at most ropeVector<Rope>(V); the head is aligned as loadVector<V> needs it.
template <class Rope, int V, class T>
__device__ __forceinline__ void loadRotated(const T *head, int dim, int position, const float *frequencies,
                                            float (&to)[V]) {
  constexpr int kHalf = Rope::kRotaryDim / 2;
  static_assert(kHalf % V == 0, "a vector crosses from one half of the rotary dimensions to the other");
  loadVector(head + dim, to);
  if constexpr (kHalf > 0) {
    if (dim >= Rope::kRotaryDim)
      return;
    bool isFirst = dim < kHalf;
    int pair = isFirst ? dim : dim - kHalf;
    float partner[V];
    loadVector(head + (isFirst ? dim + kHalf : pair), partner);
#pragma unroll
    for (int i = 0; i < V; ++i) {
      Rotation rotation = ropeRotation<Rope>(position, __ldg(frequencies + pair + i));
      to[i] = to[i] * rotation.cosine + partner[i] * (isFirst ? -rotation.sine : rotation.sine);
    }
  }
}

} // namespace bambac
