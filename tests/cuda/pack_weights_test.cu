// Tests and times the packing of weights: every layout and type, odd sizes, row orders, pieces of a tensor.
#include "common/pack_weights.cuh"
#include "runtime/contract/abi.h"
#include "tests/cuda/harness.cuh"
#include <cuda_fp16.h>
#include <cuda_fp8.h>

using namespace bambac;
using namespace harness;

namespace {

template <class T, int Panel, int Group> struct Layout {
  using Element = T;
  static constexpr int kPanel = Panel, kGroup = Group, kMultiprocessors = 132;
};

template <class Kernel>
__global__ void __launch_bounds__(Kernel::kThreads, Kernel::kMinBlocks) packKernel(const WeightPiece piece) {
  Kernel::run(piece);
}

template <class Shape> void packOnDevice(const WeightPiece &piece, cudaStream_t stream = 0) {
  using Kernel = PackWeights<Shape>;
  launch(packKernel<Kernel>, Kernel::kLaunch, stream, piece);
}

// --- types -------------------------------------------------------------------------------------------------------

template <class T> struct TypeOf;
template <> struct TypeOf<float> {
  static constexpr const char *name = "f32";
  static constexpr uint32 number = BAMBA_RT_F32;
};
template <> struct TypeOf<bf16> {
  static constexpr const char *name = "bf16";
  static constexpr uint32 number = BAMBA_RT_BF16;
};
template <> struct TypeOf<f16> {
  static constexpr const char *name = "f16";
  static constexpr uint32 number = BAMBA_RT_F16;
};
template <> struct TypeOf<double> { // of checkpoints only
  static constexpr const char *name = "f64";
  static constexpr uint32 number = BAMBA_RT_F64;
};

float hostFloat(float value) { return value; }
float hostFloat(bf16 value) {
  unsigned bits = unsigned(value.bits) << 16;
  float result;
  std::memcpy(&result, &bits, sizeof(result));
  return result;
}
float hostFloat(double value) { return static_cast<float>(value); }
float hostFloat(f16 value) { return __half2float(__ushort_as_half(value.bits)); }

template <class T> T hostElement(float value);
template <> float hostElement<float>(float value) { return value; }
template <> bf16 hostElement<bf16>(float value) { // of ordinary numbers only
  unsigned bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return {static_cast<unsigned short>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16)};
}
template <> double hostElement<double>(float value) { return value * (1.0 + 0x1p-30); } // no float, but near one
template <> f16 hostElement<f16>(float value) { return {__half_as_ushort(__float2half_rn(value))}; }

// --- the reference -----------------------------------------------------------------------------------------------

/// A weight of some sources of equal shape, in the words of bamba_rt_weight and bamba_rt_source.
struct Case {
  int sources, rows, cols; ///< each source is [rows, cols]
  bool interleaved = false, transposed = false;
  int headDim = 0, rotaryDim = 0;
  int align = 1;
};

int storedRows(const Case &c) { return c.transposed ? c.cols : c.sources * c.rows; }
size_t storedWidth(const Case &c) { return contract::paddedWidth(c.transposed ? c.sources * c.rows : c.cols, c.align); }

template <class Shape> size_t storedSize(const Case &c) {
  return contract::paddedRows(storedRows(c), Shape::kPanel) * storedWidth(c);
}

contract::SourceRows rowsOf(const Case &c, int source) {
  return c.interleaved ? contract::interleavedRows(source, c.sources) : contract::stackedRows(uint64(source) * c.rows);
}

/// Element by element, by the formulas of the contract, which tests/runtime checks against numbers written by hand.
template <class Shape, class From>
std::vector<typename Shape::Element> reference(const Case &c, const std::vector<From> &from) {
  std::vector<typename Shape::Element> packed(storedSize<Shape>(c), typename Shape::Element{});
  for (int s = 0; s < c.sources; ++s)
    for (int row = 0; row < c.rows; ++row)
      for (int col = 0; col < c.cols; ++col) {
        uint64 r = rowsOf(c, s).rowOf(contract::rotaryPlaceOf(row, c.headDim, c.rotaryDim)), k = col;
        if (c.transposed)
          std::swap(r, k);
        packed[contract::panelOffset(r, k, Shape::kPanel, Shape::kGroup, storedWidth(c))] =
            hostElement<typename Shape::Element>(hostFloat(from[(size_t(s) * c.rows + row) * c.cols + col]));
      }
  return packed;
}

