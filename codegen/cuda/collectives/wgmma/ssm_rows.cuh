// The way of a warp's results of the wgmma scan from accumulators to neighbouring channels, and the epilogue.
#pragma once
#include "common/types.cuh"

namespace bambac {

/// One warp's results of a chunk: 16 tokens, up to 64 channels of a head. They pass through shared memory eight tokens
/// at a time. The warp calls load early (it hides the latency of what the epilogue reads) and finish later.
template <class Epilogue, int HeadDim> class ScanRows {
  /// At most 16 bytes: of eight f32, neighbouring lanes would access every other 16 bytes, twice.
  static __host__ __device__ constexpr int chooseVector() {
    int vector = minOf(16 / int(sizeof(typename Epilogue::Element)), Epilogue::kVector);
    while (HeadDim % vector != 0)
      vector /= 2;
    return vector;
  }
  static constexpr int kVector = chooseVector(), kParts = 64 / kVector; // vectors of a token
  static constexpr int kCount = 8 * kParts / 32;                        // vectors of a lane, of eight tokens

  int row, present, firstChannel, channels, lane;
  typename Epilogue::template Extra<kVector> extra[2][kCount];

public:
  static constexpr int kBytes = 8 * 64 * int(sizeof(float)); ///< of shared memory, a warp

  /// Rows from `row` on, the first `present` of them exist; `channels` channels from `channel` of head `head` on.
  __device__ __forceinline__ ScanRows(int row, int present, int head, int channel, int lane)
      : row(row), present(present), firstChannel(head * HeadDim + channel), channels(minOf(HeadDim - channel, 64)),
        lane(lane) {}

  __device__ __forceinline__ void load(const Epilogue &epilogue) {
#pragma unroll
    for (int half = 0; half < 2; ++half)
#pragma unroll
      for (int i = 0; i < kCount; ++i)
        if (exists(half, i))
          extra[half][i] = epilogue.template load<kVector>(row + half * 8 + token(i), firstChannel + channel(i));
  }

  /// `y`: accumulators [16 tokens, 64 channels].
  __device__ __forceinline__ void finish(const Epilogue &epilogue, const float (&y)[32], float *staging) const {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
#pragma unroll
      for (int tile = 0; tile < 8; ++tile)
        storeVector<2>(staging + place(lane / 4, tile * 8 + lane % 4 * 2),
                       {y[tile * 4 + half * 2], y[tile * 4 + half * 2 + 1]});
      __syncwarp();
#pragma unroll
      for (int i = 0; i < kCount; ++i)
        if (exists(half, i)) {
          constexpr int kUnit = minOf(kVector, 4);
          float results[kVector];
#pragma unroll
          for (int j = 0; j < kVector; j += kUnit) {
            float unit[kUnit];
            loadVector<kUnit>(staging + place(token(i), channel(i) + j), unit);
#pragma unroll
            for (int k = 0; k < kUnit; ++k)
              results[j + k] = unit[k];
          }
          epilogue.template store<kVector>(row + half * 8 + token(i), firstChannel + channel(i), results,
                                           extra[half][i]);
        }
      __syncwarp();
    }
  }

private:
  /// Where a result is staged: rows of 64 floats, permuted so that neither the pairs written nor the units of 16 bytes
  /// read meet in a bank.
  static __device__ __forceinline__ int place(int token, int channel) {
    return token * 64 + (channel ^ (token % 4 * 8) ^ (channel / 32 * 4));
  }
  // Neighbouring lanes take neighbouring vectors.
  __device__ __forceinline__ int token(int i) const { return (i * 32 + lane) / kParts; }
  __device__ __forceinline__ int channel(int i) const { return (i * 32 + lane) % kParts * kVector; }
  __device__ __forceinline__ bool exists(int half, int i) const {
    return half * 8 + token(i) < present && channel(i) < channels;
  }
};

} // namespace bambac
