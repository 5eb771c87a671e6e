// Cases of linear_wgmma_test: epilogues, a plain reference on the device (itself checked on the host), and timing.
#pragma once
#include "linear_wgmma_cublas.cuh"
#include "tests/cuda/linear_kernels.cuh"
#include "wgmma/linear_large.cuh"
#include "wgmma/linear_middle.cuh"
#include "wgmma/wgmma_bf16.cuh"
#include "wgmma/wgmma_f16.cuh"
#include <type_traits>

namespace wgmma_test {

using harness::DeviceBuffer;
using harness::Operand;

/// Epilogues: sums as operands; f32 residual + sum; silu(gate) * up as operands; f32 sums one by one (odd column
/// counts) or not.
enum Kind { kPlain, kResidual, kSwiglu, kScalar, kFloat };

inline std::string describe(Kind kind, int rows, int columns, int depth) {
  const char *names[] = {"plain", "residual", "swiglu", "scalar", "float"};
  return std::string(names[kind]) + " " + std::to_string(rows) + "x" + std::to_string(columns) + "x" +
         std::to_string(depth);
}

template <int Depth> struct PlainInput {
  using Element = Operand;
  static constexpr bool kNormalizes = false;
  static constexpr int kStride = Depth;
};

template <Kind K, int LinearColumns> struct TestEpilogue {
  static constexpr Kind kKind = K;
  using Output = std::conditional_t<K == kPlain || K == kSwiglu, Operand, float>;
  static constexpr int kInputs = K == kSwiglu ? 2 : 1, kColumns = LinearColumns / kInputs;
  static constexpr int kVector = K == kScalar ? 1 : K == kSwiglu && kColumns % 8 ? 4 : 8;
  static_assert(kColumns % kVector == 0);
  const float *residual;
  Output *out;
  template <int V> struct Extra {
    float values[V];
  };
  template <int V> __device__ Extra<V> load(int row, int column) const {
    Extra<V> extra = {};
    if constexpr (K == kResidual)
      bambac::loadVector(residual + size_t(row) * kColumns + column, extra.values);
    return extra;
  }
  template <int V>
  __device__ void store(int row, int column, const float (&sums)[V * kInputs], const Extra<V> &extra) const {
    float results[V];
#pragma unroll
    for (int i = 0; i < V; ++i)
      if constexpr (K == kSwiglu)
        results[i] = bambac::silu(sums[2 * i]) * sums[2 * i + 1];
      else
        results[i] = extra.values[i] + sums[i];
    bambac::storeVector(out + size_t(row) * kColumns + column, results);
  }
};

// --- operands and reference ----------------------------------------------------------------------------------------

constexpr float kWeightScale = 0.05f;

/// Core matrices of a random W [columns, depth], zero where padded.
__global__ void packRandom(Operand *packed, size_t count, int columns, int depth, unsigned seed) {
  size_t cores = size_t(depth + 63) / 64 * 8;
  for (size_t i = blockIdx.x * size_t(blockDim.x) + threadIdx.x; i < count; i += size_t(gridDim.x) * blockDim.x) {
    size_t n = i / 64 / cores * 8 + i % 64 / 8, k = i / 64 % cores * 8 + i % 8;
    bool inside = n < size_t(columns) && k < size_t(depth);
    packed[i] = bambac::fromFloat<Operand>(inside ? kWeightScale * harness::randomAt(seed, n * depth + k) : 0.0f);
  }
}

/// y[r, n], a thread each.
__global__ void referenceKernel(const Operand *x, const Operand *packed, float *y, int rows, int columns, int depth) {
  size_t cores = size_t(depth + 63) / 64 * 8;
  int n = blockIdx.x * 128 + threadIdx.x, row = blockIdx.y;
  if (n >= columns)
    return;
  const Operand *weights = packed + (n / 8 * cores * 64 + n % 8 * 8), *values = x + size_t(row) * depth;
  float sum = 0;
  for (int k = 0; k < depth; k += 8) {
    float a[8], b[8];
    bambac::loadVector(values + k, a);
    bambac::loadVector(weights + k / 8 * 64, b);
    for (int i = 0; i < 8; ++i)
      sum += a[i] * b[i];
  }
  y[size_t(row) * columns + n] = sum;
}

/// Adds |out - expected|^2 and |expected|^2 over all results to sums[0] and sums[1]; what is not finite counts as 1e30.
template <class Epilogue>
__global__ void compareKernel(const typename Epilogue::Output *out, const float *reference, const float *residual,
                              size_t count, double *sums) {
  double difference = 0, norm = 0;
  for (size_t i = blockIdx.x * size_t(blockDim.x) + threadIdx.x; i < count; i += size_t(gridDim.x) * blockDim.x) {
    constexpr Kind K = Epilogue::kKind;
    float expected = K == kSwiglu     ? bambac::silu(reference[2 * i]) * reference[2 * i + 1]
                     : K == kResidual ? residual[i] + reference[i]
                                      : reference[i];
    double value = bambac::toFloat(out[i]), error = value - expected;
    difference += error * error < 1e30 ? error * error : 1e30;
    norm += double(expected) * expected;
  }
  atomicAdd(sums, difference);
  atomicAdd(sums + 1, norm);
}

/// Device memory of one case. After the results there is a guard that must stay as it is.
template <class Case> struct Operands {
  using Shape = typename Case::Shape;
  using Epilogue = typename Case::Epilogue;
  using Output = typename Epilogue::Output;
  static constexpr int kRows = Shape::kRows, kColumns = Shape::kColumns, kDepth = Shape::kDepth;
  static constexpr size_t kGuard = 8192, kResults = size_t(kRows) * Epilogue::kColumns;
  static constexpr size_t kPacked = size_t(bambac::alignTo(kColumns, 8)) * bambac::alignTo(kDepth, 64);

  DeviceBuffer<Operand> x{size_t(kRows) * kDepth};
  DeviceBuffer<float> residual{kResults};
  DeviceBuffer<Output> out{kResults + kGuard};
  std::vector<DeviceBuffer<Operand>> weights;

  explicit Operands(int copies) {
    harness::mappedWorkspace();
    x.randomize(1);
    residual.randomize(2);
    for (int i = 0; i < copies; ++i) {
      weights.emplace_back(kPacked);
      packRandom<<<1024, 256>>>(weights.back().data(), kPacked, kColumns, kDepth, 3 + i);
      CHECK(cudaGetLastError());
    }
    CHECK(cudaDeviceSynchronize());
  }

  void launch(cudaStream_t stream, int copy, unsigned blocks = 0) const {
    harness::launchMapped<typename Case::Kernel>(stream, x.data(), weights[copy].data(),
                                                 Epilogue{residual.data(), out.data()}, harness::kAllRows, blocks);
  }
  std::vector<Output> run(unsigned blocks = 0) {
    out.poison();
    launch(nullptr, 0, blocks);
    CHECK(cudaGetLastError());
    return out.download();
  }
};

/// How far the reference on the device is from a sum in double on the host, over some rows and columns.
template <class Case> double referenceError(const Operands<Case> &operands, const float *reference) {
  constexpr int kRows = Case::Shape::kRows, kColumns = Case::Shape::kColumns, kDepth = Case::Shape::kDepth;
  std::vector<float> row(kColumns);
  std::vector<double> expected;
  std::vector<float> found;
  for (int r : {0, kRows / 2, kRows - 1}) {
    CHECK(cudaMemcpy(row.data(), reference + size_t(r) * kColumns, kColumns * sizeof(float), cudaMemcpyDeviceToHost));
    for (int n = r % 7; n < kColumns; n += kColumns / 16) {
      double sum = 0;
      for (int k = 0; k < kDepth; ++k)
        sum +=
            harness::toDouble(harness::roundTo<Operand>(harness::randomAt(1, size_t(r) * kDepth + k))) *
            harness::toDouble(harness::roundTo<Operand>(kWeightScale * harness::randomAt(3, size_t(n) * kDepth + k)));
      expected.push_back(sum);
      found.push_back(row[n]);
    }
  }
  return harness::relativeError(found, expected);
}

/// The error over all results; infinite where the reference itself is wrong.
template <class Case> double errorOf(const Operands<Case> &operands) {
  using Shape = typename Case::Shape;
  using Epilogue = typename Case::Epilogue;
  DeviceBuffer<float> reference(size_t(Shape::kRows) * Shape::kColumns);
  referenceKernel<<<dim3(bambac::ceilDiv(Shape::kColumns, 128), Shape::kRows), 128>>>(
      operands.x.data(), operands.weights[0].data(), reference.data(), Shape::kRows, Shape::kColumns, Shape::kDepth);
  CHECK(cudaGetLastError());
  CHECK(cudaDeviceSynchronize());
  if (!(referenceError(operands, reference.data()) < 1e-4))
    return INFINITY;
  DeviceBuffer<double> sums(2);
  sums.zero();
  compareKernel<Epilogue><<<512, 256>>>(operands.out.data(), reference.data(), operands.residual.data(),
                                        Operands<Case>::kResults, sums.data());
  CHECK(cudaGetLastError());
  std::vector<double> values = sums.download();
  return std::sqrt(values[0] / values[1]);
}

// --- one case --------------------------------------------------------------------------------------------------------

/// Whether a row of NaN in x leaves all other rows as they were.
template <class Case>
bool rowsAreIndependent(Operands<Case> &operands, const std::vector<typename Case::Epilogue::Output> &before) {
  constexpr size_t kWidth = Case::Epilogue::kColumns, kRow = 3, kDepth = Case::Shape::kDepth;
  CHECK(cudaMemset(operands.x.data() + kRow * kDepth, 0xff, kDepth * sizeof(Operand)));
  auto after = operands.run();
  size_t bytes = sizeof(after[0]);
  bool same = !std::memcmp(after.data(), before.data(), kRow * kWidth * bytes) &&
              !std::memcmp(after.data() + (kRow + 1) * kWidth, before.data() + (kRow + 1) * kWidth,
                           (before.size() - (kRow + 1) * kWidth) * bytes);
  for (size_t i = kRow * kWidth; i < (kRow + 1) * kWidth; ++i)
    same &= std::isnan(harness::toDouble(after[i]));
  return same;
}

template <class Case> void testCase(harness::Runner &runner) {
  std::string name = Case::name();
  if (!runner.wants(name))
    return;
  Operands<Case> operands(1);
  auto first = operands.run();
  double error = errorOf(operands);
  bool guarded = true;
  for (size_t i = Operands<Case>::kResults * sizeof(first[0]); i < first.size() * sizeof(first[0]); ++i)
    guarded &= reinterpret_cast<const unsigned char *>(first.data())[i] == 0xff;
  auto second = operands.run();
  runner.report(name, error, sizeof(first[0]) == 2 ? harness::tolerance(1e-2) : 1e-4);
  if (!guarded)
    runner.expect(name + ": nothing written after the results", false);
  if (!harness::sameBits(first, second))
    runner.expect(name + ": same bits", false);
  if (!rowsAreIndependent(operands, first))
    runner.expect(name + ": rows are independent", false);
}

/// Split tiles have the bits of whole ones, also where a second part waits for the first in vain.
template <class Case> void splitCase(harness::Runner &runner) {
  using Shape = typename Case::Shape;
  std::string name = "split " + Case::name();
  if (!runner.wants(name))
    return;
  constexpr int kTiles =
      bambac::ceilDiv(Shape::kRows, Shape::kTileRows) * bambac::ceilDiv(Shape::kColumns, Shape::kTileColumns);
  const bambac::geometry::wgmma::LinearLarge tiles{Shape::kTileRows, Shape::kTileColumns, Shape::kStages,
                                                   Shape::kLeastColumns};
  bambac::geometry::LinearShape shape = {};
  shape.rows = Shape::kRows, shape.columns = Shape::kColumns, shape.operandBytes = sizeof(Operand);
  constexpr bambac::Launch kLaunch = Case::Kernel::kLaunch;
  runner.expect(name + ": tiles are split",
                tiles.splits(shape, int(kLaunch.grid[0]), Shape::kTileColumns, Case::Kernel::kSteps) &&
                    !tiles.splits(shape, kTiles, Shape::kTileColumns, Case::Kernel::kSteps));
  Operands<Case> operands(1);
  const auto whole = operands.run(kTiles), split = operands.run();
  runner.expect(name + ": same bits", harness::sameBits(whole, split));
  runner.expect(name + ": counters are left zero", harness::mappedWorkspace().isClean());
  harness::mappedWorkspace().setSplitCounters(1000);
  const auto again = operands.run();
  runner.expect(name + ": same bits without first parts", harness::sameBits(whole, again));
  harness::mappedWorkspace().setSplitCounters(0);
}

/// How many clusters of the kernel the device holds at once; groups of multiprocessors need not divide into clusters.
template <class Case> int residentClusters() {
  using Kernel = typename Case::Kernel;
  auto kernel = harness::mappedKernel<Kernel, typename Case::Epilogue>;
  constexpr bambac::Launch kLaunch = Kernel::kLaunch;
  CHECK(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, int(kLaunch.shared_bytes)));
  cudaLaunchAttribute attribute = {};
  attribute.id = cudaLaunchAttributeClusterDimension;
  attribute.val.clusterDim = {kLaunch.cluster, 1, 1};
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(kLaunch.grid[0]), config.blockDim = dim3(kLaunch.threads);
  config.dynamicSmemBytes = kLaunch.shared_bytes, config.attrs = &attribute, config.numAttrs = 1;
  int clusters = 0;
  CHECK(cudaOccupancyMaxActiveClusters(&clusters, kernel, &config));
  return clusters;
}