WeightPiece pieceOf(const Case &c, int source, uint32 type) {
  WeightPiece piece = {};
  piece.cols = c.cols;
  piece.row_base = rowsOf(c, source).base;
  piece.row_step = rowsOf(c, source).step;
  piece.width = storedWidth(c);
  piece.dtype = type;
  piece.transposed = c.transposed;
  piece.head_dim = c.headDim;
  piece.rotary_dim = c.rotaryDim;
  return piece;
}

// --- tests -------------------------------------------------------------------------------------------------------

/// Each source comes in pieces of `pieceRows` rows, from a stage of its own that is filled from its start.
template <class Shape, class From> void testCase(Runner &runner, const Case &c, int pieceRows) {
  using To = typename Shape::Element;
  std::string name =
      std::string("pack_weights ") + TypeOf<From>::name + " to " + TypeOf<To>::name + " " +
      std::to_string(Shape::kPanel) + "x" + std::to_string(Shape::kGroup) + ", " + std::to_string(c.sources) + " of " +
      std::to_string(c.rows) + "x" + std::to_string(c.cols) + (c.interleaved ? " interleaved" : "") +
      (c.transposed ? " transposed" : "") +
      (c.rotaryDim ? " rotary " + std::to_string(c.rotaryDim) + " of " + std::to_string(c.headDim) : "") +
      " in pieces of " + std::to_string(pieceRows);
  if (!runner.wants(name))
    return;
  std::vector<float> numbers = randomFloats(size_t(c.sources) * c.rows * c.cols, 7, 3.0f);
  std::vector<From> from(numbers.size());
  for (size_t i = 0; i < from.size(); ++i)
    from[i] = hostElement<From>(numbers[i]);
  std::vector<To> expected = reference<Shape>(c, from);
  constexpr size_t guard = 64; // elements after the weight that nobody may write
  DeviceBuffer<To> packed(expected.size() + guard);
  packed.poison();
  CHECK(cudaMemset(packed.data(), 0, expected.size() * sizeof(To)));
  for (int s = 0; s < c.sources; ++s)
    for (int first = 0; first < c.rows; first += pieceRows) {
      WeightPiece piece = pieceOf(c, s, TypeOf<From>::number);
      piece.first_row = first;
      piece.rows = minOf(pieceRows, c.rows - first);
      auto begin = from.begin() + (size_t(s) * c.rows + first) * c.cols;
      DeviceBuffer<From> stage(std::vector<From>(begin, begin + piece.rows * c.cols));
      piece.from = stage.data();
      piece.to = packed.data();
      packOnDevice<Shape>(piece);
      CHECK(cudaDeviceSynchronize());
    }
  std::vector<To> found = packed.download();
  unsigned char poison[guard * sizeof(To)];
  std::memset(poison, 0xff, sizeof(poison));
  bool inside = std::memcmp(found.data() + expected.size(), poison, sizeof(poison)) == 0;
  found.resize(expected.size());
  runner.expect(name, inside && sameBits(found, expected));
}

template <class Shape, class From> void testLayout(Runner &runner, int align) {
  for (int cols : {1, 4, 8, 24, 72, 100, 131, 320}) {
    testCase<Shape, From>(runner, {1, 37, cols, false, false, 0, 0, align}, 37);
    testCase<Shape, From>(runner, {3, 37, cols, false, false, 0, 0, align}, 16);
    testCase<Shape, From>(runner, {2, 37, cols, true, false, 0, 0, align}, 11);
    testCase<Shape, From>(runner, {2, 37, cols, false, true, 0, 0, align}, 11);
    testCase<Shape, From>(runner, {2, 48, cols, false, false, 16, 16, align}, 20);
    testCase<Shape, From>(runner, {2, 48, cols, true, false, 12, 6, align}, 20);
    testCase<Shape, From>(runner, {1, 48, cols, false, true, 24, 10, align}, 48);
  }
}

