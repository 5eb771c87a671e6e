// Cases of linear_codes_test: what the compiler generates around linears of codes, a reference in f64 on the device,
// and timing.
#pragma once
#include "common/quantize.cuh"
#include "mma/linear.cuh"
#include "tests/cuda/linear_kernels.cuh"
#include "wgmma/linear_large.cuh"
#include "wgmma/linear_middle.cuh"
#include "wgmma/linear_skinny.cuh"
#include "wgmma/wgmma_e4m3.cuh"

namespace codes_test {

using namespace bambac;
using harness::DeviceBuffer;

constexpr int kSms = 132, kShared = 232448, kSharedOfSm80 = 166912;

constexpr int groupCount(int depth, int group) { return group ? ceilDiv(depth, group) : 1; }

/// f32 results. Scales of the input are left to the kernel where it quantizes.
template <int Columns, int Depth, int Group, bool Quantizes> struct StoreEpilogue {
  static constexpr int kInputs = 1, kColumns = Columns, kVector = Columns % 8 == 0 ? 8 : 1;
  static constexpr int kGroup = Group, kGroups = groupCount(Depth, Group);
  const float *inputScales, *weightScales;
  float *result;
  __device__ float inputScale(int row, int group) const { return inputScales[row * kGroups + group]; }
  __device__ float weightScale(int column, int group) const { return weightScales[group * Columns + column]; }
  template <int V> struct Extra {
    float inputScale, weightScales[V];
  };
  template <int V> __device__ Extra<V> load(int row, int column) const {
    Extra<V> extra = {};
    if constexpr (kGroups == 1) {
      extra.inputScale = Quantizes ? 1.0f : inputScales[row];
      loadVector(weightScales + column, extra.weightScales);
    }
    return extra;
  }
  template <int V> __device__ void store(int row, int column, const float (&sums)[V], const Extra<V> &extra) const {
    float values[V];
#pragma unroll
    for (int i = 0; i < V; ++i)
      values[i] = kGroups == 1 ? sums[i] * extra.inputScale * extra.weightScales[i] : sums[i];
    storeVector(result + static_cast<long long>(row) * Columns + column, values);
  }
};

/// Codes as they are in memory.
template <int Stride> struct CodesInput {
  using Element = e4m3;
  static constexpr bool kNormalizes = false;
  static constexpr int kStride = Stride;
  const e4m3 *data;
};

/// Numbers that become codes in the kernel.
template <class T, bool Normalizes, int Fixed, int Stride> struct NumbersInput {
  using Element = T;
  static constexpr bool kNormalizes = Normalizes, kQuantizes = true;
  static constexpr int kStride = Stride, kFixedScales = Fixed;
  [[maybe_unused]] static constexpr float kEpsilon = 1e-5f;
  const T *data;
  const float *weight, *fixedScales;
};

// --- schedules -------------------------------------------------------------------------------------------------------

template <int Rows, int Columns, int Depth> struct Sizes : CodeMatrices {
  using Operand = e4m3;
  static constexpr int kRows = Rows, kColumns = Columns, kDepth = Depth, kMultiprocessors = kSms;
};

template <int TileRows, int TileColumns, int Stages> struct Mma {
  static constexpr bool kMaps = false, kIsExact = true, kIsFast = false;
  static constexpr int kSplits = 1; ///< of the depth
  template <int R, int N, int K> struct Shape : Sizes<R, N, K> {
    static constexpr int kTileRows = TileRows, kTileColumns = TileColumns, kStages = Stages;
    static constexpr int kSharedLimit = kSharedOfSm80;
  };
  template <class S, class I, class E> using Kernel = bambac::Linear<S, I, E>;
  static std::string name() { return "mma " + std::to_string(TileRows) + "x" + std::to_string(TileColumns); }
};
struct Skinny {
  static constexpr bool kMaps = false, kIsExact = true, kIsFast = false;
  static constexpr int kSplits = 1; ///< of the depth
  template <int R, int N, int K> struct Shape : Sizes<R, N, K> {
    static constexpr int kStages = 12, kSharedLimit = kShared;
  };
  template <class S, class I, class E> using Kernel = bambac::LinearSkinny<S, I, E>;
  static std::string name() { return "skinny"; }
};
constexpr int middleStages(int tileRows, int tileColumns, int split) {
  int stages = 12;
  while (geometry::wgmma::LinearMiddle{tileRows, tileColumns, 64, stages, split}.sharedBytes() > kShared)
    --stages;
  return stages;
}
template <int TileColumns, int Split, bool Fast = false, int RowTiles = 1> struct Middle {
  static constexpr bool kMaps = true, kIsExact = false, kIsFast = Fast;
  static constexpr int kSplits = Split;
  template <int R, int N, int K> struct Shape : Sizes<R, N, K> {
    static constexpr int kTileRows = geometry::wgmma::LinearMiddle::fittingRows(ceilDiv(R, RowTiles), TileColumns,
                                                                                /*promotes=*/!Fast || R <= 256);
    static constexpr int kTileColumns = TileColumns, kTileDepth = 64;
    static constexpr int kSplit = Split, kStages = middleStages(kTileRows, TileColumns, Split), kSharedLimit = kShared;
    static constexpr bool kSumsFast = Fast;
  };
  template <class S, class I, class E> using Kernel = bambac::LinearMiddle<S, I, E>;
  static std::string name() {
    return std::string(Fast ? "fast " : "") + "middle " + std::to_string(TileColumns) + " split " +
           std::to_string(Split) + (RowTiles > 1 ? " row tiles " + std::to_string(RowTiles) : "");
  }
};
template <int TileRows, int TileColumns, int Stages, bool Fast = false, int LeastColumns = TileColumns> struct Large {
  static constexpr bool kMaps = true, kIsExact = false, kIsFast = Fast;
  static constexpr int kSplits = 1;
  template <int R, int N, int K> struct Shape : Sizes<R, N, K> {
    static constexpr int kTileRows = TileRows, kTileColumns = TileColumns, kStages = Stages, kSharedLimit = kShared;
    static constexpr int kLeastColumns = LeastColumns;
    static constexpr bool kSumsFast = Fast;
  };
  template <class S, class I, class E> using Kernel = bambac::LinearLarge<S, I, E>;
  static std::string name() {
    return std::string(Fast ? "fast " : "") + "large " + std::to_string(TileRows) + "x" + std::to_string(TileColumns) +
           " stages " + std::to_string(Stages) + " from " + std::to_string(LeastColumns);
  }
};

// --- operands and reference ------------------------------------------------------------------------------------------

__host__ __device__ constexpr size_t packedIndex(size_t n, size_t k, int depth) {
  size_t groups = size_t(alignTo(depth, 128)) / 16;
  return ((n / 8 * groups + k / 16) * 8 + n % 8) * 16 + k % 16;
}

/// Codes of numbers around `center`, zeros where columns are padded.
__global__ void packRandom(e4m3 *packed, int columns, int depth, unsigned seed, float scale, float center) {
  size_t width = alignTo(depth, 128), count = size_t(alignTo(columns, 8)) * width;
  for (size_t i = blockIdx.x * size_t(blockDim.x) + threadIdx.x; i < count; i += size_t(gridDim.x) * blockDim.x) {
    size_t n = i / width, k = i % width;
    bool inside = n < size_t(columns) && k < size_t(depth);
    float value = center + scale * harness::randomAt(seed, n * depth + k);
    packed[packedIndex(n, k, depth)] = fromFloat<e4m3>(inside ? value : 0.0f);
  }
}

/// y[i, n] of row rows[i], and the sum of the products' magnitudes, a thread each.
__global__ void referenceKernel(const e4m3 *x, const e4m3 *packed, const float *inputScales, const float *weightScales,
                                const int *rows, double *y, double *magnitudes, int columns, int depth, int stride,
                                int group, int groups) {
  int n = blockIdx.x * 128 + threadIdx.x, row = rows[blockIdx.y];
  if (n >= columns)
    return;
  double total = 0, magnitude = 0;
  for (int k = 0; k < depth; ++k) {
    int g = group ? k / group : 0;
    double scale = double(inputScales[row * groups + g]) * weightScales[size_t(g) * columns + n];
    double product = scale * toFloat(x[size_t(row) * stride + k]) * toFloat(packed[packedIndex(n, k, depth)]);
    total += product;
    magnitude += fabs(product);
  }
  y[size_t(blockIdx.y) * columns + n] = total;
  magnitudes[size_t(blockIdx.y) * columns + n] = magnitude;
}

template <int Rows, int Columns, int Fixed> struct QuantizeShape {
  static constexpr int kRows = Rows, kColumns = Columns, kVector = dividingVector(8, Columns), kGroup = 0;
  static constexpr int kFixedScales = Fixed;
  static constexpr int kThreadVectors = geometry::quantizeVectors(kRows, kColumns, kVector, kSms);
  [[maybe_unused]] static constexpr float kEpsilon = 1e-5f;
};
template <class Kernel, class Source, class Codes>
__global__ void __launch_bounds__(Kernel::kThreads, Kernel::kMinBlocks)
    quantizeKernel(Source source, const float *fixedScales, Codes codes, float *scales, const int *rows) {
  Kernel::run(source, fixedScales, codes, scales, rows);
}

inline std::vector<int> sampledRows(int rows) {
  std::vector<int> sampled;
  for (int row = 0; row < rows - 1; row += 1 + rows / 24)
    sampled.push_back(row);
  sampled.push_back(rows - 1);
  return sampled;
}

__global__ void convertKernel(const float *from, e4m3 *to, size_t count) {
  for (size_t i = blockIdx.x * size_t(blockDim.x) + threadIdx.x; i < count; i += size_t(gridDim.x) * blockDim.x)
    to[i] = fromFloat<e4m3>(from[i]);
}

/// Device memory of a case.
template <class S, int Rows, int Columns, int Depth, int Group, int Stride> struct Operands {
  static constexpr int kGroups = groupCount(Depth, Group);
  static constexpr size_t kPacked = size_t(alignTo(Columns, 8)) * alignTo(Depth, 128);
  DeviceBuffer<e4m3> x{size_t(Rows) * Stride};
  std::vector<DeviceBuffer<e4m3>> weights;
  DeviceBuffer<float> inputScales{harness::randomFloats(size_t(Rows) * kGroups, 5, 0.01f, 0.02f)};
  DeviceBuffer<float> weightScales{harness::randomFloats(size_t(kGroups) * Columns, 6, 0.005f, 0.01f)};
  DeviceBuffer<float> result{size_t(Rows) * Columns + 64};

  explicit Operands(int copies, float scale, float center) {
    harness::mappedWorkspace();
    std::vector<float> numbers = harness::randomFloats(size_t(Rows) * Stride, 1, scale, center);
    DeviceBuffer<float> from(numbers);
    convertKernel<<<256, 256>>>(from.data(), x.data(), numbers.size());
    for (int i = 0; i < copies; ++i) {
      weights.emplace_back(kPacked);
      packRandom<<<1024, 256>>>(weights.back().data(), Columns, Depth, 3 + i, scale, center);
    }
    CHECK(cudaGetLastError());
    CHECK(cudaDeviceSynchronize());
  }
};

} // namespace codes_test
