// Tests how f32 becomes an operand and how operands are read, one by one and in vectors.
#include "tests/cuda/harness.cuh"

using namespace bambac;
using namespace harness;

namespace {

/// Vectors rounded, one by one and at once, and read again.
__global__ void roundKernel(const float *from, Operand *wide, Operand *narrow, float *again) {
  float values[8];
  loadVector(from + threadIdx.x * 8, values);
  storeVector(wide + threadIdx.x * 8, values);
  for (int i = 0; i < 8; ++i)
    narrow[threadIdx.x * 8 + i] = fromFloat<Operand>(values[i]);
  loadVector(wide + threadIdx.x * 8, values);
  storeVector(again + threadIdx.x * 8, values);
}

/// Numbers of all sizes, ties, and what an operand cannot hold, against the conversion on the host.
void testRounding(Runner &runner) {
  if (!runner.wants("rounding"))
    return;
  constexpr int kThreads = 512;
  std::vector<float> values = {0.0f,          -0.0f,       65504.0f,     65519.9f,     65520.0f, 1e9f,     -1e9f,
                               INFINITY,      -INFINITY,   NAN,          0x1p-14f,     0x1p-24f, 0x1p-25f, 0x1.8p-24f,
                               -0x1.ffcp-15f, 1 + 0x1p-8f, 1 + 0x1p-11f, 1 + 0x3p-11f, 3.3e38f,  -3.3e38f};
  for (int i = 0; values.size() < kThreads * 8; ++i)
    values.push_back(std::ldexp(randomAt(1, i), i % 80 - 40));
  DeviceBuffer<float> from(values), again(values.size());
  DeviceBuffer<Operand> wide(values.size()), narrow(values.size());
  roundKernel<<<1, kThreads>>>(from.data(), wide.data(), narrow.data(), again.data());
  CHECK(cudaGetLastError());
  std::vector<Operand> expected = fromFloats<Operand>(values), atOnce = wide.download(), single = narrow.download();
  std::vector<float> back = again.download();
  bool same = true, sameBack = true;
  for (size_t i = 0; i < values.size(); ++i) {
    bool isNan = std::isnan(values[i]);
    same &= isNan ? std::isnan(toDouble(atOnce[i])) : atOnce[i].bits == expected[i].bits;
    same &= isNan ? std::isnan(toDouble(single[i])) : single[i].bits == expected[i].bits;
    sameBack &= isNan ? std::isnan(back[i]) : back[i] == toDouble(expected[i]);
  }
  runner.expect("rounding", same);
  runner.expect("rounding, read again", sameBack);
}

} // namespace

int main(int argc, char **argv) {
  Runner runner(argc, argv);
  testRounding(runner);
  return runner.exitCode();
}
