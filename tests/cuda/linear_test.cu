// The linear of sm_80: odd shapes, prologues, epilogues, isolation of rows, determinism; with --bench Bamba-9B's
// shapes.
#include "mma/linear.cuh"
#include "tests/cuda/linear_kernels.cuh"

using namespace bambac;

namespace linear_test {

using harness::Operand;

// --- generated parts, written by hand ----------------------------------------------------------------------------

/// A schedule: tile rows, tile columns, stages.
template <int TileRows, int TileColumns, int Stages> struct Schedule {
  static constexpr int kTileRows = TileRows, kTileColumns = TileColumns, kStages = Stages;
};

template <int Rows, int Columns, int Depth, class Scheduled> struct ShapeOf : Scheduled, CoreMatrices {
  using Operand = harness::Operand;
  static constexpr int kRows = Rows, kColumns = Columns, kDepth = Depth, kMultiprocessors = 132;
  static constexpr int kSharedLimit = 166912; // of sm_80
};

template <class T, int Stride> struct PlainInput {
  using Element = T;
  static constexpr bool kNormalizes = false;
  static constexpr int kStride = Stride;
  const T *data;
};

template <int Stride> struct NormInput {
  using Element = float;
  static constexpr bool kNormalizes = true;
  static constexpr float kEpsilon = 1e-5f;
  static constexpr int kStride = Stride;
  const float *data, *weight;
};

constexpr int widest(int columns, int limit) {
  int vector = 1;
  while (vector < limit && columns % (vector * 2) == 0)
    vector *= 2;
  return vector;
}

/// The sums as operands.
template <int Columns> struct StoreEpilogue {
  using Result = Operand;
  static constexpr int kInputs = 1, kColumns = Columns, kVector = widest(Columns, 8);
  Operand *out;
  template <int V> struct Extra {};
  template <int V> __device__ Extra<V> load(int, int) const { return {}; }
  template <int V> __device__ void store(int row, int column, const float (&sums)[V], const Extra<V> &) const {
    storeVector(out + static_cast<long long>(row) * Columns + column, sums);
  }
};

/// f32 results added to a residual.
template <int Columns> struct AddEpilogue {
  using Result = float;
  static constexpr int kInputs = 1, kColumns = Columns, kVector = widest(Columns, 8);
  const float *residual;
  float *out;
  template <int V> struct Extra {
    float residual[V];
  };
  template <int V> __device__ Extra<V> load(int row, int column) const {
    Extra<V> extra;
    loadVector(residual + static_cast<long long>(row) * Columns + column, extra.residual);
    return extra;
  }
  template <int V> __device__ void store(int row, int column, const float (&sums)[V], const Extra<V> &extra) const {
    float values[V];
    for (int i = 0; i < V; ++i)
      values[i] = sums[i] + extra.residual[i];
    storeVector(out + static_cast<long long>(row) * Columns + column, values);
  }
};

/// silu(gate) * up of interleaved columns.
template <int Columns> struct SwigluEpilogue {
  using Result = Operand;
  static constexpr int kInputs = 2, kColumns = Columns, kVector = widest(Columns, 8);
  Operand *out;
  template <int V> struct Extra {};
  template <int V> __device__ Extra<V> load(int, int) const { return {}; }
  template <int V> __device__ void store(int row, int column, const float (&sums)[V * 2], const Extra<V> &) const {
    float values[V];
    for (int i = 0; i < V; ++i)
      values[i] = silu(sums[2 * i]) * sums[2 * i + 1];
    storeVector(out + static_cast<long long>(row) * Columns + column, values);
  }
};

template <class Shape, class Input, class Epilogue>
void launchLinear(Input input, const Operand *weights, Epilogue epilogue, cudaStream_t stream = nullptr) {
  using Kernel = Linear<Shape, Input, Epilogue>;
  harness::launch(harness::linearKernel<Kernel, Input, Epilogue>, Kernel::kLaunch, stream, input, weights, epilogue);
}

// --- cases -------------------------------------------------------------------------------------------------------

enum class Result { Plain, Residual, Swiglu };
enum class Norm { None, Rms };

template <Result Kind, int Columns> auto makeEpilogue(const float *residual, void *out) {
  if constexpr (Kind == Result::Plain)
    return StoreEpilogue<Columns>{static_cast<Operand *>(out)};
  else if constexpr (Kind == Result::Residual)
    return AddEpilogue<Columns>{residual, static_cast<float *>(out)};
  else
    return SwigluEpilogue<Columns / 2>{static_cast<Operand *>(out)};
}

template <Norm Normalized, class T, int Stride> auto makeInput(const T *data, const float *weight) {
  if constexpr (Normalized == Norm::Rms)
    return NormInput<Stride>{data, weight};
  else
    return PlainInput<T, Stride>{data};
}

/// A row after RMS normalization, in double and as RmsNorm rounds it.
struct NormalizedRow {
  std::vector<double> exact, rounded;
  NormalizedRow(const std::vector<double> &x, const std::vector<float> &norm) {
    double squares = 0;
    for (double v : x)
      squares += v * v;
    const double scale = 1 / std::sqrt(squares / x.size() + 1e-5);
    for (size_t k = 0; k < x.size(); ++k) {
      exact.push_back(x[k] * scale * norm[k]);
      rounded.push_back(harness::toDouble(harness::roundTo<Operand>(float(x[k]) * float(scale) * norm[k])));
    }
  }
};

/// Linear sums of one row in double, from the values that the device sees.
std::vector<double> referenceSums(const std::vector<double> &x, const std::vector<float> &weights, int columns) {
  std::vector<double> sums(columns);
  for (int n = 0; n < columns; ++n) {
    double sum = 0;
    for (size_t k = 0; k < x.size(); ++k)
      sum += x[k] * weights[n * x.size() + k];
    sums[n] = sum;
  }
  return sums;
}

/// The results of one row after the epilogue, appended.
template <Result Kind>
void appendResults(std::vector<double> &to, const std::vector<double> &sums, const float *residual) {
  if (Kind == Result::Swiglu)
    for (size_t i = 0; i < sums.size() / 2; ++i)
      to.push_back(sums[2 * i] / (1 + std::exp(-sums[2 * i])) * sums[2 * i + 1]);
  else
    for (size_t i = 0; i < sums.size(); ++i)
      to.push_back(sums[i] + (Kind == Result::Residual ? residual[i] : 0));
}

/// All rows, or about 24 of many, among them the first and the last.
std::vector<int> sampledRows(int rows) {
  std::vector<int> sampled;
  for (int row = 0; row < rows - 1; row += 1 + rows / 24)
    sampled.push_back(row);
  sampled.push_back(rows - 1);
  return sampled;
}

/// One configuration. Stride may exceed Depth: the columns between hold NaN, which must not be read into sums.
template <class Scheduled, Result Kind, Norm Normalized, class T, int Rows, int Columns, int Depth, int Stride = Depth>
void test(harness::Runner &runner, const char *what) {
  char name[128];
  std::snprintf(name, sizeof name, "%s %dx%dx%d tile %dx%d", what, Rows, Columns, Depth, Scheduled::kTileRows,
                Scheduled::kTileColumns);
  if (!runner.wants(name))
    return;
  constexpr int kResults = Kind == Result::Swiglu ? Columns / 2 : Columns;
  const std::vector<float> random = harness::randomFloats(size_t(Rows) * Depth, 1, 1.0f, 0.25f);
  std::vector<float> x(size_t(Rows) * Stride, NAN);
  for (int row = 0; row < Rows; ++row)
    std::copy_n(&random[size_t(row) * Depth], Depth, &x[size_t(row) * Stride]);
  std::vector<T> typed = harness::fromFloats<T>(x);
  if constexpr (sizeof(T) == 2)
    x = harness::toFloats(typed);
  const std::vector<Operand> weights =
      harness::randomOperands(size_t(Columns) * Depth, 2, 2.0f / std::sqrt(float(Depth)));
  const std::vector<float> weightFloats = harness::toFloats(weights);
  const std::vector<float> norm = harness::randomFloats(Depth, 3, 0.5f, 1.0f);
  const std::vector<float> residual = harness::randomFloats(size_t(Rows) * Columns, 4);

  harness::DeviceBuffer<T> deviceX(typed);
  harness::DeviceBuffer<Operand> deviceWeights(harness::packCoreMatrices(weights, Columns, Depth));
  harness::DeviceBuffer<float> deviceNorm(norm), deviceResidual(residual);
  using Out = typename decltype(makeEpilogue<Kind, Columns>(nullptr, nullptr))::Result;
  harness::DeviceBuffer<Out> out(size_t(Rows) * kResults);
  auto runOnce = [&] {
    out.poison();
    launchLinear<ShapeOf<Rows, Columns, Depth, Scheduled>>(
        makeInput<Normalized, T, Stride>(deviceX.data(), deviceNorm.data()), deviceWeights.data(),
        makeEpilogue<Kind, Columns>(deviceResidual.data(), out.data()));
    return out.download();
  };
  const std::vector<Out> result = runOnce();

  std::vector<Out> sampled;
  std::vector<double> reference, roundedReference;
  for (int row : sampledRows(Rows)) {
    std::vector<double> values(&x[size_t(row) * Stride], &x[size_t(row) * Stride] + Depth);
    if (Normalized == Norm::Rms) {
      const NormalizedRow normalized(values, norm);
      values = normalized.exact;
      appendResults<Kind>(roundedReference, referenceSums(normalized.rounded, weightFloats, Columns),
                          &residual[size_t(row) * Columns]);
    }
    appendResults<Kind>(reference, referenceSums(values, weightFloats, Columns), &residual[size_t(row) * Columns]);
    sampled.insert(sampled.end(), &result[size_t(row) * kResults], &result[size_t(row) * kResults] + kResults);
  }
  runner.report(name, harness::relativeError(sampled, reference));
  if (Normalized == Norm::Rms) {
    if (sizeof(Out) == 2) // on the edge a result may still round the other way
      for (double &value : roundedReference)
        value = harness::toDouble(harness::roundTo<Operand>(float(value)));
    runner.report(std::string(name) + ", rounded operands", harness::relativeError(sampled, roundedReference),
                  sizeof(Out) == 2 ? harness::tolerance(5e-4) : 1e-4);
  }
  runner.expect(std::string(name) + ": same bits again", harness::sameBits(result, runOnce()));

  if (Rows == 1)
    return;
  const int spoilt = Rows / 2; // a row of NaN leaves the others as they are
  std::fill_n(&typed[size_t(spoilt) * Stride], Depth, harness::roundTo<T>(NAN));
  deviceX.upload(typed);
  std::vector<Out> others = runOnce(), before = result;
  for (std::vector<Out> *rows : {&others, &before})
    rows->erase(rows->begin() + size_t(spoilt) * kResults, rows->begin() + size_t(spoilt + 1) * kResults);
  runner.expect(std::string(name) + ": NaN stays in its row", harness::sameBits(others, before));
}

// --- timing ------------------------------------------------------------------------------------------------------

template <class Scheduled, Result Kind, int Rows, int Columns, int Depth>
void bench(harness::Runner &runner, const char *what) {
  char name[128];
  std::snprintf(name, sizeof name, "%s %dx%dx%d tile %dx%d stages %d", what, Rows, Columns, Depth, Scheduled::kTileRows,
                Scheduled::kTileColumns, Scheduled::kStages);
  if (!runner.benches(name))
    return;
  const double weightBytes = 2.0 * Columns * Depth;
  std::vector<harness::DeviceBuffer<Operand>> weights;
  for (int i = 0; i < harness::rotations(size_t(weightBytes)); ++i) {
    weights.emplace_back(size_t(Columns) * Depth);
    weights.back().randomize(i, 0.02f);
  }
  harness::DeviceBuffer<Operand> x(size_t(Rows) * Depth);
  harness::DeviceBuffer<float> residual(size_t(Rows) * Columns), out(size_t(Rows) * Columns);
  x.randomize(100);
  residual.randomize(101);
  const double microseconds = harness::medianMicroseconds(
      [&](cudaStream_t stream, int i) {
        launchLinear<ShapeOf<Rows, Columns, Depth, Scheduled>>(
            PlainInput<Operand, Depth>{x.data()}, weights[i % weights.size()].data(),
            makeEpilogue<Kind, Columns>(residual.data(), out.data()), stream);
      },
      Rows > 256 ? 10 : 50);
  if (Rows > 64)
    runner.benched(name, microseconds, 2.0 * Rows * Columns * Depth, "TFLOP/s");
  else
    runner.benched(name, microseconds, weightBytes, "GB/s");
}

template <class Scheduled, int Rows> void benchModel(harness::Runner &runner) {
  bench<Scheduled, Result::Plain, Rows, 16768, 4096>(runner, "in_proj");
  bench<Scheduled, Result::Residual, Rows, 4096, 8192>(runner, "out_proj");
  bench<Scheduled, Result::Swiglu, Rows, 28672, 4096>(runner, "gate_up");
  bench<Scheduled, Result::Residual, Rows, 4096, 14336>(runner, "down");
}

using Few = Schedule<16, 32, 4>;
using Dozens = Schedule<32, 32, 4>;
using Hundred = Schedule<64, 128, 4>;
using HundredNarrow = Schedule<64, 32, 8>;
using Square = Schedule<128, 128, 3>;
using Wide = Schedule<128, 256, 3>;

void testSkinny(harness::Runner &runner) {
  test<Few, Result::Plain, Norm::None, Operand, 1, 712, 136>(runner, "plain");
  test<Few, Result::Plain, Norm::None, Operand, 8, 4096, 1024>(runner, "plain");
  test<Few, Result::Plain, Norm::None, Operand, 16, 100, 72>(runner, "plain");
  test<Few, Result::Plain, Norm::None, Operand, 3, 27, 45>(runner, "plain");              // nothing is aligned
  test<Few, Result::Plain, Norm::None, Operand, 3, 27, 45, 48>(runner, "plain, strided"); // rows are, the depth is not
  test<Few, Result::Plain, Norm::None, Operand, 17, 712, 136>(runner, "plain");           // two tiles of rows
  test<Few, Result::Plain, Norm::None, float, 3, 100, 72>(runner, "from f32");
  test<Few, Result::Residual, Norm::None, Operand, 16, 1200, 8192>(runner, "residual"); // x in chunks
  test<Few, Result::Residual, Norm::None, Operand, 1, 1200, 520, 528>(runner, "residual, strided");
  test<Few, Result::Swiglu, Norm::None, Operand, 8, 6000, 512>(runner, "swiglu"); // more than one pass
  test<Few, Result::Swiglu, Norm::Rms, float, 1, 712, 136>(runner, "norm, swiglu");
  test<Few, Result::Swiglu, Norm::Rms, float, 3, 6000, 1024>(runner, "norm, swiglu");
  test<Few, Result::Plain, Norm::Rms, float, 16, 4800, 4200>(runner, "norm"); // passes and chunks
  test<Few, Result::Plain, Norm::Rms, float, 8, 100, 75>(runner, "norm");
  test<Dozens, Result::Residual, Norm::Rms, float, 32, 712, 136>(runner, "norm, residual");
  test<Dozens, Result::Plain, Norm::None, Operand, 17, 712, 4096>(runner, "plain");
  test<Dozens, Result::Plain, Norm::None, Operand, 64, 100, 72>(runner, "plain");
}

void testTall(harness::Runner &runner) {
  test<Hundred, Result::Plain, Norm::None, Operand, 64, 712, 136>(runner, "plain");
  test<Hundred, Result::Swiglu, Norm::None, Operand, 17, 1424, 512>(runner, "swiglu");
  test<HundredNarrow, Result::Residual, Norm::None, Operand, 64, 4096, 256>(runner, "residual");
  test<HundredNarrow, Result::Plain, Norm::None, Operand, 3, 27, 45>(runner, "plain");
  test<Square, Result::Plain, Norm::None, Operand, 200, 100, 72>(runner, "plain");
  test<Square, Result::Plain, Norm::None, Operand, 200, 27, 45, 48>(runner, "plain, strided");
  test<Square, Result::Residual, Norm::None, Operand, 512, 512, 1024>(runner, "residual");
  test<Square, Result::Plain, Norm::None, float, 200, 712, 136>(runner, "from f32");
  test<Wide, Result::Residual, Norm::None, Operand, 200, 712, 136>(runner, "residual");
  test<Wide, Result::Swiglu, Norm::None, Operand, 1200, 1424, 640>(runner, "swiglu"); // bands of row tiles
  test<Wide, Result::Plain, Norm::None, Operand, 512, 1024, 512>(runner, "plain");
}

} // namespace linear_test

int main(int argc, char **argv) {
  using namespace linear_test;
  harness::Runner runner(argc, argv);
  testSkinny(runner);
  testTall(runner);
  benchModel<Few, 1>(runner);
  benchModel<Few, 8>(runner);
  benchModel<HundredNarrow, 64>(runner);
  benchModel<Hundred, 64>(runner);
  benchModel<Square, 4096>(runner);
  benchModel<Wide, 4096>(runner);
  return runner.exitCode();
}
