// Every linear whose rows become codes at its end: the bits that a kernel of its own makes of the same rows, run after
// run on the same workspace, with a NaN in one run, and beside another kernel that leaves little room in the last.
#include "common/quantize.cuh"
#include "common/row_codes.cuh"
#include "mma/linear.cuh"
#include "tests/cuda/linear_kernels.cuh"
#include "tests/cuda/linear_shapes.cuh"
#include "wgmma/linear_large.cuh"
#include "wgmma/linear_middle.cuh"
#include "wgmma/linear_skinny.cuh"
#include "wgmma/wgmma_bf16.cuh"
#include "wgmma/wgmma_f16.cuh"

#include <chrono>
#include <cstring>
#include <optional>

using namespace bambac;
using harness::DeviceBuffer;
using harness::Operand;
using harness::Runner;
using namespace linear_shapes;

namespace {

/// A linear's shape, and that of the kernel that quantizes its results alone; memory is there for `Most` rows.
template <class Linear, int Group = 0, int Most = Linear::kRows> struct Quantized : Linear {
  static constexpr int kMostRows = Most;
  static constexpr int kGroup = Group, kGroups = Group ? ceilDiv(Linear::kColumns, Group) : 1, kFixedScales = 0;
  static constexpr int kVector = dividingVector(8, Linear::kColumns);
  static constexpr int kThreadVectors =
      geometry::quantizeVectors(Linear::kRows, Linear::kColumns, kVector, Linear::kMultiprocessors);
};

template <class Shape> struct CodesEpilogue {
  static constexpr int kInputs = 1, kColumns = Shape::kColumns, kVector = kColumns % 4 ? 1 : 4;
  static constexpr bool kReduces = true, kHasTail = true;
  Operand *result;
  RowCodes<Operand, Shape::kMostRows, kColumns, Shape::kGroup> codes;
  static constexpr int kSharedBytes = decltype(codes)::kSharedBytes;

  __device__ void begin() const { codes.begin(); }
  __device__ void finish(int lane) const { codes.finish(lane); }
  template <int Threads> __device__ void tail(int thread) const { codes.template tail<Threads>(thread); }
  template <int V> struct Extra {};
  template <int V> __device__ Extra<V> load(int, int) const { return {}; }
  template <int V> __device__ void store(int row, int column, const float (&sums)[V], const Extra<V> &) const {
    storeVector(result + static_cast<long long>(row) * kColumns + column, sums);
    codes.offer(row, sums);
  }
};

template <class Kernel, class Source, class Codes>
__global__ void __launch_bounds__(Kernel::kThreads, Kernel::kMinBlocks)
    quantizeKernel(Source source, Codes codes, float *scales) {
  Kernel::run(source, nullptr, codes, scales);
}

__global__ void occupy(const volatile int *released) {
  while (!*released) {
  }
}

/// Another kernel at work, which leaves this one three multiprocessors until it is destroyed.
class Crowd {
public:
  Crowd() {
    constexpr int kLeft = 3, kSharedBytes = 200 << 10; // so that a multiprocessor has one block
    int multiprocessors = 0, *onDevice = nullptr;
    CHECK(cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, 0));
    CHECK(cudaHostAlloc(&released, sizeof(int), cudaHostAllocMapped));
    CHECK(cudaHostGetDevicePointer(&onDevice, released, 0));
    CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    CHECK(cudaFuncSetAttribute(occupy, cudaFuncAttributeMaxDynamicSharedMemorySize, kSharedBytes));
    *released = 0;
    occupy<<<multiprocessors - kLeft, 32, kSharedBytes, stream>>>(onDevice);
    CHECK(cudaGetLastError());
  }
  ~Crowd() {
    *static_cast<volatile int *>(released) = 1;
    CHECK(cudaStreamSynchronize(stream));
    CHECK(cudaStreamDestroy(stream));
    CHECK(cudaFreeHost(released));
  }
  Crowd(const Crowd &) = delete;
  Crowd &operator=(const Crowd &) = delete;

  /// Whether all work of the default stream ends within seconds.
  static bool letsOthersEnd() {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (cudaStreamQuery(cudaStreamLegacy) == cudaErrorNotReady)
      if (std::chrono::steady_clock::now() > end)
        return false;
    return true;
  }

private:
  int *released = nullptr;
  cudaStream_t stream = nullptr;
};

