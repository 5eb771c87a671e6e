// The way of a chunk's results from transposed accumulators to rows, through shared memory, and the epilogue.
#pragma once
#include "common/types.cuh"
#include "geometry/ssm.h"

namespace bambac {

/// Floats between the tokens of a warp's staged results, [chunk][16 channels]. With it a warp's writes (four pairs of
/// tokens, eight channels) and its 16-byte reads (eight tokens) touch every bank equally often.
inline constexpr int kResultStride = geometry::mma::Scan::kResultStride;

/// One warp's results of a chunk: 16 channels of a head, `Chunk` tokens. The warp calls load early (it hides the
/// latency of what the epilogue reads), then stage, and store after a __syncwarp.
template <class Epilogue, int HeadDim, int Chunk> class ScanOutput {
  static __host__ __device__ constexpr int chooseVector() {
    int vector = minOf(8, Epilogue::kVector);
    while (HeadDim % vector != 0)
      vector /= 2;
    return vector;
  }
  static constexpr int kVector = chooseVector(), kParts = 16 / kVector, kCount = Chunk * kParts / 32;

  int row, present, firstChannel, channelLimit, lane;
  typename Epilogue::template Extra<kVector> extra[kCount];

public:
  /// Rows from `row` on, the first `present` of them exist; channels from `channel` of head `head` on.
  __device__ __forceinline__ ScanOutput(int row, int present, int head, int channel, int lane)
      : row(row), present(present), firstChannel(head * HeadDim + channel), channelLimit((head + 1) * HeadDim),
        lane(lane) {}

  __device__ __forceinline__ void load(const Epilogue &epilogue) {
#pragma unroll
    for (int i = 0; i < kCount; ++i)
      if (exists(i))
        extra[i] = epilogue.template load<kVector>(row + token(i), firstChannel + part(i));
  }

  /// `y`: accumulators [16 channels, 8 tokens].
  __device__ __forceinline__ void stage(const float (&y)[Chunk / 8][4], float *results) const {
    float *to = results + lane % 4 * 2 * kResultStride + lane / 4;
#pragma unroll
    for (int tile = 0; tile < Chunk / 8; ++tile)
#pragma unroll
      for (int i = 0; i < 4; ++i)
        to[(tile * 8 + i % 2) * kResultStride + i / 2 * 8] = y[tile][i];
  }

  __device__ __forceinline__ void store(const Epilogue &epilogue, const float *results) const {
#pragma unroll
    for (int i = 0; i < kCount; ++i)
      if (exists(i)) {
        float y[kVector];
        loadVector<kVector>(results + token(i) * kResultStride + part(i), y);
        epilogue.template store<kVector>(row + token(i), firstChannel + part(i), y, extra[i]);
      }
  }

private:
  // Sixteen neighbouring lanes take one vector of sixteen tokens each.
  __device__ __forceinline__ int token(int i) const { return i * 2 / kParts * 16 + lane % 16; }
  __device__ __forceinline__ int part(int i) const { return (i * 2 + lane / 16) % kParts * kVector; }
  __device__ __forceinline__ bool exists(int i) const {
    return token(i) < present && firstChannel + part(i) < channelLimit;
  }
};

} // namespace bambac
