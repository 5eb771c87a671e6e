// Kernels that are told how many of their rows are there: those have the bits that they have when all are, and the
// tiles of others are left as they were.
#include "common/argmax.cuh"
#include "common/elementwise.cuh"
#include "common/embedding.cuh"
#include "common/quantize.cuh"
#include "common/rms_norm.cuh"
#include "common/take_rows.cuh"
#include "linear_codes_cases.cuh"
#include "tests/cuda/elementwise_common.cuh"

using namespace bambac;
using namespace harness;

namespace {

/// Runs a kernel with all rows and with some. `run(rows)` computes into `result`, whose rows have `columns` elements;
/// `tileRows`: rows that are computed together.
template <class T, class Run>
void check(Runner &runner, const std::string &name, int rows, size_t columns, int tileRows, DeviceBuffer<T> &result,
           Run run) {
  if (!runner.wants(name))
    return;
  auto compute = [&](const int *count) {
    result.poison();
    run(count);
    CHECK(cudaGetLastError());
    return result.download();
  };
  std::vector<T> all = compute(nullptr);
  result.poison();
  std::vector<T> poison = result.download();
  for (int count : {1, 2, tileRows, tileRows + 1, rows / 2 + 1, rows - 1, rows, rows + 5, 130, 200, 257, 270, 273, 641,
                    900, 1100}) {
    if (count > rows + 5)
      continue;
    DeviceBuffer<int> device(std::vector<int>{count});
    std::vector<T> some = compute(device.data());
    size_t there = size_t(minOf(count, rows)) * columns;
    size_t touched = size_t(minOf(alignTo(count, tileRows), rows)) * columns;
    bool isRight = std::memcmp(some.data(), all.data(), there * sizeof(T)) == 0 &&
                   std::memcmp(some.data() + touched, poison.data() + touched,
                               (size_t(rows) * columns - touched) * sizeof(T)) == 0;
    runner.expect(name + ": " + std::to_string(count) + " of " + std::to_string(rows) + " rows", isRight);
  }
}

// --- linears -------------------------------------------------------------------------------------------------------

template <class Kernel, class Input, class Epilogue, class Weight>
__global__ void __launch_bounds__(Kernel::kThreads, Kernel::kMinBlocks)
    countedKernel(Input input, const Weight *weights, Epilogue epilogue, const int *rows) {
  Kernel::run(input, weights, epilogue, rows);
}

template <class S, int Rows, int Columns, int Depth, int Group = 0> void testLinear(Runner &runner) {
  using namespace codes_test;
  using Shape = typename S::template Shape<Rows, Columns, Depth>;
  using Input = CodesInput<Depth>;
  using Epilogue = StoreEpilogue<Columns, Depth, Group, false>;
  using Kernel = typename S::template Kernel<Shape, Input, Epilogue>;
  std::string name = "row count " + S::name() + (Group ? " groups" : "");
  if (!runner.wants(name))
    return;
  codes_test::Operands<S, Rows, Columns, Depth, Group, Depth> memory(1, 8.0f, 0.0f);
  Epilogue epilogue{memory.inputScales.data(), memory.weightScales.data(), memory.result.data()};
  // A row of a tile is stored only where it is there.
  check(runner, name, Rows, Columns, 1, memory.result, [&](const int *rows) {
    if constexpr (S::kMaps)
      launchMapped<Kernel>(nullptr, memory.x.data(), memory.weights[0].data(), epilogue, rows);
    else
      launch(countedKernel<Kernel, Input, Epilogue, e4m3>, Kernel::kLaunch, nullptr, Input{memory.x.data()},
             (const e4m3 *)memory.weights[0].data(), epilogue, rows);
  });
}

// --- one row at a time -----------------------------------------------------------------------------------------------

template <int RowCount, int Columns> struct RowShape {
  static constexpr int kRows = RowCount, kColumns = Columns, kVector = dividingVector(4, Columns);
  static constexpr int kGroup = 0, kFixedScales = 0;
  static constexpr int kVocabulary = 50, kInputRows = 50, kSplits = 3, kMultiprocessors = 132;
  static constexpr int kThreadVectors = geometry::quantizeVectors(kRows, kColumns, kVector, kMultiprocessors);
  static constexpr float kEpsilon = 1e-5f;
};

template <int Columns> struct Doubled {
  const float *from;
  float *result;
  template <int V> __device__ void apply(int row, int column) const {
    float values[V];
    loadVector(from + size_t(row) * Columns + column, values);
    for (float &value : values)
      value *= 2.0f;
    storeVector(result + size_t(row) * Columns + column, values);
  }
};

template <int RowCount, int Columns> void testRows(Runner &runner) {
  using Shape = RowShape<RowCount, Columns>;
  std::string size = std::to_string(RowCount) + "x" + std::to_string(Columns);
  DeviceBuffer<float> x(randomFloats(size_t(RowCount) * Columns, 1)), weight(randomFloats(Columns, 2));
  DeviceBuffer<float> result(x.size()), scales(RowCount);
  DeviceBuffer<e4m3> codes(x.size());
  const Rows<const float, Columns> input{x.data()};
  const Rows<float, Columns> output{result.data()};
  using elementwise_test::enqueue;
  check(runner, "row count norm " + size, RowCount, Columns, 1, result,
        [&](const int *rows) { enqueue<RmsNorm<Shape>>(nullptr, input, (const float *)weight.data(), output, rows); });
  check(runner, "row count quantize " + size, RowCount, Columns, 1, codes, [&](const int *rows) {
    enqueue<Quantize<Shape>>(nullptr, input, (const float *)nullptr, bambac::Rows<e4m3, Columns>{codes.data()},
                             scales.data(), rows);
  });
  using Twice = Doubled<Columns>;
  check(runner, "row count element-wise " + size, RowCount, Columns, 1, result,
        [&](const int *rows) { enqueue<Elementwise<Shape, Twice>>(nullptr, Twice{x.data(), result.data()}, rows); });
  std::vector<int> list(RowCount);
  for (int i = 0; i < RowCount; ++i)
    list[i] = i * 7 % Shape::kVocabulary;
  DeviceBuffer<int> tokens(list);
  DeviceBuffer<float> table(randomFloats(size_t(Shape::kVocabulary) * Columns, 3));
  check(runner, "row count embedding " + size, RowCount, Columns, 1, result, [&](const int *rows) {
    enqueue<Embedding<Shape>>(nullptr, (const int *)tokens.data(), Rows<const float, Columns>{table.data()}, output,
                              rows);
  });
  check(runner, "row count rows by number " + size, RowCount, Columns, 1, result, [&](const int *rows) {
    enqueue<TakeRows<Shape>>(nullptr, Rows<const float, Columns>{table.data()}, (const int *)tokens.data(), output,
                             rows);
  });
  DeviceBuffer<int> columns(RowCount);
  DeviceBuffer<uint8_t> workspace(kWorkspaceCounters * 4 + size_t(RowCount) * Shape::kSplits * 8);
  CHECK(cudaMemset(workspace.data(), 0, workspace.size()));
  check(runner, "row count argmax " + size, RowCount, 1, 1, columns, [&](const int *rows) {
    enqueue<Argmax<Shape>>(nullptr, input, columns.data(), (void *)workspace.data(), rows);
  });
}

} // namespace