// --- timing ---------------------------------------------------------------------------------------------------------

/// Time with weights rotated past L2; where they bound it, the part of the memory's speed that their bytes reach,
/// otherwise operations. Also cuBLAS, once a shape, where it is found.
template <class Case> void benchCase(harness::Runner &runner, bool memoryBound) {
  using Shape = typename Case::Shape;
  std::string name = Case::name();
  if (!runner.benches(name))
    return;
  constexpr size_t kBytes = Operands<Case>::kPacked * 2;
  Operands<Case> operands(harness::rotations(kBytes));
  int perGraph = kBytes > (size_t(1) << 29) || Shape::kRows > 256 ? 10 : 50;
  double time = harness::medianMicroseconds(
      [&](cudaStream_t stream, int i) { operands.launch(stream, i % int(operands.weights.size())); }, perGraph);
  double operations = 2.0 * Shape::kRows * Shape::kColumns * Shape::kDepth;
  double work = memoryBound ? double(kBytes) : operations;
  const char *unit = memoryBound ? "GB/s" : "TFLOP/s";
  if (memoryBound)
    name += " (" + std::to_string(int(100 * kBytes / time * 1e-3 / harness::readBandwidth() + 0.5)) +
            "% of the bandwidth, " + std::to_string(int(operations / time * 1e-6)) + " TFLOP/s)";
  if (constexpr bambac::Launch kLaunch = Case::Kernel::kLaunch; kLaunch.cluster > 1)
    name += " [" + std::to_string(kLaunch.grid[0] / kLaunch.cluster) + " clusters, " +
            std::to_string(residentClusters<Case>()) + " fit]";
  runner.benched(name, time, work, unit);

  static std::string previous;
  std::string shape = describe(kPlain, Shape::kRows, Shape::kColumns, Shape::kDepth);
  if (shape == previous || !cublas().available())
    return;
  previous = shape;
  DeviceBuffer<Operand> y(size_t(Shape::kRows) * Shape::kColumns);
  double theirs = harness::medianMicroseconds(
      [&](cudaStream_t stream, int i) {
        cublas().linear(stream, operands.x.data(), operands.weights[i % operands.weights.size()].data(), y.data(),
                        Shape::kRows, Shape::kColumns, Shape::kDepth);
      },
      perGraph);
  runner.benched("cublas " + shape, theirs, work, unit);
}

} // namespace wgmma_test
