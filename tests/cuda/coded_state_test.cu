// Codes and scales of states, bit for bit those of the formula on the host, and read back.
#include "tests/cuda/host_states.cuh"

using namespace bambac;
using namespace harness;

namespace {

/// A warp has 16 rows.
template <int Rows, int Columns> __global__ void quantize(const float *from, int8 *codes, float *scales, float *back) {
  constexpr int kCount = ceilDiv(Columns, 8) * 4;
  const int lane = threadIdx.x % 32, firstRow = threadIdx.x / 32 * 16 + lane / 4;
  float values[kCount];
  auto place = [&](int i, int &row, int &column) {
    row = firstRow + i / 2 % 2 * 8, column = lane % 4 * 2 + i / 4 * 8 + i % 2;
    return row < Rows && column < Columns;
  };
  int row, column;
  for (int i = 0; i < kCount; ++i)
    values[i] = place(i, row, column) ? from[row * Columns + column] : 0.0f;
  auto element = [&](int i) -> float & { return values[i]; };
  moveCodedFragment<false, kCount, Rows, Columns>(codes, scales, firstRow, lane, element);
  __syncwarp();
  moveCodedFragment<true, kCount, Rows, Columns>(codes, scales, firstRow, lane, element);
  for (int i = 0; i < kCount; ++i)
    if (place(i, row, column))
      back[row * Columns + column] = values[i];
}

template <int Rows, int Columns> void test(Runner &runner, const std::string &name) {
  if (!runner.wants(name))
    return;
  std::vector<float> values = randomFloats(size_t(Rows) * Columns, 1);
  auto row = [&](int number) { return &values[size_t(number) * Columns]; };
  std::fill(row(0), row(1), 0.0f);
  for (int c = 0; c < Columns; ++c) {
    row(1)[c] *= 1e-35f;                           // below 2^-100: taken for zero
    row(2)[c] *= 1e-30f;                           // but this is not
    row(3)[c] = c == 0 ? 127.0f : (c % 12) - 5.5f; // ties
    row(4)[c] *= 1e30f;
  }
  row(5)[Columns / 2] = NAN;
  row(6)[Columns / 2] = INFINITY;
  DeviceBuffer<float> from(values), scales(Rows), back(values.size());
  DeviceBuffer<int8> codes(values.size());
  quantize<Rows, Columns><<<1, ceilDiv(Rows, 16) * 32>>>(from.data(), codes.data(), scales.data(), back.data());
  CHECK(cudaGetLastError());
  std::vector<int8> foundCodes = codes.download(), wanted(Columns);
  std::vector<float> foundScales = scales.download(), foundBack = back.download();
  int others = 0, numbers = 0;
  for (int r = 0; r < Rows; ++r) {
    if (r == 5 || r == 6) { // nothing of such a row is a number
      for (int c = 0; c < Columns; ++c)
        numbers += std::isfinite(foundBack[r * Columns + c]);
      continue;
    }
    float scale = host_states::quantizeRow(row(r), Columns, wanted.data());
    others += std::memcmp(&scale, &foundScales[r], 4) != 0;
    for (int c = 0; c < Columns; ++c) {
      others += wanted[c] != foundCodes[r * Columns + c];
      float read = wanted[c] * scale;
      others += std::memcmp(&read, &foundBack[r * Columns + c], 4) != 0;
    }
  }
  runner.report(name + " other codes, scales or elements", others, 0.0);
  runner.report(name + " numbers in rows of NaN and infinity", numbers, 0.0);
}

} // namespace

int main(int argc, char **argv) {
  Runner runner(argc, argv);
  test<64, 128>(runner, "codes 64x128");
  test<20, 24>(runner, "codes 20x24");
  test<7, 17>(runner, "codes 7x17");
  return runner.exitCode();
}
