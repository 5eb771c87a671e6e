// Tests and times sm_90a linears of up to 16 rows (wgmma/linear_skinny.cuh), alone and as the chain of a decode step.
#include "tests/cuda/linear_skinny_bench.cuh"

using namespace bambac;
using namespace skinny;

namespace {

// --- reference -----------------------------------------------------------------------------------------------------

/// Random weights as core matrices; zeros in the padding.
__global__ void fillWeights(Operand *to, int columns, int depth, unsigned seed, float scale) {
  const size_t paddedDepth = (depth + 63) / 64 * 64, size = size_t(columns + 7) / 8 * 8 * paddedDepth;
  for (size_t i = size_t(blockIdx.x) * blockDim.x + threadIdx.x; i < size; i += size_t(gridDim.x) * blockDim.x) {
    const size_t matrix = i / 64, n = matrix / (paddedDepth / 8) * 8 + i / 8 % 8,
                 k = matrix % (paddedDepth / 8) * 8 + i % 8;
    const bool inside = n < size_t(columns) && k < size_t(depth);
    to[i] = fromFloat<Operand>(inside ? scale * harness::randomAt(seed, n * depth + k) : 0.0f);
  }
}

/// One element of a row after the norm, in double and as RmsNorm rounds it.
struct Normalized {
  double exact, rounded;
  __device__ Normalized(float value, double scale, const float *norm)
      : exact(norm ? value * scale * *norm : value),
        rounded(toFloat(fromFloat<Operand>(norm ? value * float(scale) * *norm : value))) {}
};

/// sums[row][column] in double, the norm included, of exact and of rounded operands: one thread each, from the
/// unpacked weights.
template <class T>
__global__ void referenceSums(double *exact, double *rounded, const T *x, const float *norm, int columns, int depth,
                              int stride, unsigned seed, float scale) {
  const int column = blockIdx.x * blockDim.x + threadIdx.x, row = blockIdx.y;
  if (column >= columns)
    return;
  double squares = 0, exactSum = 0, roundedSum = 0;
  for (int k = 0; k < depth; ++k)
    squares += double(toFloat(x[size_t(row) * stride + k])) * toFloat(x[size_t(row) * stride + k]);
  for (int k = 0; k < depth; ++k) {
    const Normalized operand(toFloat(x[size_t(row) * stride + k]), 1 / sqrt(squares / depth + 1e-5),
                             norm ? norm + k : nullptr);
    const float weight = toFloat(fromFloat<Operand>(scale * harness::randomAt(seed, size_t(column) * depth + k)));
    exactSum += operand.exact * weight;
    roundedSum += operand.rounded * weight;
  }
  exact[size_t(row) * columns + column] = exactSum;
  rounded[size_t(row) * columns + column] = roundedSum;
}

template <Ending End>
std::vector<double> referenceResults(const std::vector<double> &sums, const std::vector<float> &before) {
  std::vector<double> results;
  if constexpr (End == Ending::kSwiglu)
    for (size_t i = 0; i < sums.size(); i += 2)
      results.push_back(sums[i] / (1 + std::exp(-sums[i])) * sums[i + 1]);
  else
    for (size_t i = 0; i < sums.size(); ++i)
      results.push_back(sums[i] + (End == Ending::kResidual ? before[i] : 0.0f));
  return results;
}

/// The error against `reference` rounded to the results' type.
template <class T> double roundedError(const std::vector<T> &out, std::vector<double> reference) {
  if constexpr (sizeof(T) == 2)
    for (double &value : reference)
      value = harness::toDouble(harness::roundTo<Operand>(float(value)));
  return harness::relativeError(out, reference);
}

// --- correctness ---------------------------------------------------------------------------------------------------

const char *name(Ending end) {
  return end == Ending::kStore      ? "store"
         : end == Ending::kResidual ? "residual"
         : end == Ending::kSwiglu   ? "swiglu"
                                    : "f32";
}

/// Results against the references, the one with rounded operands much closer; twice the same bits; a row of NaN leaves
/// the others alone.
template <int Rows, int Columns, int Depth, class T, bool Normalizes, Ending End, int Stride = Depth>
void testCase(harness::Runner &runner) {
  using Case = Linear<Rows, Columns, Depth, T, Normalizes, End, Stride>;
  using Result = typename Case::Result;
  const std::string title = std::to_string(Rows) + "x" + std::to_string(Columns) + "x" + std::to_string(Depth) +
                            (Normalizes ? " norm " : " ") + (sizeof(T) == 2 ? harness::kOperandName : "f32") + " " +
                            name(End);
  if (!runner.wants(title))
    return;
  const float scale = 2.0f / std::sqrt(float(Depth));
  auto x = harness::fromFloats<T>(harness::randomFloats(size_t(Rows) * Stride, 1));
  const auto residual = harness::randomFloats(size_t(Rows) * Case::Epilogue::kColumns, 3);
  harness::DeviceBuffer<T> deviceX(x);
  harness::DeviceBuffer<float> norm(harness::randomFloats(Depth, 2, 0.5f, 1.0f));
  harness::DeviceBuffer<Operand> weights(Case::kPackedSize);
  harness::DeviceBuffer<double> exact(size_t(Rows) * Columns), rounded(size_t(Rows) * Columns);
  harness::DeviceBuffer<Result> out(size_t(Rows) * Case::Epilogue::kColumns);
  fillWeights<<<1024, 256>>>(weights.data(), Columns, Depth, 7, scale);
  referenceSums<<<dim3(ceilDiv(Columns, 128), Rows), 128>>>(exact.data(), rounded.data(), deviceX.data(),
                                                            Normalizes ? norm.data() : nullptr, Columns, Depth, Stride,
                                                            7, scale);
  CHECK(cudaGetLastError());
  auto run = [&] {
    out.poison();
    if constexpr (End == Ending::kResidual)
      out.upload(residual);
    CHECK(cudaDeviceSynchronize());
    Case::enqueue(nullptr, deviceX.data(), norm.data(), weights.data(), out.data());
    return out.download();
  };
  const auto first = run();
  runner.report(title, harness::relativeError(first, referenceResults<End>(exact.download(), residual)));
  // A rounded result on the edge may still round the other way.
  runner.report(title + ", rounded operands", roundedError(first, referenceResults<End>(rounded.download(), residual)),
                sizeof(Result) == 2 ? harness::tolerance(5e-4) : 1e-4);
  bool same = true;
  for (int i = 0; i < 3; ++i)
    same = same && harness::sameBits(first, run());
  runner.expect(title + ": same bits", same);
  if (Rows == 1)
    return;
  std::memset(static_cast<void *>(&x[Stride]), 0xff, Depth * sizeof(T)); // row 1
  deviceX.upload(x);
  const auto spoilt = run();
  bool others = true;
  for (int row = 0; row < Rows; ++row) {
    const size_t begin = size_t(row) * Case::Epilogue::kColumns, bytes = Case::Epilogue::kColumns * sizeof(Result);
    const bool equal = !std::memcmp(&first[begin], &spoilt[begin], bytes);
    others = others && (row == 1 ? std::isnan(harness::toDouble(spoilt[begin])) : equal);
  }
  runner.expect(title + ": NaN stays in its row", others);
}

template <int Rows> void testRows(harness::Runner &runner) {
  testCase<Rows, 712, 4096, Operand, false, Ending::kStore>(runner);
  testCase<Rows, 712, 136, float, true, Ending::kSwiglu>(runner);
  testCase<Rows, 712, 4096, float, true, Ending::kLogits>(runner);
  testCase<Rows, 4096, 8192, Operand, false, Ending::kResidual>(runner);
}

template <int Rows> void testLargeRows(harness::Runner &runner) {
  testCase<Rows, 4096, 14336, Operand, false, Ending::kResidual>(runner);
  testCase<Rows, 16768, 4096, float, true, Ending::kStore>(runner);
  testCase<Rows, 28672, 4096, float, true, Ending::kSwiglu>(runner);
}

void testOddShapes(harness::Runner &runner) {
  testCase<1, 100, 72, Operand, false, Ending::kStore>(runner);
  testCase<5, 100, 72, Operand, false, Ending::kResidual>(runner);
  testCase<16, 100, 72, Operand, true, Ending::kSwiglu>(runner);
  testCase<3, 100, 100, Operand, false, Ending::kLogits>(runner); // rows not aligned to 16 bytes
  testCase<2, 33, 77, float, true, Ending::kStore>(runner);       // nothing aligned, odd results
  testCase<9, 712, 3144, Operand, false, Ending::kStore>(runner); // a last chunk of 128 columns
  testCase<2, 712, 8192, Operand, true, Ending::kStore>(runner);
  testCase<6, 712, 8192, float, true, Ending::kLogits>(runner);              // resident, some of it read twice
  testCase<16, 712, 8192, float, true, Ending::kLogits>(runner);             // converted, streamed
  testCase<16, 16768, 8192, Operand, false, Ending::kStore>(runner);         // copied, streamed, several passes
  testCase<12, 12000, 8192, float, true, Ending::kLogits>(runner);           // converted, streamed, several passes
  testCase<8, 4096, 8192, Operand, false, Ending::kResidual, 16768>(runner); // a slice of wider rows
}

// --- races ---------------------------------------------------------------------------------------------------------

/// 60 launches, each the input of the next, overlapped and not: the same bits.
template <int Rows> void testChain(harness::Runner &runner) {
  using Up = Linear<Rows, 8192, 4096, float, true, Ending::kStore>;
  using Down = Linear<Rows, 4096, 8192, Operand, false, Ending::kResidual>;
  const std::string title = "chain of 60, " + std::to_string(Rows) + " rows: overlapped as in order";
  if (!runner.wants(title))
    return;
  constexpr int kLayers = 30, kBuffers = 4;
  harness::DeviceBuffer<Operand> up(kBuffers * Up::kPackedSize), down(kBuffers * Down::kPackedSize);
  up.randomize(11, 0.03f);
  down.randomize(12, 0.03f);
  harness::DeviceBuffer<float> norm(harness::randomFloats(4096, 2, 0.5f, 1.0f)), stream(size_t(Rows) * 4096);
  harness::DeviceBuffer<Operand> between(size_t(Rows) * 8192);
  const auto start = harness::randomFloats(size_t(Rows) * 4096, 5);
  auto enqueue = [&](cudaStream_t on, bool overlapped) {
    for (int layer = 0; layer < kLayers; ++layer) {
      const size_t buffer = layer % kBuffers;
      Up::enqueue(on, stream.data(), norm.data(), up.data() + buffer * Up::kPackedSize, between.data(), overlapped);
      Down::enqueue(on, between.data(), nullptr, down.data() + buffer * Down::kPackedSize, stream.data(), overlapped);
    }
  };
  Graph inOrder([&](cudaStream_t on) { enqueue(on, false); }), overlapped([&](cudaStream_t on) { enqueue(on, true); });
  auto results = [&](Graph &graph) {
    stream.upload(start);
    CHECK(cudaDeviceSynchronize());
    graph.run();
    return stream.download();
  };
  const auto expected = results(inOrder);
  bool same = std::isfinite(expected[0]) && std::isfinite(expected.back());
  for (int i = 0; i < 20; ++i)
    same = same && harness::sameBits(expected, results(overlapped));
  runner.expect(title, same);
}

} // namespace

int main(int argc, char **argv) {
  harness::Runner runner(argc, argv);
  testRows<1>(runner);
  testRows<2>(runner);
  testRows<3>(runner);
  testRows<5>(runner);
  testRows<8>(runner);
  testRows<9>(runner);
  testRows<16>(runner);
  testLargeRows<1>(runner);
  testLargeRows<2>(runner);
  testLargeRows<5>(runner);
  testLargeRows<8>(runner);
  testLargeRows<16>(runner);
  testOddShapes(runner);
  testChain<1>(runner);
  testChain<8>(runner);
  testChain<16>(runner);
  if (argc > 1 && !std::strcmp(argv[1], "--bench"))
    benchSteps(runner);
  return runner.exitCode();
}