template <class To> void testLayouts(Runner &runner) {
  testLayout<Layout<To, 1, 1>, float>(runner, 1);
  testLayout<Layout<To, 1, 1>, bf16>(runner, 1);
  testLayout<Layout<To, 1, 1>, f16>(runner, 1);
  testLayout<Layout<To, 1, 1>, double>(runner, 1);
  testLayout<Layout<To, 8, 8>, float>(runner, 64);
  testLayout<Layout<To, 8, 8>, bf16>(runner, 64);
  testLayout<Layout<To, 8, 8>, f16>(runner, 64);
  testLayout<Layout<To, 8, 8>, double>(runner, 64);
  testLayout<Layout<To, 32, 1>, bf16>(runner, 1);
  testLayout<Layout<To, 4, 6>, f16>(runner, 12);
  testLayout<Layout<To, 4, 6>, double>(runner, 12);
  testLayout<Layout<To, 16, 16>, float>(runner, 32);
}

/// Values that are no ordinary numbers keep their bits where the type stays, and their value where it changes.
void testBits(Runner &runner) {
  if (!runner.wants("pack_weights keeps bits"))
    return;
  std::vector<bf16> all(0x10000);
  for (size_t i = 0; i < all.size(); ++i)
    all[i].bits = static_cast<uint16>(i);
  Case c{1, 256, 256};
  WeightPiece piece = pieceOf(c, 0, BAMBA_RT_BF16);
  piece.rows = 256;
  DeviceBuffer<bf16> from(all), to(all.size());
  piece.from = from.data();
  piece.to = to.data();
  packOnDevice<Layout<bf16, 1, 1>>(piece);
  runner.expect("pack_weights keeps bits", sameBits(to.download(), all));
}

// --- numbers that become codes -----------------------------------------------------------------------------------

float scaleOfRow(const std::vector<float> &row) {
  float largest = 0;
  for (float value : row)
    largest = std::max(largest, std::fabs(value));
  return largest > 0 ? largest / 448.0f : 1.0f;
}

/// Rows of numbers, one of them of zeros, in pieces: codes and scales bit for bit. `Groups` of scales repeat.
template <class Shape, class From> void testCodes(Runner &runner, const Case &c, int pieceRows, int groups) {
  std::string name = std::string("pack_weights ") + TypeOf<From>::name + " to codes " + std::to_string(Shape::kPanel) +
                     "x" + std::to_string(Shape::kGroup) + ", " + std::to_string(c.rows) + "x" +
                     std::to_string(c.cols) + " in pieces of " + std::to_string(pieceRows);
  if (!runner.wants(name))
    return;
  std::vector<float> numbers = randomFloats(size_t(c.rows) * c.cols, 5, 3.0f);
  std::fill_n(numbers.begin() + 2 * c.cols, c.cols, 0.0f);
  std::vector<From> from(numbers.size());
  for (size_t i = 0; i < from.size(); ++i)
    from[i] = hostElement<From>(numbers[i]);
  std::vector<uint8> expected(storedSize<Shape>(c));
  std::vector<float> scales(size_t(groups) * c.rows);
  for (int row = 0; row < c.rows; ++row) {
    std::vector<float> values;
    for (int col = 0; col < c.cols; ++col)
      values.push_back(hostFloat(from[size_t(row) * c.cols + col]));
    float scale = scaleOfRow(values);
    for (int group = 0; group < groups; ++group)
      scales[size_t(group) * c.rows + row] = scale;
    for (int col = 0; col < c.cols; ++col)
      expected[contract::panelOffset(row, col, Shape::kPanel, Shape::kGroup, storedWidth(c))] =
          __nv_cvt_float_to_fp8(values[col] / scale, __NV_SATFINITE, __NV_E4M3);
  }
  DeviceBuffer<uint8> packed(expected);
  CHECK(cudaMemset(packed.data(), 0, expected.size()));
  DeviceBuffer<float> scaled(scales);
  scaled.poison();
  DeviceBuffer<From> stage(from);
  for (int first = 0; first < c.rows; first += pieceRows) {
    WeightPiece piece = pieceOf(c, 0, TypeOf<From>::number);
    piece.first_row = first, piece.rows = minOf(pieceRows, c.rows - first);
    piece.from = stage.data() + size_t(first) * c.cols;
    piece.to = packed.data();
    piece.scales = scaled.data(), piece.scale_rows = c.rows, piece.scale_groups = groups;
    packOnDevice<Shape>(piece);
  }
  runner.expect(name, sameBits(packed.download(), expected) && sameBits(scaled.download(), scales));
}

