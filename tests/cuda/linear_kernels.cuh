// The kernels by which tests launch linears, and the speed of the memory that their benchmarks compare with.
#pragma once
#include "tests/cuda/harness.cuh"

namespace harness {

template <class Kernel, class Input, class Epilogue, class Weight = Operand>
__global__ void __launch_bounds__(Kernel::kThreads, Kernel::kMinBlocks)
    linearKernel(Input input, const Weight *weights, Epilogue epilogue) {
  Kernel::run(input, weights, epilogue);
}

/// The workspace of the kernels that read both operands through tensor maps: they leave its counters zero.
class MappedWorkspace {
public:
  MappedWorkspace() { memory.zero(); }
  void *get(size_t bytes) {
    CHECK(bytes <= kBytes ? cudaSuccess : cudaErrorMemoryAllocation);
    return memory.data();
  }
  /// Every counter of a tile that is split.
  void setSplitCounters(unsigned value) {
    std::vector<unsigned> values(bambac::geometry::kMostSplitTiles, value);
    CHECK(cudaMemcpy(memory.data() + bambac::kSplitCounter, values.data(), values.size() * 4, cudaMemcpyHostToDevice));
  }
  bool isClean() const { return areCountersZero(memory.download()); }

private:
  static constexpr size_t kBytes = size_t(32) << 20;
  DeviceBuffer<unsigned> memory{bambac::kWorkspaceCounters + kBytes / 4};
};

/// Not for the first time while a stream is recorded.
inline MappedWorkspace &mappedWorkspace() {
  static MappedWorkspace workspace;
  return workspace;
}

/// The count of rows where all are there.
inline constexpr const int *kAllRows = nullptr;

/// The same for collectives that read both operands through tensor maps.
template <class Kernel, class Epilogue>
__global__ void __launch_bounds__(Kernel::kThreads, Kernel::kMinBlocks)
    mappedKernel(const __grid_constant__ bambac::TensorMapParam input,
                 const __grid_constant__ bambac::TensorMapParam weights,
                 const __grid_constant__ bambac::TensorMapParam narrow, int steps, Epilogue epilogue, void *workspace,
                 const int *rows) {
  if constexpr (requires { Kernel::kNarrowMap; })
    Kernel::run(input, weights, narrow, steps, epilogue, workspace, rows);
  else
    Kernel::run(input, weights, steps, epilogue, rows);
}

/// Launches it on x and W, with the number of blocks that it asks for or with `blocks`.
template <class Kernel, class X, class Weight, class Epilogue>
void launchMapped(cudaStream_t stream, X *x, Weight *weights, const Epilogue &epilogue, const int *rows = kAllRows,
                  unsigned blocks = 0) {
  bambac::TensorMapParam weightMap = encodeTensorMap(Kernel::kWeightMap, weights), narrowMap = weightMap;
  if constexpr (requires { Kernel::kNarrowMap; })
    narrowMap = encodeTensorMap(Kernel::kNarrowMap, weights);
  bambac::Launch how = Kernel::kLaunch;
  if (blocks)
    how.grid[0] = blocks;
  launch(mappedKernel<Kernel, Epilogue>, how, stream, encodeTensorMap(Kernel::kInputMap, x), weightMap, narrowMap,
         Kernel::kSteps, epilogue, mappedWorkspace().get(how.workspace), rows);
}

/// Reads `from`, 128 bytes a thread at a time; the rest that is less than that for all threads is left out.
__global__ void __launch_bounds__(512) readKernel(const uint4 *from, size_t count, uint4 *to) {
  unsigned sum = 0;
  size_t step = size_t(gridDim.x) * blockDim.x, i = blockIdx.x * size_t(blockDim.x) + threadIdx.x;
  for (; i + 7 * step < count; i += 8 * step) {
    uint4 values[8];
#pragma unroll
    for (int j = 0; j < 8; ++j)
      values[j] = __ldcs(from + i + j * step);
#pragma unroll
    for (int j = 0; j < 8; ++j)
      sum += values[j].x ^ values[j].y ^ values[j].z ^ values[j].w;
  }
  if (sum == 0x12345678u)
    to->x = sum;
}

/// GB/s of reading 2 GiB, measured once.
inline double readBandwidth() {
  static double known = 0;
  if (known > 0)
    return known;
  size_t bytes = size_t(1) << 31;
  DeviceBuffer<uint4> buffer(bytes / 16), sink(1);
  double time =
      medianMicroseconds([&](cudaStream_t stream,
                             int) { readKernel<<<132 * 4, 512, 0, stream>>>(buffer.data(), bytes / 16, sink.data()); },
                         4);
  return known = bytes / time * 1e-3;
}

} // namespace harness
