// Every linear whose input becomes codes in its kernel, for all of its blocks: the bits that a kernel of its own makes
// of the same rows, and of the linear after it, run after run on the same workspace: with a NaN in one run, with some
// of the rows in another; and "crowded", beside another kernel that leaves little room, which tools that run one kernel
// at a time never let end ("alone" names the other cases).
#include "common/shared_codes.cuh"
#include "linear_codes_cases.cuh"

#include <chrono>
#include <cstring>
#include <optional>

using namespace codes_test;
using harness::Runner;

namespace {

template <int Rows, int Columns, int Group, int Vector> struct Quantized {
  static constexpr int kRows = Rows, kColumns = Columns, kVector = Vector, kGroup = Group, kFixedScales = 0;
  static constexpr int kThreadVectors = geometry::quantizeVectors(kRows, kColumns, kVector, kSms);
};

__global__ void occupy(const volatile int *released, volatile int *arrived) {
  if (threadIdx.x == 0)
    arrived[blockIdx.x] = 1;
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
    const int blocks = multiprocessors - kLeft;
    CHECK(cudaHostAlloc(&released, (1 + blocks) * sizeof(int), cudaHostAllocMapped));
    CHECK(cudaHostGetDevicePointer(&onDevice, released, 0));
    CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    CHECK(cudaFuncSetAttribute(occupy, cudaFuncAttributeMaxDynamicSharedMemorySize, kSharedBytes));
    std::fill_n(released, 1 + blocks, 0);
    occupy<<<blocks, 32, kSharedBytes, stream>>>(onDevice, onDevice + 1);
    CHECK(cudaGetLastError());
    for (int block = 1; block <= blocks; ++block)
      while (!static_cast<volatile int *>(released)[block]) {
      }
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
  int *released = nullptr; ///< and after it a number for each block that has arrived
  cudaStream_t stream = nullptr;
};

template <class T> bool isSame(const std::vector<T> &a, const std::vector<T> &b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

/// Of the collectives that read both operands through tensor maps, with the input as an argument.
template <class Kernel, class Input, class Epilogue>
__global__ void __launch_bounds__(Kernel::kThreads, Kernel::kMinBlocks)
    sharingMappedKernel(const __grid_constant__ TensorMapParam inputMap,
                        const __grid_constant__ TensorMapParam weightMap,
                        const __grid_constant__ TensorMapParam narrowMap, int steps, Input input, Epilogue epilogue,
                        void *workspace, const int *rows) {
  if constexpr (requires { Kernel::kNarrowMap; })
    Kernel::run(inputMap, weightMap, narrowMap, steps, epilogue, workspace, rows, input);
  else
    Kernel::run(inputMap, weightMap, steps, epilogue, rows, input);
}
template <class Kernel, class Input, class Epilogue>
__global__ void __launch_bounds__(Kernel::kThreads, Kernel::kMinBlocks)
    sharingKernel(Input input, const e4m3 *weights, Epilogue epilogue, const int *rows) {
  if constexpr (requires { Kernel::run(input, weights, epilogue, rows); })
    Kernel::run(input, weights, epilogue, rows);
  else
    Kernel::run(input, weights, epilogue);
}

template <class S, class T, int Rows, int Columns, int Depth, int Group> class Case {
  using Shape = typename S::template Shape<Rows, Columns, Depth>;
  using Epilogue = StoreEpilogue<Columns, Depth, Group, false>;
  using Source = bambac::Rows<const T, Depth>;
  static constexpr int kVector = dividingVector(geometry::widestQuantizeVector(sizeof(T)), Depth);
  using Quantizes = Quantized<Rows, Depth, Group, kVector>;
  using Input = SharedCodes<Quantizes, Source>;
  using Kernel = typename S::template Kernel<Shape, Input, Epilogue>;
  using Alone = Quantize<Quantizes>;
  using PlainInput = CodesInput<Depth>;
  using Plain = typename S::template Kernel<Shape, PlainInput, Epilogue>;
  static constexpr int kSome = Rows / 4 + 1; ///< rows that are there in one run
  static constexpr size_t kCodes = size_t(Rows) * Depth, kScales = size_t(Rows) * groupCount(Depth, Group);

  struct Results {
    DeviceBuffer<e4m3> codes{kCodes};
    DeviceBuffer<float> scales{kScales}, result{size_t(Rows) * Columns};
    void poison() { codes.poison(), scales.poison(), result.poison(); }
  };

public:
  static void test(Runner &runner) {
    test(runner, "alone, ", 0, 4);
    if (Kernel::kLaunch.cluster == 1) // what the crowd leaves may have no room for a cluster
      test(runner, "crowded, ", 4, 5);
  }

private:
  /// Runs number `first` to `end`.
  static void test(Runner &runner, const std::string &kind, int first, int end) {
    const std::string name = kind + S::name() + " " + std::to_string(Rows) + "x" + std::to_string(Columns) + "x" +
                             std::to_string(Depth) + (Group ? " groups of " + std::to_string(Group) : "") +
                             (sizeof(T) == 2 ? " of 16 bits" : "");
    if (!runner.wants(name))
      return;
    Operands<S, Rows, Columns, Depth, Group, Depth> operands(1, 8.0f, 0.0f);
    Results shared, expected;
    DeviceBuffer<T> x(kCodes);
    DeviceBuffer<int> some(std::vector<int>{kSome});
    for (int run = first; run < end; ++run) {
      fill(x, run);
      const int *rows = S::kMaps && run == 3 ? some.data() : harness::kAllRows;
      if (run == 4) // loads the kernel, which may have to wait for others to end
        launchShared(operands, x.data(), shared, rows);
      shared.poison(), expected.poison();
      CHECK(cudaDeviceSynchronize());
      std::optional<Crowd> crowd;
      if (run == 4)
        crowd.emplace();
      launchShared(operands, x.data(), shared, rows);
      if (crowd)
        runner.expect(name + ", ends beside another kernel", Crowd::letsOthersEnd());
      crowd.reset();
      launchApart(operands, x.data(), expected, rows);
      const std::string place = name + ", run " + std::to_string(run);
      runner.expect(place + ", codes", isSame(shared.codes.download(), expected.codes.download()));
      runner.expect(place + ", scales", isSame(shared.scales.download(), expected.scales.download()));
      runner.expect(place + ", result", isSame(shared.result.download(), expected.result.download()));
    }
    runner.expect(name + ", counters", harness::mappedWorkspace().isClean());
  }

  static void fill(DeviceBuffer<T> &x, int run) {
    x.randomize(run + 1); // no scale of the run before may be left
    if (run != 1)
      return;
    std::vector<T> numbers = x.download();
    std::memset(&numbers[size_t(Rows / 2) * Depth + 3], 0xff, sizeof(T)); // NaN in every type
    x.upload(numbers);
  }

  template <class Memory>
  static void launchShared(const Memory &operands, const T *x, Results &results, const int *rows) {
    Epilogue epilogue{results.scales.data(), operands.weightScales.data(), results.result.data()};
    void *workspace = harness::mappedWorkspace().get(Kernel::kLaunch.workspace);
    Input input{results.codes.data(), Source{x}, results.scales.data(), workspace};
    e4m3 *weights = operands.weights[0].data();
    if constexpr (S::kMaps) {
      TensorMapParam weightMap = harness::encodeTensorMap(Kernel::kWeightMap, weights), narrowMap = weightMap;
      if constexpr (requires { Kernel::kNarrowMap; })
        narrowMap = harness::encodeTensorMap(Kernel::kNarrowMap, weights);
      harness::launch(sharingMappedKernel<Kernel, Input, Epilogue>, Kernel::kLaunch, nullptr,
                      harness::encodeTensorMap(Kernel::kInputMap, results.codes.data()), weightMap, narrowMap,
                      Kernel::kSteps, input, epilogue, workspace, rows);
    } else {
      harness::launch(sharingKernel<Kernel, Input, Epilogue>, Kernel::kLaunch, nullptr, input,
                      static_cast<const e4m3 *>(weights), epilogue, rows);
    }
  }

  template <class Memory>
  static void launchApart(const Memory &operands, const T *x, Results &results, const int *rows) {
    using Codes = bambac::Rows<e4m3, Depth>;
    harness::launch(quantizeKernel<Alone, Source, Codes>, Alone::kLaunch, nullptr, Source{x},
                    static_cast<const float *>(nullptr), Codes{results.codes.data()}, results.scales.data(), rows);
    Epilogue epilogue{results.scales.data(), operands.weightScales.data(), results.result.data()};
    if constexpr (S::kMaps)
      harness::launchMapped<Plain>(nullptr, results.codes.data(), operands.weights[0].data(), epilogue, rows);
    else
      harness::launch(harness::linearKernel<Plain, PlainInput, Epilogue, e4m3>, Plain::kLaunch, nullptr,
                      PlainInput{results.codes.data()}, static_cast<const e4m3 *>(operands.weights[0].data()),
                      epilogue);
  }
};

} // namespace

int main(int argc, char **argv) {
  Runner runner(argc, argv);
  Case<Skinny, float, 2, 4096, 14336, 0>::test(runner);
  Case<Skinny, float, 8, 4096, 4096, 0>::test(runner);
  Case<Skinny, float, 5, 264, 1008, 0>::test(runner);
  Case<Skinny, bambac::bf16, 16, 4099, 2048, 0>::test(runner);
  Case<Middle<128, 4>, float, 24, 4096, 14336, 0>::test(runner);
  Case<Middle<128, 1>, float, 64, 28672, 1024, 0>::test(runner);
  Case<Middle<128, 4>, float, 64, 4096, 4096, 128>::test(runner);
  Case<Middle<64, 2, false, 2>, float, 256, 1000, 1536, 0>::test(runner);
  Case<Middle<128, 1>, bambac::f16, 320, 392, 528, 0>::test(runner);
  Case<Large<128, 128, 4>, float, 300, 2048, 1024, 0>::test(runner);
  Case<Large<128, 192, 4>, float, 320, 1000, 640, 128>::test(runner);
  Case<Mma<16, 32, 4>, float, 8, 4096, 14336, 0>::test(runner);
  Case<Mma<32, 32, 4>, bambac::bf16, 20, 999, 1000, 0>::test(runner);
  Case<Mma<128, 128, 3>, float, 256, 8192, 512, 0>::test(runner);
  Case<Mma<64, 128, 3>, float, 100, 1000, 1024, 128>::test(runner);
  // A row that does not stay in registers; sums without promotion, where tiles are taken and split.
  Case<Middle<64, 2>, float, 24, 1000, 16384, 0>::test(runner);
  Case<Large<128, 256, 4, true>, float, 400, 4096, 4096, 0>::test(runner);
  // As many rows as there is a bit for, and more blocks than run at a time.
  Case<Large<128, 128, 4>, float, 1024, 1000, 512, 0>::test(runner);
  Case<Mma<128, 128, 3>, float, 1000, 8192, 256, 0>::test(runner);
  return runner.exitCode();
}
