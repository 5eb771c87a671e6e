// Tests and times the convolution of pieces.
#include "common/causal_conv1d.cuh"
#include "tests/cuda/elementwise_common.cuh"

using namespace bambac;
using namespace harness;
using namespace elementwise_test;

namespace {

template <int Sequences, int Tokens, int Channels, int Taps, int Width, int Offset, int Ring = Taps> struct ConvShape {
  static constexpr int kPieces = Sequences, kTokens = Tokens, kRows = Sequences * Tokens, kChannels = Channels;
  static constexpr int kTaps = Taps, kConvRing = Ring;
  static constexpr int kWidth = Width, kOffset = Offset; // of the buffer whose columns are convolved
  static constexpr int kVector = dividingVector(8, Width | Offset | Channels), kMultiprocessors = kDevice;
};

/// Several calls, one after the other: each sequence has a token more than the one before it, at most kTokens. Against
/// the convolution of all tokens.
template <class Shape, class Kept = float> void testConvolution(Runner &runner, const std::string &name, int present) {
  if (!runner.wants(name))
    return;
  constexpr int kTokens = Shape::kTokens, kChannels = Shape::kChannels, kTaps = Shape::kTaps,
                kSlots = Shape::kPieces + 1, kRingRows = Shape::kConvRing;
  constexpr size_t kRing = size_t(kRingRows) * kChannels;
  std::vector<float> weight = randomFloats(size_t(kTaps) * kChannels, 1), bias = randomFloats(kChannels, 2);
  std::vector<double> ringReference(kSlots * kRing, 0.0);
  DeviceBuffer<float> weightDevice(weight), biasDevice(bias);
  DeviceBuffer<Kept> ring(kSlots * kRing);
  DeviceBuffer<Operand> result(size_t(Shape::kRows) * kChannels);
  ring.zero();
  std::vector<int> slots;
  for (int b = 0; b < Shape::kPieces; ++b)
    slots.push_back(Shape::kPieces - b);
  DeviceBuffer<int> slotsDevice(slots);
  double worst = 0;
  std::vector<int> lengths(Shape::kPieces, 0);
  int call = 0;
  for (int least : {kTokens, present, 0, present}) {
    std::vector<Operand> input = randomOperands(size_t(Shape::kRows) * Shape::kWidth, 10 + call++);
    std::vector<int> positions, starts = {0};
    for (int b = 0; b < Shape::kPieces; ++b) {
      int count = least ? std::min(least + b, kTokens) : 0;
      starts.push_back(starts.back() + count);
      positions.resize(starts.back(), lengths[b]);
    }
    positions.resize(Shape::kRows, -1);
    DeviceBuffer<Operand> inputDevice(input);
    DeviceBuffer<int> startsDevice(starts), positionsDevice(positions);
    result.poison();
    enqueue<CausalConv1d<Shape>>(0, Rows<const Operand, Shape::kWidth>{inputDevice.data() + Shape::kOffset},
                                 (const float *)weightDevice.data(), (const float *)biasDevice.data(), ring.data(),
                                 (const int *)slotsDevice.data(), (const int *)startsDevice.data(),
                                 (const int *)positionsDevice.data(), Rows<Operand, kChannels>{result.data()});
    std::vector<Operand> all = result.download(), checked;
    std::vector<double> reference;
    for (int b = 0; b < Shape::kPieces; ++b)
      for (int r = starts[b]; r < starts[b + 1]; ++r) {
        const Operand *row = input.data() + size_t(r) * Shape::kWidth + Shape::kOffset;
        const int position = lengths[b]++;
        double *rows = ringReference.data() + slots[b] * kRing;
        for (int c = 0; c < kChannels; ++c) {
          rows[position % kRingRows * kChannels + c] = toDouble(row[c]);
          double sum = bias[c];
          for (int j = 0; j < kTaps; ++j)
            sum += weight[j * kChannels + c] * rows[(position + kRingRows - kTaps + 1 + j) % kRingRows * kChannels + c];
          reference.push_back(siluOf(sum));
          checked.push_back(all[size_t(r) * kChannels + c]);
        }
      }
    worst = std::max(worst, relativeError(checked, reference));
  }
  runner.report(name + " results", worst, tolerance(5e-3));
  runner.report(name + " ring", relativeError(ring.download(), ringReference), 0.0);
}

template <int Tokens> void benchConvolution(Runner &runner, const std::string &name) {
  if (!runner.benches(name))
    return;
  using Shape = ConvShape<1, Tokens, 8448, 4, 16768, 8192>;
  const size_t inputs = size_t(Tokens) * Shape::kWidth, outputs = size_t(Tokens) * Shape::kChannels;
  const int copies = rotations(outputs * 4);
  DeviceBuffer<Operand> input(copies * inputs), result(copies * outputs);
  DeviceBuffer<float> weight(5 * size_t(Shape::kChannels)), ring(4 * size_t(Shape::kChannels));
  DeviceBuffer<int> slots(std::vector<int>{0}), starts(std::vector<int>{0, Tokens}),
      positions(std::vector<int>(Tokens, 0));
  input.randomize(1), weight.randomize(2), ring.zero();
  double time = medianMicroseconds([&](cudaStream_t stream, int i) {
    const int copy = i % copies;
    enqueue<CausalConv1d<Shape>>(
        stream, Rows<const Operand, Shape::kWidth>{input.data() + copy * inputs + Shape::kOffset},
        (const float *)weight.data(), (const float *)weight.data() + 4 * Shape::kChannels, ring.data(),
        (const int *)slots.data(), (const int *)starts.data(), (const int *)positions.data(),
        Rows<Operand, Shape::kChannels>{result.data() + copy * outputs});
  });
  runner.benched(name, time, outputs * 4.0, "GB/s");
}

} // namespace

int main(int argc, char **argv) {
  Runner runner(argc, argv);
  testConvolution<ConvShape<2, 16, 168, 4, 420, 120>>(runner, "conv 2x16x168", 5);
  testConvolution<ConvShape<9, 40, 72, 4, 80, 8>>(runner, "conv 9 pieces", 1);
  testConvolution<ConvShape<2, 16, 168, 4, 420, 120>, Operand>(runner, "conv 2x16x168, narrow ring", 5);
  testConvolution<ConvShape<1, 7, 33, 3, 101, 13>, Operand>(runner, "conv 1x7x33, narrow ring", 1);
  testConvolution<ConvShape<1, 7, 33, 3, 101, 13>>(runner, "conv 1x7x33", 1);
  testConvolution<ConvShape<1, 2, 40, 4, 40, 0>>(runner, "conv 1x2x40", 1);
  testConvolution<ConvShape<2, 3, 40, 4, 40, 0, 9>>(runner, "conv 2x3x40, ring of 9", 2);
  testConvolution<ConvShape<2, 3, 9, 1, 20, 2>>(runner, "conv 1 tap", 2);
  testConvolution<ConvShape<1, 20, 24, 7, 24, 0>>(runner, "conv 7 taps", 6);
  testConvolution<ConvShape<1, 300, 8448, 4, 16768, 8192>>(runner, "conv 1x300x8448", 131);
  testConvolution<ConvShape<1, 1, 8448, 4, 16768, 8192>>(runner, "conv 1x1x8448", 1);
  benchConvolution<64>(runner, "conv 64x8448");
  benchConvolution<4096>(runner, "conv 4096x8448");
  return runner.exitCode();
}