template <class From> void testCodesFrom(Runner &runner) {
  for (int cols : {1, 96, 100, 131, 4096, 5008}) {
    testCodes<Layout<e4m3, 1, 1>, From>(runner, {1, 37, cols}, 37, 1);
    testCodes<Layout<e4m3, 8, 16>, From>(runner, {1, 37, cols, false, false, 0, 0, 128}, 16, 1);
    testCodes<Layout<e4m3, 16, 4>, From>(runner, {1, 37, cols, false, false, 0, 0, 4}, 11, 3);
  }
}

// --- speed -------------------------------------------------------------------------------------------------------

/// A large matrix in pieces as the runtime stages them; bytes read and written.
template <class Shape, class From> void bench(Runner &runner, const std::string &name, Case c, int pieceRows) {
  using To = typename Shape::Element;
  if (!runner.benches(name))
    return;
  c.align = Shape::kGroup == 8 ? 64 : 1;
  DeviceBuffer<From> from(size_t(c.sources) * c.rows * c.cols);
  from.randomize(3);
  DeviceBuffer<To> to(storedSize<Shape>(c));
  int pieces = c.rows / pieceRows;
  auto enqueue = [&](cudaStream_t stream, int i) {
    int source = i / pieces % c.sources;
    WeightPiece piece = pieceOf(c, source, TypeOf<From>::number);
    piece.first_row = uint64(i % pieces) * pieceRows;
    piece.rows = pieceRows;
    piece.from = from.data() + (uint64(source) * c.rows + piece.first_row) * c.cols;
    piece.to = to.data();
    packOnDevice<Shape>(piece, stream);
  };
  double bytes = double(pieceRows) * c.cols * (sizeof(From) + sizeof(To));
  runner.benched(name, medianMicroseconds(enqueue, pieces * c.sources), bytes, "GB/s");
}

void benchAll(Runner &runner) {
  Case whole{1, 28672, 4096}, pair{2, 14336, 4096, true}, heads{1, 28672, 4096, false, false, 128, 64};
  bench<Layout<bf16, 8, 8>, bf16>(runner, "pack_weights bf16 8x8 4 MB", whole, 512);
  bench<Layout<bf16, 8, 8>, bf16>(runner, "pack_weights bf16 8x8 112 MB", whole, 14336);
  bench<Layout<bf16, 8, 8>, float>(runner, "pack_weights f32 to bf16 8x8 112 MB", whole, 14336);
  bench<Layout<bf16, 8, 8>, f16>(runner, "pack_weights f16 to bf16 8x8 112 MB", whole, 14336);
  bench<Layout<bf16, 8, 8>, bf16>(runner, "pack_weights bf16 8x8 interleaved 112 MB", pair, 14336);
  bench<Layout<bf16, 8, 8>, bf16>(runner, "pack_weights bf16 8x8 rotary 112 MB", heads, 14336);
  bench<Layout<bf16, 1, 1>, bf16>(runner, "pack_weights bf16 rows 112 MB", whole, 14336);
}

} // namespace

int main(int argc, char **argv) {
  Runner runner(argc, argv);
  testLayouts<float>(runner);
  testLayouts<bf16>(runner);
  testLayouts<f16>(runner);
  testBits(runner);
  testCodesFrom<float>(runner);
  testCodesFrom<bf16>(runner);
  testCodesFrom<f16>(runner);
  benchAll(runner);
  return runner.exitCode();
}