template <class T> bool isSame(const std::vector<T> &a, const std::vector<T> &b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

template <template <class, class, class> class Collective, bool Mapped, class Shape>
void testCase(Runner &runner, const std::string &name) {
  if (!runner.wants(name))
    return;
  using Input = PlainInput<Shape>;
  using Epilogue = CodesEpilogue<Shape>;
  using Kernel = Collective<Shape, Input, Epilogue>;
  using Alone = Quantize<Shape>;
  constexpr size_t kResults = size_t(Shape::kRows) * Shape::kColumns, kScales = size_t(Shape::kRows) * Shape::kGroups;
  DeviceBuffer<Operand> x(size_t(Shape::kRows) * Shape::kDepth), result(kResults);
  DeviceBuffer<Operand> weights(harness::packCoreMatrices(
      harness::randomOperands(size_t(Shape::kColumns) * Shape::kDepth, 7), Shape::kColumns, Shape::kDepth));
  DeviceBuffer<e4m3> codes(kResults), expectedCodes(kResults);
  DeviceBuffer<float> scales(kScales), expectedScales(kScales);
  DeviceBuffer<unsigned> counters(kWorkspaceCounters);
  counters.zero();
  for (int run = 0; run < 4; ++run) {
    x.randomize(run + 1); // no scale of the run before may be left
    if (run == 1) {
      std::vector<Operand> rows = x.download();
      std::memset(&rows[size_t(Shape::kRows / 2) * Shape::kDepth + 3], 0xff, sizeof(Operand)); // NaN in every type
      x.upload(rows);
    }
    result.poison(), codes.poison(), scales.poison(), expectedCodes.poison(), expectedScales.poison();
    Epilogue epilogue{
        result.data(),
        {result.data(), codes.data(), scales.data(), counters.data(), Shape::kMultiprocessors, Shape::kRows}};
    std::optional<Crowd> crowd;
    if (run == 3 && Kernel::kLaunch.cluster == 1) // three multiprocessors may have no room for a cluster
      crowd.emplace();
    if constexpr (Mapped)
      harness::launchMapped<Kernel>(nullptr, x.data(), weights.data(), epilogue);
    else
      harness::launch(harness::linearKernel<Kernel, Input, Epilogue>, Kernel::kLaunch, nullptr, Input{x.data()},
                      static_cast<const Operand *>(weights.data()), epilogue);
    if (crowd)
      runner.expect(name + ", ends beside another kernel", Crowd::letsOthersEnd());
    crowd.reset();
    using Source = bambac::Rows<const Operand, Shape::kColumns>;
    using Codes = bambac::Rows<e4m3, Shape::kColumns>;
    harness::launch(quantizeKernel<Alone, Source, Codes>, Alone::kLaunch, nullptr, Source{result.data()},
                    Codes{expectedCodes.data()}, expectedScales.data());
    runner.expect(name + ", run " + std::to_string(run) + ", codes",
                  isSame(codes.download(), expectedCodes.download()));
    runner.expect(name + ", run " + std::to_string(run) + ", scales",
                  isSame(scales.download(), expectedScales.download()));
  }
  runner.expect(name + ", counters", harness::areCountersZero(counters.download()));
}

} // namespace

int main(int argc, char **argv) {
  Runner runner(argc, argv);
  testCase<LinearSkinny, false, Quantized<Skinny<1, 28672, 512>>>(runner, "skinny 1x28672");
  testCase<LinearSkinny, false, Quantized<Skinny<16, 4099, 320>>>(runner, "skinny 16x4099");
  testCase<LinearSkinny, false, Quantized<Skinny<8, 14336, 256>, 128>>(runner, "skinny 8x14336, groups");
  testCase<LinearSkinny, false, Quantized<Skinny<3, 7, 64>>>(runner, "skinny 3x7");
  testCase<LinearSkinny, false, Quantized<Skinny<5, 4099, 320>, 0, 256>>(runner, "skinny 5x4099, memory for 256 rows");
  testCase<LinearSkinny, false, Quantized<Skinny<8, 8192, 256>, 128, 256>>(runner,
                                                                           "skinny 8x8192, groups, for 256 rows");
  testCase<LinearMiddle, true, Quantized<Middle<40, 14336, 256, 40>>>(runner, "middle 40x14336");
  testCase<LinearMiddle, true, Quantized<Middle<256, 8192, 256, 256>>>(runner, "middle 256x8192");
  testCase<LinearMiddle, true, Quantized<Middle<64, 14336, 256, 64>, 128>>(runner, "middle 64x14336, groups");
  testCase<LinearMiddle, true, Quantized<Middle<17, 1000, 1024, 24, 2>>>(runner, "middle 17x1000, clusters");
  testCase<LinearLarge, true, Quantized<Large<300, 259, 128>>>(runner, "large 300x259");
  testCase<Linear, false, Quantized<Mma<5, 4099, 96, 16, 32>>>(runner, "sm_80 skinny 5x4099");
  testCase<Linear, false, Quantized<Mma<32, 14336, 256, 32, 32>, 128>>(runner, "sm_80 skinny 32x14336, groups");
  testCase<Linear, false, Quantized<Mma<200, 8192, 200, 128, 128>>>(runner, "sm_80 tall 200x8192");
  return runner.exitCode();
}
