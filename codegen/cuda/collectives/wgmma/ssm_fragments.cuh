// What a warp of the wgmma scan has in registers: its 16 channels of the state as accumulators, and the operands that
// it makes of inputs and of scores. The formulas are those of ssm_scan.cuh; a chunk has 64 tokens, a panel 64 states.
#pragma once
#include "wgmma/ssm_tiles.cuh"

namespace bambac {

/// (exp(a[L-1] - a[s]) delta[s] X)^T, this warp's 16 channels, where X is a tile. Returns the chunk's decay.
template <class Operand>
__device__ __forceinline__ float weighInputs(const ChunkFactors &factors, uint32 tile, int warp, int lane,
                                             uint32 (&x)[4][4]) {
  // Of the matrices of ldmatrix, 1 is eight channels to the right of 0, and 2 and 3 are eight tokens below.
  uint32 from = tile + PanelTile<64>::offset(lane / 16 * 8 + lane % 8, warp * 2 + lane / 8 % 2);
#pragma unroll
  for (int step = 0; step < 4; ++step) {
    uint32 raw[4];
    ldmatrixX4Trans(raw, from + step * 2048);
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float kept[2];
      loadVector<2>(factors.kept + step * 16 + half * 8 + lane % 4 * 2, kept);
#pragma unroll
      for (int i = 2 * half; i < 2 * half + 2; ++i)
        x[step][i] = pack<Operand>(low<Operand>(raw[i]) * kept[0], high<Operand>(raw[i]) * kept[1]);
    }
  }
  return factors.carried[63];
}

/// S rounded, to a tile [channels, states].
template <class Operand, int Panels>
__device__ __forceinline__ void publishState(uint32 to, int warp, int lane, const float (&s)[Panels][32]) {
  int row = warp * 16 + lane % 16;
#pragma unroll
  for (int panel = 0; panel < Panels; ++panel)
#pragma unroll
    for (int tile = 0; tile < 8; tile += 2) {
      const float *sums = s[panel] + tile * 4;
      uint32 matrices[4] = {pack<Operand>(sums[0], sums[1]), pack<Operand>(sums[2], sums[3]),
                            pack<Operand>(sums[4], sums[5]), pack<Operand>(sums[6], sums[7])};
      stmatrixX4(to + PanelTile<Panels * 64>::offset(row, panel * 8 + tile + lane / 16), matrices);
    }
}

/// Loads this thread's part of a head's state of numbers, or stores it: rows `firstChannel` and `firstChannel` + 8.
template <bool Loads, int HeadDim, int StateSize, int Panels, class State>
__device__ __forceinline__ void movePlainFragment(State *state, int firstChannel, int lane, float (&s)[Panels][32]) {
  constexpr int kVector = StateSize % 2 == 0 ? 2 : 1;
  int firstState = lane % 4 * 2;
  State *first = state + firstChannel * StateSize + firstState;
#pragma unroll
  for (int i = 0; i < Panels * 32; i += kVector) {
    int channel = i / 2 % 2 * 8, n = i / 4 * 8 + i % 2;
    bool exists = firstChannel + channel < HeadDim && firstState + n < StateSize;
    State *place = first + channel * StateSize + n;
    float values[kVector] = {};
#pragma unroll
    for (int j = 0; j < kVector && !Loads; ++j)
      values[j] = s[i / 32][i % 32 + j];
    if (exists && Loads)
      loadVector<kVector>(place, values);
    if (exists && !Loads)
      storeVector<kVector>(place, values);
#pragma unroll
    for (int j = 0; j < kVector && Loads; ++j)
      s[i / 32][i % 32 + j] = values[j];
  }
}

/// M, this warp's 16 rows, as operands.
template <class Operand>
__device__ __forceinline__ void decayScores(const ChunkFactors &factors, int warp, int lane, float skip,
                                            const float (&scores)[32], uint32 (&m)[4][4]) {
  int group = lane / 4, pair = lane % 4 * 2, row = warp * 16 + group;
  float through[2] = {factors.through[row], factors.through[row + 8]};
#pragma unroll
  for (int tile = 0; tile < 8; ++tile) {
    uint32(&to)[4] = m[tile / 2];
    if (tile / 2 > warp) { // right of the diagonal
      to[tile % 2 * 2] = to[tile % 2 * 2 + 1] = 0;
      continue;
    }
    float source[2];
    loadVector<2>(factors.source + tile * 8 + pair, source);
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float values[2];
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        int ahead = row + half * 8 - (tile * 8 + pair + i);
        float value = scores[tile * 4 + half * 2 + i] * exp2Fast(through[half] + source[i]);
        values[i] = ahead < 0 ? 0.0f : ahead == 0 ? value + skip : value;
      }
      to[tile % 2 * 2 + half] = pack<Operand>(values[0], values[1]);
    }
  }
}

} // namespace bambac
