// The activations of a skinny linear that become codes in its kernel: all numbers of the rows stay in the mma warps'
// registers, from the norm before them, if there is one, to the codes.
#pragma once
#include "common/async.cuh"
#include "common/epilogue.cuh"

namespace bambac {

/// In place of SkinnyCodes for an input that is not quantized.
template <class Geometry, class Input, bool Quantizes = kQuantizes<Input>> struct SkinnyCodes {
  static constexpr bool kKeepsWeights = false;
  __device__ SkinnyCodes(const Input &, int, int) {}
};

/// One mma warp's part: in each chunk the 256 columns of its slice, eight a lane, of every row. `Geometry` is
/// SkinnyGeometry (wgmma/linear_skinny.cuh).
template <class Geometry, class Input> class SkinnyCodes<Geometry, Input, true> {
public:
  __device__ SkinnyCodes(const Input &input, int warp, int lane) : input(input), warp(warp), lane(lane) {}

  /// Whether the norm's weights are in registers before anything is known of the rows.
  static constexpr bool kKeepsWeights = Input::kNormalizes && 8 * Geometry::kChunks * (Geometry::kRows + 1) <=
                                                                  geometry::wgmma::LinearSkinny::kMostLaneNumbers;

  /// Loads what depends on no kernel before this one, if there is room for it.
  __device__ void loadEarly() {
    if constexpr (kKeepsWeights)
#pragma unroll
      for (int chunk = 0; chunk < kChunks; ++chunk)
        loadWeights(weights[chunk], chunk);
  }

  /// The rows' scale among the numbers that the mma warps exchange.
  static constexpr int kScales = 2 * Geometry::kMmaWarps * geometry::kMmaRows;

  /// Puts the codes of all chunks into this warp's slots. `numbers` is room for the warps' parts of each row's sum of
  /// squares and largest magnitude, and for the rows' scales.
  __device__ void begin(uint32 slices, float *numbers) {
#pragma unroll
    for (int chunk = 0; chunk < kChunks; ++chunk)
#pragma unroll
      for (int row = 0; row < kRows; ++row)
        loadEight(values[chunk][row], input.data + static_cast<long long>(row) * Input::kStride, chunk);
    if constexpr (Input::kNormalizes)
      normalize(numbers);
    float scales[kRows];
    findScales(scales, numbers + kRows * kWarps, numbers + kScales);
#pragma unroll
    for (int chunk = 0; chunk < kChunks; ++chunk)
#pragma unroll
      for (int row = 0; row < kRows; ++row) {
        float (&eight)[8] = values[chunk][row];
        CodeDivider(scales[row]).divide(eight);
        asm volatile("st.shared.v2.b32 [%0], {%1, %2};" ::"r"(slices + chunk * Geometry::kSliceBytes +
                                                              row * Geometry::kSliceRowBytes + lane * 8),
                     "r"(packCodes(eight[0], eight[1], eight[2], eight[3])),
                     "r"(packCodes(eight[4], eight[5], eight[6], eight[7]))
                     : "memory");
      }
    __syncwarp();
  }

private:
  static constexpr int kRows = Geometry::kRows, kChunks = Geometry::kChunks, kWarps = Geometry::kMmaWarps;
  static constexpr int kBarrier = 1; ///< named barrier of the mma warps
  static_assert(Geometry::kSlots == kChunks, "all chunks stay in shared memory");

  __device__ int columnOf(int chunk) const {
    return (chunk * Geometry::kChunkDepth + warp * Geometry::kSliceDepth) * 2 + lane * 8;
  }

  /// The lane's numbers of a chunk, zeros from column kDepth on.
  template <class T> __device__ void loadEight(float (&to)[8], const T *from, int chunk) const {
    constexpr bool kWide = Input::kStride * sizeof(T) % 16 == 0;
    const int k = columnOf(chunk);
    if (kWide && (Geometry::kDepth % (Geometry::kChunkDepth * 2) == 0 || k + 8 <= Geometry::kDepth))
      loadVector(from + k, to);
    else
#pragma unroll
      for (int i = 0; i < 8; ++i)
        to[i] = k + i < Geometry::kDepth ? toFloat(from[k + i]) : 0.0f;
  }

  /// In the order of RmsNorm.
  __device__ void normalize(float *squares) {
#pragma unroll
    for (int row = 0; row < kRows; ++row) {
      float sum = 0.0f;
#pragma unroll
      for (int chunk = 0; chunk < kChunks; ++chunk)
#pragma unroll
        for (int i = 0; i < 8; ++i)
          sum += values[chunk][row][i] * values[chunk][row][i];
      sum = warpSum(sum);
      if (lane == 0)
        squares[row * kWarps + warp] = sum;
    }
    syncNamed(kBarrier, kWarps * 32);
    float norms[kRows];
#pragma unroll
    for (int row = 0; row < kRows; ++row) {
      float parts[kWarps], sum = 0.0f;
      loadVector(squares + row * kWarps, parts);
#pragma unroll
      for (int i = 0; i < kWarps; ++i)
        sum += parts[i];
      norms[row] = rsqrtf(sum * (1.0f / Geometry::kDepth) + Input::kEpsilon);
    }
#pragma unroll
    for (int chunk = 0; chunk < kChunks; ++chunk) {
      float (&factors)[8] = weights[kKeepsWeights ? chunk : 0];
      if constexpr (!kKeepsWeights)
        loadWeights(factors, chunk);
#pragma unroll
      for (int row = 0; row < kRows; ++row)
#pragma unroll
        for (int i = 0; i < 8; ++i)
          values[chunk][row][i] = values[chunk][row][i] * norms[row] * factors[i];
    }
  }

  __device__ void loadWeights(float (&to)[8], int chunk) const {
    const int k = columnOf(chunk);
    if (k + 8 <= Geometry::kDepth)
      loadVector(input.weight + k, to);
    else
#pragma unroll
      for (int i = 0; i < 8; ++i)
        to[i] = k + i < Geometry::kDepth ? input.weight[k + i] : 0.0f;
  }

  /// Every lane gets the scales of all rows; they are also left at `shared`.
  __device__ void findScales(float (&scales)[kRows], float *largest, float *shared) {
    if constexpr (Input::kFixedScales > 0) {
#pragma unroll
      for (int row = 0; row < kRows; ++row)
        scales[row] = largestScale<Input::kFixedScales>(input.fixedScales);
    } else {
#pragma unroll
      for (int row = 0; row < kRows; ++row) {
        uint32 most = 0;
#pragma unroll
        for (int chunk = 0; chunk < kChunks; ++chunk)
          most = max(most, largestBits(values[chunk][row]));
        most = __reduce_max_sync(0xffffffffu, most);
        if (lane == 0)
          largest[row * kWarps + warp] = __uint_as_float(most);
      }
      syncNamed(kBarrier, kWarps * 32);
#pragma unroll
      for (int row = 0; row < kRows; ++row) {
        float parts[kWarps];
        loadVector(largest + row * kWarps, parts);
        scales[row] = scaleOfLargest(__uint_as_float(largestBits(parts)));
      }
    }
    if (warp == 0 && lane == 0)
#pragma unroll
      for (int row = 0; row < kRows; ++row)
        shared[row] = scales[row];
  }

  const Input &input;
  int warp, lane;
  float values[kChunks][kRows][8];
  float weights[kKeepsWeights ? kChunks : 1][8]; ///< of the norm
};

} // namespace bambac
