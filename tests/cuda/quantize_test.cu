// Quantization against a host that looks for the nearest code: ties, clamps, rows of zeros, subnormal codes, NaN, and
// every form of scale; codes on their way to f16; packing of numbers that become codes.
#include "common/pack_weights.cuh"
#include "common/quantize.cuh"
#include "harness.cuh"
#include "runtime/contract/abi.h"

using namespace bambac;
using namespace harness;

namespace {

// --- codes on the host -----------------------------------------------------------------------------------------------

/// What a code means, by its definition.
double valueOf(unsigned code) {
  unsigned exponent = code >> 3 & 15, fraction = code & 7;
  double magnitude = exponent ? std::ldexp(1 + fraction / 8.0, int(exponent) - 7) : std::ldexp(fraction / 8.0, -6);
  if ((code & 0x7f) == 0x7f)
    return NAN;
  return code & 0x80 ? -magnitude : magnitude;
}

/// The nearest of all codes, the even one of two; the largest for what is larger.
unsigned char nearestCode(float value) {
  if (std::isnan(value))
    return 0x7f;
  double magnitude = std::min(std::abs(double(value)), 448.0);
  unsigned best = 0;
  for (unsigned code = 1; code < 0x7f; ++code) {
    double nearer = std::abs(valueOf(code) - magnitude), least = std::abs(valueOf(best) - magnitude);
    if (nearer < least || (nearer == least && code % 2 == 0))
      best = code;
  }
  return static_cast<unsigned char>(best | (std::signbit(value) ? 0x80 : 0));
}

/// NaN is one whatever its sign.
bool isSameCode(unsigned char a, unsigned char b) { return a == b || ((a & 0x7f) == 0x7f && (b & 0x7f) == 0x7f); }

// --- conversions -----------------------------------------------------------------------------------------------------

__global__ void convertKernel(const float *from, e4m3 *single, uint32 *four, float *expanded, float *alone,
                              size_t count) {
  size_t i = (blockIdx.x * size_t(blockDim.x) + threadIdx.x) * 4;
  if (i >= count)
    return;
  for (int j = 0; j < 4; ++j)
    single[i + j] = roundToCode(from[i + j]);
  four[i / 4] = packCodes(from[i], from[i + 1], from[i + 2], from[i + 3]);
  uint32 first, second;
  expandFour(four[i / 4], first, second);
  expanded[i] = low<f16>(first), expanded[i + 1] = high<f16>(first);
  expanded[i + 2] = low<f16>(second), expanded[i + 3] = high<f16>(second);
  for (int j = 0; j < 4; ++j)
    alone[i + j] = toFloat(single[i + j]);
}

std::vector<float> interestingNumbers() {
  std::vector<float> numbers = {0.0f,     -0.0f,    448.0f,     464.0f, 480.0f,  -449.0f, 1e9f,
                                -1e9f,    INFINITY, -INFINITY,  NAN,    0x1p-6f, 0x1p-9f, 0x1p-10f,
                                0x3p-10f, 0x1p-11f, 0x1.8p-10f, 1e-30f, -1e-30f, 1e-45f};
  for (unsigned code = 0; code < 0x7e; ++code) { // codes, ties, and their neighbours
    float low = float(valueOf(code)), tie = float((valueOf(code) + valueOf(code + 1)) / 2);
    for (float number : {low, tie, std::nextafter(tie, 0.0f), std::nextafter(tie, 1e9f), -low, -tie})
      numbers.push_back(number);
  }
  for (int i = 0; numbers.size() < 16384; ++i)
    numbers.push_back(std::ldexp(randomAt(1, i), i % 40 - 20));
  return numbers;
}

void testConversions(Runner &runner) {
  if (!runner.wants("codes"))
    return;
  std::vector<float> numbers = interestingNumbers();
  size_t count = numbers.size();
  DeviceBuffer<float> from(numbers), expanded(count), alone(count);
  DeviceBuffer<e4m3> single(count);
  DeviceBuffer<uint32> four(count / 4);
  convertKernel<<<unsigned(ceilDiv(int(count), 1024)), 256>>>(from.data(), single.data(), four.data(), expanded.data(),
                                                              alone.data(), count);
  CHECK(cudaGetLastError());
  std::vector<e4m3> one = single.download();
  std::vector<uint32> words = four.download();
  std::vector<float> wide = expanded.download(), back = alone.download();
  bool same = true, sameFour = true, sameWide = true, sameBack = true;
  for (size_t i = 0; i < count; ++i) {
    unsigned char expected = nearestCode(numbers[i]);
    same &= isSameCode(one[i].bits, expected);
    sameFour &= isSameCode(static_cast<unsigned char>(words[i / 4] >> i % 4 * 8), expected);
    double value = valueOf(expected);
    sameWide &= std::isnan(value) || wide[i] == value; // NaN stays none in every expansion
    sameBack &= std::isnan(value) ? std::isnan(back[i]) : back[i] == value;
  }
  runner.expect("codes, by software", same);
  runner.expect("codes, four at once", sameFour);
  runner.expect("codes as f16", sameWide);
  runner.expect("codes as f32", sameBack);
}

// --- rows ------------------------------------------------------------------------------------------------------------

template <class T, int Rows, int Columns, int Group, int Fixed, int Multiprocessors> struct ShapeOf {
  static constexpr int kRows = Rows, kColumns = Columns;
  static constexpr int kVector = dividingVector(geometry::widestQuantizeVector(sizeof(T)), Columns);
  static constexpr int kGroup = Group, kFixedScales = Fixed, kMultiprocessors = Multiprocessors;
  static constexpr int kThreadVectors = geometry::quantizeVectors(kRows, kColumns, kVector, kMultiprocessors);
  [[maybe_unused]] static constexpr float kEpsilon = 1e-5f;
};

template <class Kernel, class Source, class Codes>
__global__ void __launch_bounds__(Kernel::kThreads, Kernel::kMinBlocks)
    quantizeKernel(Source source, const float *fixedScales, Codes codes, float *scales) {
  Kernel::run(source, fixedScales, codes, scales);
}

/// Codes and scales, with nothing after them.
template <class Shape> struct Results {
  static constexpr int kGroups = Shape::kGroup ? ceilDiv(Shape::kColumns, Shape::kGroup) : 1;
  static constexpr size_t kCodes = size_t(Shape::kRows) * Shape::kColumns, kScales = size_t(Shape::kRows) * kGroups;
  DeviceBuffer<e4m3> codes{kCodes + 64};
  DeviceBuffer<float> scales{kScales + 64};
  std::vector<e4m3> foundCodes;
  std::vector<float> foundScales;

  template <class Source> bool run(Source source, const float *fixed) {
    bambac::Rows<e4m3, Shape::kColumns> to{codes.data()};
    using Kernel = Quantize<Shape>;
    codes.poison(), scales.poison();
    launch(quantizeKernel<Kernel, Source, decltype(to)>, Kernel::kLaunch, nullptr, source, fixed, to, scales.data());
    CHECK(cudaGetLastError());
    foundCodes = codes.download(), foundScales = scales.download();
    bool guarded = true;
    for (size_t i = 0; i < 64; ++i)
      guarded &= foundCodes[kCodes + i].bits == 0xff && std::isnan(foundScales[kScales + i]);
    return guarded;
  }
};

/// The same in f32 on the host.
template <class Shape>
bool isExact(const Results<Shape> &results, const std::vector<float> &numbers, const std::vector<float> &fixed) {
  constexpr int kColumns = Shape::kColumns, kGroup = Shape::kGroup ? Shape::kGroup : kColumns;
  for (int row = 0; row < Shape::kRows; ++row)
    for (int group = 0; group < Results<Shape>::kGroups; ++group) {
      float largest = 0, scale;
      int first = group * kGroup, end = minOf(first + kGroup, kColumns);
      bool hasNan = false;
      for (int k = first; k < end; ++k) {
        float number = numbers[size_t(row) * kColumns + k];
        hasNan |= std::isnan(number);
        largest = std::max(largest, std::abs(number));
      }
      if (Shape::kFixedScales)
        scale = *std::max_element(fixed.begin(), fixed.begin() + Shape::kFixedScales);
      else
        scale = hasNan ? NAN : std::max(largest / 448.0f, 1.0f / (448.0f * 512.0f));
      float found = results.foundScales[size_t(row) * Results<Shape>::kGroups + group];
      if (std::isnan(scale) ? !std::isnan(found) : std::memcmp(&found, &scale, 4) != 0)
        return false;
      for (int k = first; k < end; ++k) {
        size_t i = size_t(row) * kColumns + k;
        if (!isSameCode(results.foundCodes[i].bits, nearestCode(numbers[i] / scale)))
          return false;
      }
    }
  return true;
}

/// Rows of ordinary numbers; of zeros; of numbers whose quotients are codes, ties and their neighbours; of numbers that
/// are too small for a scale of their own; with an infinity; with NaN.
std::vector<float> makeRows(int rows, int columns) {
  std::vector<float> numbers = randomFloats(size_t(rows) * columns, 3, 5.0f), interesting = interestingNumbers();
  auto fill = [&](int row, auto number) {
    for (int k = 0; row < rows && k < columns; ++k)
      numbers[size_t(row) * columns + k] = number(k);
  };
  fill(1, [](int k) { return k % 2 ? 0.0f : -0.0f; });
  fill(2, [&](int k) { // the scale is 1, or 1/8 for what is behind
    float number = interesting[(11 + k) % interesting.size()];
    return k == 0 ? 448.0f : std::isfinite(number) && std::abs(number) <= 448.0f ? number : 1.0f;
  });
  fill(3, [](int k) { return std::ldexp(randomAt(9, k), -20); });
  fill(4, [](int k) { return k == 5 ? INFINITY : k % 2 ? -float(k) : float(k); });
  fill(5, [](int k) { return k == 7 ? NAN : float(k); });
  return numbers;
}

/// Few multiprocessors ask for blocks of fewer threads.
template <class T, int Rows, int Columns, int Group, int Fixed, int Multiprocessors = 132>
void testRows(Runner &runner) {
  std::string name = std::string("quantize ") + (sizeof(T) == 4 ? "f32 " : kOperandName) + std::to_string(Rows) + "x" +
                     std::to_string(Columns) + " groups of " + std::to_string(Group) +
                     ", fixed scales: " + std::to_string(Fixed) + (Multiprocessors < Rows ? ", many rows" : "");
  if (!runner.wants(name))
    return;
  std::vector<T> typed = fromFloats<T>(makeRows(Rows, Columns));
  std::vector<float> numbers(typed.size()), fixed = {0.003f, 0.017f, 0.009f};
  for (size_t i = 0; i < typed.size(); ++i)
    numbers[i] = float(toDouble(typed[i]));
  DeviceBuffer<T> x(typed);
  DeviceBuffer<float> fixedScales(fixed);
  using Shape = ShapeOf<T, Rows, Columns, Group, Fixed, Multiprocessors>;
  Results<Shape> results;
  bool guarded = results.run(bambac::Rows<const T, Columns>{x.data()}, fixedScales.data());
  runner.expect(name, guarded && isExact(results, numbers, fixed));
}

/// Under a norm or a gate the numbers themselves may end in another bit than on the host. Then some code is the
/// neighbour of the host's.
template <class Shape>
void expectNear(Runner &runner, const std::string &name, const Results<Shape> &results,
                const std::vector<double> &numbers) {
  size_t differ = 0, far = 0;
  double worstScale = 0;
  for (int row = 0; row < Shape::kRows; ++row) {
    double largest = 0;
    for (int k = 0; k < Shape::kColumns; ++k)
      largest = std::max(largest, std::abs(numbers[size_t(row) * Shape::kColumns + k]));
    float scale = std::max(float(largest) / 448.0f, 1.0f / (448.0f * 512.0f)), found = results.foundScales[row];
    worstScale = std::max(worstScale, std::abs(found / double(scale) - 1));
    for (int k = 0; k < Shape::kColumns; ++k) {
      size_t i = size_t(row) * Shape::kColumns + k;
      int code = results.foundCodes[i].bits, expected = nearestCode(float(numbers[i] / scale));
      differ += code != expected;
      far += std::abs(code - expected) > 1 && (code & 0x7f) + (expected & 0x7f) > 1;
    }
  }
  runner.report(name + ", scales", worstScale, 1e-5);
  runner.report(name + ", codes that differ", far ? INFINITY : double(differ) / double(numbers.size()), 1e-3);
}

template <int Rows, int Columns> void testAfter(Runner &runner) {
  std::string size = std::to_string(Rows) + "x" + std::to_string(Columns);
  using Shape = ShapeOf<float, Rows, Columns, 0, 0, 2>;
  std::vector<float> x = randomFloats(size_t(Rows) * Columns, 5, 3.0f), y = randomFloats(x.size(), 6, 2.0f);
  std::vector<float> weight = randomFloats(Columns, 7, 0.5f, 1.0f);
  DeviceBuffer<float> deviceX(x), deviceY(y), deviceWeight(weight);
  using Plain = bambac::Rows<const float, Columns>;
  std::vector<double> numbers(x.size());
  if (runner.wants("quantize a norm " + size)) {
    Results<Shape> results;
    results.run(NormalizedRows<Plain>{Plain{deviceX.data()}, deviceWeight.data()}, nullptr);
    for (int row = 0; row < Rows; ++row) {
      double squares = 0;
      for (int k = 0; k < Columns; ++k)
        squares += double(x[size_t(row) * Columns + k]) * x[size_t(row) * Columns + k];
      for (int k = 0; k < Columns; ++k)
        numbers[size_t(row) * Columns + k] =
            x[size_t(row) * Columns + k] / std::sqrt(squares / Columns + 1e-5) * weight[k];
    }
    expectNear(runner, "quantize a norm " + size, results, numbers);
  }
  if (runner.wants("quantize a gate " + size)) {
    Results<Shape> results;
    results.run(GatedRows<Plain, Plain>{Plain{deviceX.data()}, Plain{deviceY.data()}}, nullptr);
    for (size_t i = 0; i < x.size(); ++i)
      numbers[i] = x[i] / (1 + std::exp(-double(x[i]))) * y[i];
    expectNear(runner, "quantize a gate " + size, results, numbers);
  }
}

void testQuantize(Runner &runner) {
  testRows<float, 8, 4096, 0, 0>(runner);
  testRows<Operand, 8, 4096, 0, 0>(runner);
  testRows<float, 8, 4096, 128, 0>(runner);
  testRows<float, 8, 14336, 0, 0>(runner);
  testRows<Operand, 8, 14336, 0, 0, 4>(runner);
  testRows<float, 8, 4096, 128, 0, 4>(runner);
  testRows<float, 8, 1000, 0, 0, 4>(runner);
  testRows<Operand, 8, 40000, 128, 0>(runner); // read again
  testRows<float, 8, 40000, 0, 2>(runner);
  testRows<float, 8, 96, 0, 0>(runner);
  testRows<float, 8, 300, 128, 0>(runner);
  testRows<Operand, 9, 97, 0, 3>(runner);
  testRows<float, 9, 131, 128, 0>(runner);
  testRows<float, 1, 45, 0, 1>(runner);
  static_assert(geometry::quantizeVectors(8, 2048, 8, 1) == 1, "256 threads have a row");
  testRows<Operand, 8, 2048, 0, 0, 1>(runner);
  testAfter<3, 4096>(runner);
  testAfter<5, 97>(runner);
  testAfter<3, 40000>(runner);
}

// --- packing ---------------------------------------------------------------------------------------------------------

struct Layout {
  using Element = e4m3;
  static constexpr int kPanel = 8, kGroup = 16, kMultiprocessors = 132;
};

__global__ void __launch_bounds__(PackWeights<Layout>::kThreads, PackWeights<Layout>::kMinBlocks)
    packKernel(const WeightPiece piece) {
  PackWeights<Layout>::run(piece);
}

/// Two sources that take turns, of which one is quantized: rows have their own scale, in each of two groups.
void testPacking(Runner &runner, int cols) {
  std::string name = "pack codes, " + std::to_string(cols) + " columns";
  if (!runner.wants(name))
    return;
  constexpr int kRows = 21;
  const size_t width = alignTo(cols, 128);
  std::vector<float> numbers = randomFloats(size_t(kRows) * cols, 2, 0.3f);
  std::fill_n(numbers.begin() + cols, cols, 0.0f);
  std::vector<e4m3> codes(numbers.size()), expected(48 * width, e4m3{0});
  std::vector<float> scales(2 * 2 * kRows, 7.0f);
  for (size_t i = 0; i < codes.size(); ++i)
    codes[i] = {static_cast<unsigned char>(i * 37 % 0x7f)};
  auto at = [&](size_t r, size_t k) -> e4m3 & { return expected[contract::panelOffset(r, k, 8, 16, width)]; };
  for (int row = 0; row < kRows; ++row) {
    float largest = 0;
    for (int k = 0; k < cols; ++k)
      largest = std::max(largest, std::abs(numbers[size_t(row) * cols + k]));
    float scale = largest > 0 ? largest / 448.0f : 1.0f;
    scales[2 * row + 1] = scales[2 * kRows + 2 * row + 1] = scale;
    for (int k = 0; k < cols; ++k) {
      at(2 * row, k) = codes[size_t(row) * cols + k];
      at(2 * row + 1, k) = {nearestCode(numbers[size_t(row) * cols + k] / scale)};
    }
  }
  DeviceBuffer<e4m3> packed(expected.size()), from(codes);
  DeviceBuffer<float> found(std::vector<float>(scales.size(), 7.0f)), plain(numbers);
  packed.zero();
  WeightPiece piece = {};
  piece.to = packed.data(), piece.rows = kRows, piece.cols = cols, piece.row_step = 2, piece.width = width;
  piece.from = from.data(), piece.dtype = BAMBA_RT_F8E4M3;
  launch(packKernel, PackWeights<Layout>::kLaunch, nullptr, piece);
  piece.from = plain.data(), piece.dtype = BAMBA_RT_F32, piece.row_base = 1;
  piece.scales = found.data(), piece.scale_rows = 2 * kRows, piece.scale_groups = 2;
  launch(packKernel, PackWeights<Layout>::kLaunch, nullptr, piece);
  CHECK(cudaGetLastError());
  runner.expect(name, sameBits(packed.download(), expected) && sameBits(found.download(), scales));
}

} // namespace

int main(int argc, char **argv) {
  Runner runner(argc, argv);
  testConversions(runner);
  testQuantize(runner);
  for (int cols : {96, 128, 131, 4096})
    testPacking(runner, cols);
  return runner.exitCode();
}
