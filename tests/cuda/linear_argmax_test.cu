// Every linear with the largest result of each row found in its epilogue: the column of the results' first maximum,
// also where columns tie, or -1 where one is not a number, run after run on the same workspace.
#include "common/row_maxima.cuh"
#include "mma/linear.cuh"
#include "tests/cuda/linear_kernels.cuh"
#include "tests/cuda/linear_shapes.cuh"
#include "wgmma/linear_large.cuh"
#include "wgmma/linear_middle.cuh"
#include "wgmma/linear_skinny.cuh"
#include "wgmma/wgmma_bf16.cuh"
#include "wgmma/wgmma_f16.cuh"

#include <cstring>

using namespace bambac;
using harness::DeviceBuffer;
using harness::Operand;
using harness::Runner;

using namespace linear_shapes;

namespace {

template <class Shape> struct GreedyEpilogue {
  static constexpr int kInputs = 1, kColumns = Shape::kColumns, kVector = kColumns % 4 ? 1 : 4;
  using Maxima = RowMaxima<Shape::kRows>;
  static constexpr bool kReduces = true;
  static constexpr int kSharedBytes = Maxima::kSharedBytes;
  float *result;
  int *largest;
  unsigned *counters;

  __device__ void begin() const { Maxima::begin(); }
  __device__ void finish(int lane) const { Maxima::finish(lane, counters, largest); }
  template <int V> struct Extra {};
  template <int V> __device__ Extra<V> load(int, int) const { return {}; }
  template <int V> __device__ void store(int row, int column, const float (&sums)[V], const Extra<V> &) const {
    storeVector(result + static_cast<long long>(row) * kColumns + column, sums);
    Maxima::offer(row, column, sums);
  }
};

/// The right half of the columns repeats the left one, so that every maximum is there twice.
template <class Shape> std::vector<Operand> repeatedWeights() {
  std::vector<Operand> weights = harness::randomOperands(size_t(Shape::kColumns) * Shape::kDepth, 7);
  constexpr size_t kHalf = size_t(Shape::kColumns / 2) * Shape::kDepth;
  std::copy_n(weights.begin(), kHalf, weights.end() - kHalf);
  return harness::packCoreMatrices(weights, Shape::kColumns, Shape::kDepth);
}

template <template <class, class, class> class Collective, bool Mapped, class Shape>
void testCase(Runner &runner, const std::string &name) {
  if (!runner.wants(name))
    return;
  using Input = PlainInput<Shape>;
  using Epilogue = GreedyEpilogue<Shape>;
  using Kernel = Collective<Shape, Input, Epilogue>;
  DeviceBuffer<Operand> x(size_t(Shape::kRows) * Shape::kDepth), weights(repeatedWeights<Shape>());
  DeviceBuffer<float> result(size_t(Shape::kRows) * Shape::kColumns);
  DeviceBuffer<int> largest(Shape::kRows);
  DeviceBuffer<unsigned> counters(kWorkspaceCounters);
  counters.zero();
  for (int run = 0; run < 3; ++run) {
    x.randomize(run + 1); // no key of the run before may be left
    if (run == 1) {       // the sums of two rows are not numbers
      std::vector<Operand> rows = x.download();
      std::memset(&rows[size_t(Shape::kRows / 2) * Shape::kDepth + 3], 0xff, sizeof(Operand)); // NaN in every type
      std::memset(&rows[size_t(Shape::kRows) * Shape::kDepth - 1], 0xff, sizeof(Operand));
      x.upload(rows);
    }
    result.poison();
    largest.poison();
    Epilogue epilogue{result.data(), largest.data(), counters.data()};
    if constexpr (Mapped)
      harness::launchMapped<Kernel>(nullptr, x.data(), weights.data(), epilogue);
    else
      harness::launch(harness::linearKernel<Kernel, Input, Epilogue>, Kernel::kLaunch, nullptr, Input{x.data()},
                      static_cast<const Operand *>(weights.data()), epilogue);
    std::vector<float> values = result.download();
    std::vector<int> expected;
    for (int row = 0; row < Shape::kRows; ++row) {
      auto first = values.begin() + size_t(row) * Shape::kColumns;
      bool numbers = std::none_of(first, first + Shape::kColumns, [](float value) { return value != value; });
      expected.push_back(numbers ? int(std::max_element(first, first + Shape::kColumns) - first) : -1);
    }
    runner.expect(name + ", run " + std::to_string(run), largest.download() == expected);
  }
  runner.expect(name + ", counters", harness::areCountersZero(counters.download()));
}

} // namespace

int main(int argc, char **argv) {
  Runner runner(argc, argv);
  testCase<LinearSkinny, false, Skinny<1, 128256, 512>>(runner, "skinny 1x128256");
  testCase<LinearSkinny, false, Skinny<16, 4099, 320>>(runner, "skinny 16x4099");
  testCase<LinearSkinny, false, Skinny<3, 7, 64>>(runner, "skinny 3x7");
  testCase<LinearMiddle, true, Middle<40, 32001, 256, 40>>(runner, "middle 40x32001");
  testCase<LinearMiddle, true, Middle<256, 8192, 256, 256>>(runner, "middle 256x8192");
  testCase<LinearMiddle, true, Middle<17, 1000, 1024, 24, 2>>(runner, "middle 17x1000, clusters");
  testCase<LinearMiddle, true, Middle<40, 1000, 1024, 24, 2>>(runner, "middle 40x1000, clusters of some rows");
  testCase<LinearLarge, true, Large<512, 20000, 256>>(runner, "large 512x20000");
  testCase<LinearLarge, true, Large<300, 259, 128>>(runner, "large 300x259");
  testCase<Linear, false, Mma<5, 4099, 96, 16, 32>>(runner, "sm_80 skinny 5x4099");
  testCase<Linear, false, Mma<32, 16000, 256, 32, 32>>(runner, "sm_80 skinny 32x16000");
  testCase<Linear, false, Mma<300, 8195, 200, 128, 128>>(runner, "sm_80 tall 300x8195");
  return runner.exitCode();
}