int main(int argc, char **argv) {
  Runner runner(argc, argv);
  testLinear<codes_test::Large<128, 192, 4>, 700, 712, 640>(runner);
  // Tiles of all widths: of 128 columns, of 160 (550 rows), 192 (641) and 256 (900).
  testLinear<codes_test::Large<128, 192, 4, false, 128>, 1100, 4096, 256>(runner);
  testLinear<codes_test::Large<128, 256, 4, false, 128>, 1100, 4096, 256>(runner); // halves of them at a time
  testLinear<codes_test::Large<128, 256, 4, true, 128>, 1100, 4096, 256>(runner);
  testLinear<codes_test::Large<128, 224, 4, true, 96>, 1100, 4096, 256>(runner);
  // Some numbers of rows split the last tiles.
  testLinear<codes_test::Large<128, 256, 4, true>, 1300, 4096, 4096>(runner);
  testLinear<codes_test::Large<256, 128, 4>, 4100, 456, 256>(runner);
  testLinear<codes_test::Large<128, 128, 6>, 300, 200, 640, 128>(runner);
  testLinear<codes_test::Middle<128, 1>, 200, 200, 640>(runner);
  testLinear<codes_test::Middle<64, 2>, 37, 200, 640>(runner);
  testLinear<codes_test::Middle<64, 2>, 250, 200, 640>(runner);
  testLinear<codes_test::Middle<128, 1>, 320, 200, 640>(runner);
  testLinear<codes_test::Middle<64, 2>, 320, 200, 640>(runner);
  testLinear<codes_test::Middle<64, 2>, 300, 200, 640, 128>(runner);
  testLinear<codes_test::Middle<64, 2>, 304, 200, 640>(runner);
  testLinear<codes_test::Middle<64, 2, true>, 304, 200, 640>(runner);
  // Tiles of some rows, of which one may have none.
  testLinear<codes_test::Middle<128, 2, false, 2>, 256, 200, 640>(runner);
  testLinear<codes_test::Middle<64, 2, false, 2>, 300, 200, 640>(runner);
  testLinear<codes_test::Middle<64, 2, true, 3>, 304, 200, 640>(runner);
  testLinear<codes_test::Middle<128, 2, false, 2>, 250, 200, 640, 128>(runner);
  testLinear<codes_test::Middle<128, 3, true>, 304, 200, 1280>(runner);
  testLinear<codes_test::Middle<128, 1, true>, 304, 200, 640>(runner);
  testLinear<codes_test::Middle<128, 1, true>, 320, 200, 640>(runner);
  testLinear<codes_test::Middle<64, 1, true>, 310, 200, 640>(runner);
  testLinear<codes_test::Middle<64, 2, true>, 260, 200, 640>(runner);
  testLinear<codes_test::Mma<128, 128, 3>, 700, 456, 640>(runner);
  testLinear<codes_test::Mma<64, 32, 8>, 300, 200, 640, 128>(runner);
  runner.expect("counters of tiles are left zero", mappedWorkspace().isClean());
  testRows<37, 64>(runner);
  testRows<300, 4096>(runner);
  testRows<5, 20000>(runner);
  return runner.exitCode();
}
