// The linears of codes, of every family and number of rows, against f64; with --bench their speed at Bamba-9B's shapes.
#include "linear_codes_cases.cuh"

using namespace codes_test;

namespace {

/// One launch.
template <class S, int Rows, int Columns, int Depth, int Group, int Stride> struct Case {
  using Shape = typename S::template Shape<Rows, Columns, Depth>;
  using Input = CodesInput<Stride>;
  using Epilogue = StoreEpilogue<Columns, Depth, Group, false>;
  using Kernel = typename S::template Kernel<Shape, Input, Epilogue>;
  using Memory = Operands<S, Rows, Columns, Depth, Group, Stride>;

  static void launch(const Memory &m, int copy, cudaStream_t stream = nullptr) {
    Epilogue epilogue{m.inputScales.data(), m.weightScales.data(), m.result.data()};
    if constexpr (S::kMaps)
      harness::launchMapped<Kernel>(stream, m.x.data(), m.weights[copy].data(), epilogue);
    else
      harness::launch(harness::linearKernel<Kernel, Input, Epilogue, e4m3>, Kernel::kLaunch, stream, Input{m.x.data()},
                      m.weights[copy].data(), epilogue);
  }
};

/// The largest error over the sum of the products' magnitudes.
template <class Memory>
double errorOf(const Memory &m, const std::vector<float> &found, int rows, int columns, int depth, int group,
               int stride) {
  std::vector<int> sampled = sampledRows(rows);
  DeviceBuffer<int> list(sampled);
  DeviceBuffer<double> y(sampled.size() * columns), magnitudes(sampled.size() * columns);
  referenceKernel<<<dim3(ceilDiv(columns, 128), unsigned(sampled.size())), 128>>>(
      m.x.data(), m.weights[0].data(), m.inputScales.data(), m.weightScales.data(), list.data(), y.data(),
      magnitudes.data(), columns, depth, stride, group, groupCount(depth, group));
  CHECK(cudaGetLastError());
  std::vector<double> expected = y.download(), sums = magnitudes.download();
  double worst = 0;
  for (size_t i = 0; i < sampled.size(); ++i)
    for (int n = 0; n < columns; ++n) {
      double error = std::abs(found[size_t(sampled[i]) * columns + n] - expected[i * columns + n]);
      error /= std::max(sums[i * columns + n], 1e-30);
      if (!(error <= worst))
        worst = error;
    }
  return worst;
}

/// Sums of f32: each addition rounds by 2^-24 of what is there. Sums of 14 bits that are taken over every 128 codes are
/// cut a few times, by 2^-13 of a part; a sum over all of the depth would lose most of its products where they have one
/// sign.
constexpr double kExact = 5e-7, kPromoted = 3e-4;

/// The bound of a schedule. Fast sums cut each product by up to 2^-13 of the sum that is there: on average half of the
/// end where products have one sign, else a part of it that shrinks with the root of their number.
template <class S> double boundOf(int depth, int group, bool isOneSign) {
  if (S::kIsExact)
    return kExact;
  const double cuts = isOneSign ? depth / S::kSplits : std::sqrt(double(depth));
  return kPromoted + (S::kIsFast && !group ? cuts * 0x1p-14 : 0.0);
}

template <class S, int Rows, int Columns, int Depth, int Group = 0, int Stride = Depth>
void test(harness::Runner &runner, float center = 0.0f) {
  using C = Case<S, Rows, Columns, Depth, Group, Stride>;
  std::string name = S::name() + " " + std::to_string(Rows) + "x" + std::to_string(Columns) + "x" +
                     std::to_string(Depth) + (Group ? " groups of " + std::to_string(Group) : "") +
                     (Stride != Depth ? " strided" : "") + (center != 0.0f ? ", one sign" : "");
  if (!runner.wants(name))
    return;
  typename C::Memory memory(1, center != 0.0f ? 1.0f : 8.0f, center);
  auto run = [&] {
    memory.result.poison();
    C::launch(memory, 0);
    CHECK(cudaGetLastError());
    return memory.result.download();
  };
  std::vector<float> first = run();
  double error = errorOf(memory, first, Rows, Columns, Depth, Group, Stride);
  runner.report(name, error, boundOf<S>(Depth, Group, center != 0.0f));
  if (S::kIsFast && center != 0.0f)
    runner.expect(name + ": beyond the bound of sums that are taken over", error > kPromoted);
  bool guarded = true;
  for (size_t i = size_t(Rows) * Columns; i < first.size(); ++i)
    guarded &= std::isnan(first[i]);
  runner.expect(name + ": nothing after the results, same bits again", guarded && harness::sameBits(first, run()));
}

void testMma(harness::Runner &runner) {
  using Few = Mma<16, 32, 4>;
  using Dozens = Mma<32, 32, 4>;
  using Narrow = Mma<64, 32, 8>;
  using Square = Mma<128, 128, 3>;
  test<Few, 1, 712, 272>(runner);
  test<Few, 3, 200, 96>(runner);
  test<Few, 3, 27, 45>(runner);
  test<Few, 3, 27, 45, 0, 48>(runner);
  test<Few, 16, 1200, 8192>(runner);
  test<Few, 16, 1200, 14336>(runner, 8.0f);
  test<Few, 3, 200, 300, 128>(runner);
  test<Few, 16, 1200, 4096, 128>(runner);
  test<Dozens, 17, 712, 4096>(runner);
  test<Dozens, 32, 200, 640, 256>(runner);
  test<Narrow, 64, 4096, 256>(runner);
  test<Narrow, 3, 27, 45>(runner);
  test<Narrow, 64, 200, 640, 128>(runner);
  test<Narrow, 3, 200, 272, 32>(runner);
  test<Few, 3, 200, 300, 64>(runner);
  test<Square, 200, 100, 144>(runner);
  test<Square, 200, 27, 45>(runner);
  test<Square, 512, 512, 14336>(runner, 8.0f);
  test<Mma<128, 64, 3>, 200, 712, 640, 128>(runner);
  test<Mma<128, 256, 3>, 300, 712, 1024>(runner);
}

void testSkinny(harness::Runner &runner) {
  test<Skinny, 1, 200, 96>(runner);
  test<Skinny, 1, 16768, 4096>(runner);
  test<Skinny, 3, 4096, 14336>(runner);
  test<Skinny, 5, 4096, 14336, 0, 14352>(runner);
  test<Skinny, 8, 28672, 4096>(runner);
  test<Skinny, 16, 712, 8192>(runner);
  test<Skinny, 16, 4096, 14336>(runner, 8.0f);
  test<Skinny, 1, 200, 304, 128>(runner);
  test<Skinny, 16, 4096, 8192, 128>(runner);
  test<Skinny, 7, 1201, 4096, 256>(runner);
}

void testMiddle(harness::Runner &runner) {
  test<Middle<64, 2>, 9, 4096, 8192>(runner);
  test<Middle<128, 1>, 16, 28672, 4096>(runner);
  test<Middle<128, 1>, 17, 200, 96>(runner);
  test<Middle<128, 1>, 17, 16768, 4096>(runner);
  test<Middle<64, 2>, 32, 4096, 14336>(runner);
  test<Middle<128, 1>, 64, 28672, 4096>(runner);
  test<Middle<64, 1>, 100, 712, 208>(runner);
  test<Middle<64, 4>, 128, 4096, 14336>(runner, 8.0f);
  test<Middle<128, 1>, 129, 712, 1040>(runner);
  test<Middle<128, 1>, 256, 16768, 4096>(runner);
  test<Middle<64, 2>, 256, 4096, 14336>(runner);
  test<Middle<128, 2, false, 2>, 256, 4096, 14336>(runner);
  test<Middle<128, 2, false, 2>, 131, 712, 1040>(runner);
  test<Middle<128, 3, false, 3>, 250, 713, 1040, 128>(runner);
  test<Middle<128, 2, true, 2>, 200, 4096, 8192>(runner);
  test<Middle<64, 2>, 64, 4096, 8192, 128>(runner);
  test<Middle<128, 1>, 200, 713, 1040, 128>(runner);
  test<Middle<128, 1, true>, 17, 200, 96>(runner);
  test<Middle<128, 1, true>, 256, 16768, 4096>(runner);
  test<Middle<64, 4, true>, 128, 4096, 14336>(runner, 8.0f);
  test<Middle<128, 1, true>, 200, 713, 1040, 128>(runner);
}

void testLarge(harness::Runner &runner) {
  test<Large<128, 128, 6>, 257, 200, 96>(runner);
  test<Large<256, 128, 4>, 257, 712, 208>(runner);
  test<Large<256, 128, 4>, 1000, 4096, 4096>(runner);
  test<Large<256, 128, 4>, 512, 4096, 14336>(runner, 8.0f);
  test<Large<128, 192, 4>, 1000, 16768, 4096>(runner);
  test<Large<128, 224, 4>, 256, 28672, 4096>(runner);
  test<Large<128, 224, 4>, 200, 713, 1040>(runner);
  test<Large<128, 256, 4>, 512, 4096, 14336>(runner, 8.0f);
  test<Large<128, 256, 4>, 300, 713, 1040, 128>(runner);
  test<Large<128, 128, 6>, 300, 713, 1040, 128>(runner);
  test<Large<128, 128, 6>, 600, 4096, 4096, 128>(runner);
  test<Large<128, 256, 4, true>, 257, 200, 96>(runner);
  test<Large<128, 256, 4, true>, 1000, 16768, 4096>(runner);
  test<Large<128, 256, 4, true>, 512, 4096, 14336>(runner, 8.0f);
  test<Large<256, 128, 4, true>, 257, 712, 208>(runner);
  test<Large<128, 128, 6, true>, 300, 713, 1040, 128>(runner);
}

// --- numbers that become codes in the kernel ----------------------------------------------------------------------

/// Against the kernel that quantizes alone and the same linear of its codes. Under a norm a sum of squares may end in
/// another bit, and some code be its neighbour.
template <class S, class T, bool Normalizes, int Fixed, int Rows, int Columns, int Depth>
void testQuantized(harness::Runner &runner) {
  std::string name = S::name() + " quantizes " + (Normalizes ? "a norm of " : "") + std::to_string(Rows) + "x" +
                     std::to_string(Columns) + "x" + std::to_string(Depth) + (sizeof(T) == 4 ? " f32" : " bf16") +
                     (Fixed ? " by " + std::to_string(Fixed) + " fixed scales" : "");
  if (!runner.wants(name))
    return;
  using Apart = Case<Mma<32, 32, 4>, Rows, Columns, Depth, 0, Depth>; // takes every depth
  typename Apart::Memory memory(1, 8.0f, 0.0f);
  std::vector<float> numbers = harness::randomFloats(size_t(Rows) * Depth, 11, 3.0f);
  if (Rows > 2) // a row of zeros
    std::fill_n(numbers.begin() + Depth, Depth, 0.0f);
  DeviceBuffer<T> x(harness::fromFloats<T>(numbers));
  DeviceBuffer<float> norm(harness::randomFloats(Depth, 12, 0.5f, 1.0f));
  DeviceBuffer<float> fixed(std::vector<float>{0.005f, 0.006f, 0.004f});
  bambac::Rows<const T, Depth> plain{x.data()};
  bambac::Rows<e4m3, Depth> codes{memory.x.data()};
  auto quantize = [&](auto source) {
    using Alone = Quantize<QuantizeShape<Rows, Depth, Fixed>>;
    harness::launch(quantizeKernel<Alone, decltype(source), decltype(codes)>, Alone::kLaunch, nullptr, source,
                    fixed.data(), codes, memory.inputScales.data(), harness::kAllRows);
  };
  if constexpr (Normalizes)
    quantize(NormalizedRows<decltype(plain)>{plain, norm.data()});
  else
    quantize(plain);
  memory.result.poison();
  Apart::launch(memory, 0);
  std::vector<float> expected = memory.result.download();
  runner.report(name + ": apart", errorOf(memory, expected, Rows, Columns, Depth, 0, Depth), kExact);

  using Input = NumbersInput<T, Normalizes, Fixed, Depth>;
  using Epilogue = StoreEpilogue<Columns, Depth, 0, true>;
  using Kernel = typename S::template Kernel<typename S::template Shape<Rows, Columns, Depth>, Input, Epilogue>;
  auto run = [&] {
    memory.result.poison();
    harness::launch(harness::linearKernel<Kernel, Input, Epilogue, e4m3>, Kernel::kLaunch, nullptr,
                    Input{x.data(), norm.data(), fixed.data()}, memory.weights[0].data(),
                    Epilogue{nullptr, memory.weightScales.data(), memory.result.data()});
    CHECK(cudaGetLastError());
    return memory.result.download();
  };
  std::vector<float> found = run();
  bool same = harness::sameBits(found, run());
  found.resize(size_t(Rows) * Columns), expected.resize(found.size());
  std::vector<double> reference(expected.begin(), expected.end());
  runner.report(name, harness::relativeError(found, reference), Normalizes ? 1e-3 : 2e-6);
  runner.expect(name + ": same bits again", same);
}

void testQuantizing(harness::Runner &runner) {
  using Few = Mma<16, 32, 4>;
  testQuantized<Skinny, float, true, 0, 1, 16768, 4096>(runner);
  testQuantized<Skinny, bf16, false, 0, 1, 4096, 14336>(runner);
  testQuantized<Skinny, float, true, 0, 4, 712, 4096>(runner);
  testQuantized<Skinny, bf16, false, 0, 3, 712, 4104>(runner);
  testQuantized<Skinny, bf16, true, 0, 12, 200, 1024>(runner);
  testQuantized<Skinny, float, false, 3, 2, 200, 96>(runner);
  testQuantized<Skinny, bf16, true, 2, 5, 200, 97>(runner);
  testQuantized<Few, float, true, 0, 1, 712, 4096>(runner);
  testQuantized<Few, bf16, false, 0, 1, 1200, 14336>(runner);
  testQuantized<Few, bf16, true, 0, 16, 200, 1024>(runner);
  testQuantized<Few, float, false, 3, 3, 200, 97>(runner);
  testQuantized<Mma<32, 32, 4>, float, true, 0, 17, 200, 320>(runner);
}

// --- timing ----------------------------------------------------------------------------------------------------------

template <class S, int Rows, int Columns, int Depth, int Group = 0> void bench(harness::Runner &runner) {
  using C = Case<S, Rows, Columns, Depth, Group, Depth>;
  std::string name = S::name() + " " + std::to_string(Rows) + "x" + std::to_string(Columns) + "x" +
                     std::to_string(Depth) + (Group ? " groups of " + std::to_string(Group) : "");
  if (!runner.benches(name))
    return;
  constexpr bool kIsMemoryBound = Rows <= 256;
  constexpr double kBytes = double(Columns) * Depth, kOperations = 2.0 * Rows * Columns * Depth;
  typename C::Memory memory(kIsMemoryBound ? harness::rotations(size_t(kBytes)) : 4, 8.0f, 0.0f);
  double time = harness::medianMicroseconds(
      [&](cudaStream_t stream, int i) { C::launch(memory, i % int(memory.weights.size()), stream); },
      kIsMemoryBound ? 50 : 10);
  if (kIsMemoryBound)
    name +=
        " (" + std::to_string(int(100 * kBytes / time * 1e-3 / harness::readBandwidth() + 0.5)) + "% of the bandwidth)";
  runner.benched(name, time, kIsMemoryBound ? kBytes : kOperations, kIsMemoryBound ? "GB/s" : "TFLOP/s");
}

template <class S, int Rows> void benchModel(harness::Runner &runner) {
  bench<S, Rows, 16768, 4096>(runner);
  bench<S, Rows, 4096, 8192>(runner);
  bench<S, Rows, 28672, 4096>(runner);
  bench<S, Rows, 4096, 14336>(runner);
}

void benchAll(harness::Runner &runner) {
  benchModel<Skinny, 1>(runner);
  benchModel<Skinny, 8>(runner);
  benchModel<Skinny, 16>(runner);
  benchModel<Middle<128, 1>, 64>(runner);
  benchModel<Middle<64, 2>, 64>(runner);
  benchModel<Middle<128, 1>, 256>(runner);
  benchModel<Middle<64, 2>, 256>(runner);
  benchModel<Large<256, 128, 4>, 4096>(runner);
  benchModel<Large<128, 128, 6>, 4096>(runner);
  benchModel<Large<128, 192, 4>, 4096>(runner);
  benchModel<Large<128, 256, 4>, 4096>(runner);
  benchModel<Middle<128, 1, true>, 64>(runner);
  benchModel<Middle<128, 1, true>, 256>(runner);
  benchModel<Middle<64, 2, true>, 256>(runner);
  benchModel<Large<128, 256, 4, true>, 4096>(runner);
  benchModel<Large<256, 128, 4, true>, 4096>(runner);
  benchModel<Mma<128, 128, 3>, 4096>(runner);
  bench<Large<128, 128, 6>, 4096, 16768, 4096, 128>(runner);
  bench<Skinny, 1, 16768, 4096, 128>(runner);
}

} // namespace

int main(int argc, char **argv) {
  harness::Runner runner(argc, argv);
  testMma(runner);
  testSkinny(runner);
  testQuantizing(runner);
  testMiddle(runner);
  testLarge(runner);
  benchAll(runner);
  return runner.exitCode();
}
