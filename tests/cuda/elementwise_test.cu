// Tests and times the collectives without matrix products: norm, embedding, rows by number, KV append, rope, argmax and
// element-wise maps.
#include "common/argmax.cuh"
#include "common/elementwise.cuh"
#include "common/embedding.cuh"
#include "common/kv_append.cuh"
#include "common/rms_norm.cuh"
#include "common/rope_rows.cuh"
#include "common/take_rows.cuh"
#include "tests/cuda/elementwise_common.cuh"

using namespace bambac;
using namespace harness;
using namespace elementwise_test;

namespace {

// --- RMS norm ----------------------------------------------------------------------------------------------------

template <int RowCount, int Columns> struct NormShape {
  static constexpr int kRows = RowCount, kColumns = Columns, kVector = 8;
  static constexpr float kEpsilon = 1e-5f;
};

template <class Shape, class In, class Out> void testNorm(Runner &runner, const std::string &name) {
  if (!runner.wants(name))
    return;
  constexpr int kRows = Shape::kRows, kColumns = Shape::kColumns;
  std::vector<In> x = fromFloats<In>(randomFloats(size_t(kRows) * kColumns, 1, 3.0f));
  std::vector<float> weight = randomFloats(kColumns, 3);
  DeviceBuffer<In> xDevice(x);
  DeviceBuffer<float> weightDevice(weight);
  DeviceBuffer<Out> result(x.size());
  const Rows<const In, kColumns> input{xDevice.data()};
  const float *w = weightDevice.data();
  const Rows<Out, kColumns> output{result.data()};
  enqueue<RmsNorm<Shape>>(0, input, w, output);
  std::vector<double> reference(x.size());
  for (int r = 0; r < kRows; ++r) {
    double squares = 0;
    for (size_t i = size_t(r) * kColumns; i < size_t(r + 1) * kColumns; ++i) {
      reference[i] = toDouble(x[i]);
      squares += reference[i] * reference[i];
    }
    for (int c = 0; c < kColumns; ++c)
      reference[size_t(r) * kColumns + c] *= weight[c] / std::sqrt(squares / kColumns + Shape::kEpsilon);
  }
  runner.report(name, relativeError(result.download(), reference), sizeof(Out) == 4 ? 1e-5 : tolerance(5e-3));
}

template <int RowCount> void benchNorm(Runner &runner, const std::string &name) {
  if (!runner.benches(name))
    return;
  using Shape = NormShape<RowCount, 4096>;
  const size_t elements = size_t(RowCount) * 4096;
  const int copies = rotations(elements * 6);
  DeviceBuffer<float> x(copies * elements), weight(4096);
  DeviceBuffer<Operand> y(copies * elements);
  x.randomize(1), weight.randomize(2);
  double time = medianMicroseconds([&](cudaStream_t stream, int i) {
    const size_t offset = i % copies * elements;
    enqueue<RmsNorm<Shape>>(stream, Rows<const float, 4096>{x.data() + offset}, (const float *)weight.data(),
                            Rows<Operand, 4096>{y.data() + offset});
  });
  runner.benched(name, time, elements * 6.0, "GB/s");
}

// --- embedding and rows by number --------------------------------------------------------------------------------

template <int RowCount, int Columns, int Vocabulary> struct EmbeddingShape {
  static constexpr int kRows = RowCount, kColumns = Columns, kVocabulary = Vocabulary, kVector = 8;
  static constexpr int kMultiprocessors = kDevice;
};

/// Three rows of as many as an embedding gives.
template <class Embedded> struct TakeShape {
  static constexpr int kRows = 3, kInputRows = Embedded::kRows, kColumns = Embedded::kColumns, kVector = 8;
  static constexpr int kMultiprocessors = kDevice;
};

template <class Shape> void testEmbedding(Runner &runner, const std::string &name) {
  if (!runner.wants(name))
    return;
  constexpr int kColumns = Shape::kColumns;
  std::vector<Operand> table = randomOperands(size_t(Shape::kVocabulary) * kColumns, 1);
  DeviceBuffer<Operand> rows(table);
  std::vector<int> tokens(Shape::kRows);
  for (int r = 0; r < Shape::kRows; ++r)
    tokens[r] = r % 5 == 4 ? -1 : (r * 7919 + 3) % Shape::kVocabulary;
  DeviceBuffer<int> tokensDevice(tokens);
  DeviceBuffer<float> result(size_t(Shape::kRows) * kColumns);
  std::vector<double> reference;
  for (int token : tokens)
    for (int c = 0; c < kColumns; ++c)
      reference.push_back(toDouble(table[size_t(std::max(token, 0)) * kColumns + c]));
  const Rows<float, kColumns> output{result.data()};
  enqueue<Embedding<Shape>>(0, (const int *)tokensDevice.data(), Rows<const Operand, kColumns>{rows.data()}, output);
  runner.report(name, relativeError(result.download(), reference), 0.0);

  const std::vector<int> list = {Shape::kRows - 1, 0, Shape::kRows - 1};
  DeviceBuffer<int> numbers(list);
  DeviceBuffer<float> taken(size_t(3) * kColumns);
  enqueue<TakeRows<TakeShape<Shape>>>(0, Rows<const float, kColumns>{result.data()}, (const int *)numbers.data(),
                                      Rows<float, kColumns>{taken.data()});
  std::vector<double> takenReference;
  for (int row : list)
    takenReference.insert(takenReference.end(), reference.begin() + row * kColumns,
                          reference.begin() + (row + 1) * kColumns);
  runner.report(name + " rows by number", relativeError(taken.download(), takenReference), 0.0);
}

template <int RowCount> void benchEmbedding(Runner &runner, const std::string &name) {
  if (!runner.benches(name))
    return;
  using Shape = EmbeddingShape<RowCount, 4096, 128256>;
  DeviceBuffer<Operand> table(size_t(128256) * 4096);
  DeviceBuffer<float> result(size_t(RowCount) * 4096);
  table.randomize(1);
  const int copies = rotations(size_t(RowCount) * 4096 * 2);
  std::vector<int> tokens(size_t(copies) * RowCount);
  for (size_t i = 0; i < tokens.size(); ++i)
    tokens[i] = int((i * 7919 + 3) % 128256);
  DeviceBuffer<int> tokensDevice(tokens);
  double time = medianMicroseconds([&](cudaStream_t stream, int i) {
    enqueue<Embedding<Shape>>(stream, (const int *)tokensDevice.data() + i % copies * RowCount,
                              Rows<const Operand, 4096>{table.data()}, Rows<float, 4096>{result.data()});
  });
  runner.benched(name, time, RowCount * 4096 * 6.0, "GB/s");
}

// --- KV append and rope ------------------------------------------------------------------------------------------

template <int Sequences, int Tokens, int KvHeads, int HeadDim, int RotaryDim, bool Interleaved = false> struct KvShape {
  static constexpr int kRows = Sequences * Tokens, kTokens = Tokens, kKvHeads = KvHeads, kHeads = KvHeads;
  static constexpr int kHeadDim = HeadDim, kRotaryDim = RotaryDim, kPageTokens = 64, kMaxPages = 4096;
  static constexpr int kVector = 8, kMultiprocessors = kDevice;
  static constexpr bool kInterleaved = Interleaved;
  // Those that turn their heads whole also stretch them, as yarn and longrope do.
  static constexpr float kRotationScale = RotaryDim == HeadDim ? 1.25f : 1.0f;
};

template <class Shape> std::vector<float> frequenciesOf() {
  std::vector<float> frequencies;
  for (int j = 0; j < Shape::kRotaryDim / 2; ++j)
    frequencies.push_back(float(std::pow(1e4, -2.0 * j / Shape::kRotaryDim)));
  return frequencies;
}

/// A head rotated with f32 frequencies and angles, the rest in f64.
template <class Shape> std::vector<double> rotated(const Operand *head, int position) {
  std::vector<double> result(Shape::kHeadDim);
  for (int i = 0; i < Shape::kHeadDim; ++i)
    result[i] = toDouble(head[i]);
  constexpr int kHalf = Shape::kRotaryDim / 2;
  for (int j = 0; j < kHalf; ++j) {
    float angle = float(position) * frequenciesOf<Shape>()[j];
    int one = Shape::kInterleaved ? 2 * j : j, other = Shape::kInterleaved ? 2 * j + 1 : j + kHalf;
    double first = Shape::kRotationScale * toDouble(head[one]), second = Shape::kRotationScale * toDouble(head[other]);
    result[one] = first * std::cos(double(angle)) - second * std::sin(double(angle));
    result[other] = second * std::cos(double(angle)) + first * std::sin(double(angle));
  }
  return result;
}

template <class Shape> void testKvAppend(Runner &runner, const std::string &name) {
  if (!runner.wants(name))
    return;
  constexpr int kColumns = Shape::kKvHeads * Shape::kHeadDim, kWidth = 2 * kColumns, kPages = 16;
  constexpr int kSequences = Shape::kRows / Shape::kTokens;
  constexpr size_t kPageElements = size_t(Shape::kKvHeads) * Shape::kPageTokens * Shape::kHeadDim;
  std::vector<Operand> kv = randomOperands(size_t(Shape::kRows) * kWidth, 1);
  std::vector<int> positions(Shape::kRows), pieces(Shape::kRows), pages(size_t(kSequences) * Shape::kMaxPages, 0);
  std::vector<Operand> keys(kPages * kPageElements, Operand{0xffff}), values = keys;
  std::vector<double> rope;
  for (int r = 0; r < Shape::kRows; ++r) {
    int b = r / Shape::kTokens, t = r % Shape::kTokens;
    pieces[r] = b;
    // Sequence 0 at the end of the longest context, the others across an edge of pages; the last row is padding.
    positions[r] = r == Shape::kRows - 1 && r > 0 ? -1 : (b == 0 ? 262144 - Shape::kTokens : 61 + b) + t;
    if (positions[r] >= 0)
      pages[size_t(b) * Shape::kMaxPages + positions[r] / 64] = 1 + (b * 5 + positions[r] / 64) % (kPages - 1);
  }
  for (int r = 0; r < Shape::kRows; ++r)
    for (int h = 0; h < Shape::kKvHeads; ++h) {
      const Operand *key = kv.data() + size_t(r) * kWidth + h * Shape::kHeadDim;
      std::vector<double> turned = rotated<Shape>(key, positions[r]);
      rope.insert(rope.end(), turned.begin(), turned.end());
      if (positions[r] < 0)
        continue;
      int page = pages[size_t(r / Shape::kTokens) * Shape::kMaxPages + positions[r] / 64];
      size_t to = page * kPageElements + (size_t(h) * 64 + positions[r] % 64) * Shape::kHeadDim;
      std::copy_n(key, Shape::kHeadDim, &keys[to]);
      std::copy_n(key + kColumns, Shape::kHeadDim, &values[to]);
    }
  const std::vector<Operand> untouched(keys.size(), Operand{0xffff});
  DeviceBuffer<Operand> kvDevice(kv), kCache(untouched), vCache(untouched), result(size_t(Shape::kRows) * kColumns);
  DeviceBuffer<int> positionsDevice(positions), pagesDevice(pages), piecesDevice(pieces);
  const Rows<const Operand, kWidth> k{kvDevice.data()}, v{kvDevice.data() + kColumns};
  enqueue<KvAppend<Shape>>(0, k, v, (const int *)positionsDevice.data(), (const int *)pagesDevice.data(),
                           Shape::kTokens > 1 ? (const int *)piecesDevice.data() : nullptr, kCache.data(),
                           vCache.data());
  runner.expect(name + " keys", sameBits(kCache.download(), keys));
  runner.expect(name + " values", sameBits(vCache.download(), values));
  DeviceBuffer<float> frequencies(frequenciesOf<Shape>());
  enqueue<RopeRows<Shape>>(0, k, (const int *)positionsDevice.data(), (const float *)frequencies.data(),
                           Rows<Operand, kColumns>{result.data()});
  runner.report(name + " rope rows", relativeError(result.download(), rope), tolerance(3e-3));
}

template <int RowCount> void benchKvAppend(Runner &runner, const std::string &name) {
  if (!runner.benches(name))
    return;
  using Shape = KvShape<1, RowCount, 8, 128, 64>;
  const size_t elements = size_t(RowCount) * 6144;
  DeviceBuffer<Operand> qkv(elements), kCache(size_t(64) * 8 * 64 * 128), vCache(size_t(64) * 8 * 64 * 128);
  qkv.randomize(1);
  std::vector<int> positions(RowCount), pages(Shape::kMaxPages);
  for (int r = 0; r < RowCount; ++r)
    positions[r] = r;
  for (int p = 0; p < Shape::kMaxPages; ++p)
    pages[p] = p % 64;
  DeviceBuffer<int> positionsDevice(positions), pagesDevice(pages), piecesDevice(std::vector<int>(RowCount, 0));
  double time = medianMicroseconds([&](cudaStream_t stream, int) {
    enqueue<KvAppend<Shape>>(stream, Rows<const Operand, 6144>{qkv.data() + 4096},
                             Rows<const Operand, 6144>{qkv.data() + 5120}, (const int *)positionsDevice.data(),
                             (const int *)pagesDevice.data(), (const int *)piecesDevice.data(), kCache.data(),
                             vCache.data());
  });
  runner.benched(name, time, RowCount * 8192.0, "GB/s");
}

// --- argmax ------------------------------------------------------------------------------------------------------

template <int RowCount, int Columns, int Splits> struct ArgmaxShape {
  static constexpr int kRows = RowCount, kColumns = Columns, kVector = 4, kSplits = Splits;
};

template <class Shape> void testArgmax(Runner &runner, const std::string &name) {
  if (!runner.wants(name))
    return;
  constexpr int kColumns = Shape::kColumns;
  std::vector<float> logits = randomFloats(size_t(Shape::kRows) * kColumns, 1);
  for (int r = 0; r < Shape::kRows; ++r) {
    float *row = logits.data() + size_t(r) * kColumns;
    switch (r % 7) {
    case 1: // the first of equal ones
      row[kColumns / 3] = row[kColumns - 1] = 2.0f;
      break;
    case 2: // one NaN, of either sign, is found
      row[kColumns / 2] = r % 12 == 2 ? NAN : -NAN;
      break;
    case 3: // all negative, zeros of both signs
      for (int c = 0; c < kColumns; ++c)
        row[c] = -1.0f - std::fabs(row[c]);
      row[kColumns / 2] = -0.0f, row[kColumns - 1] = 0.0f;
      break;
    case 4:
      std::fill(row, row + kColumns, NAN);
      row[kColumns - 2] = -INFINITY;
      break;
    case 5:
      row[kColumns - 1] = INFINITY;
      break;
    case 6:
      std::fill(row, row + kColumns, -INFINITY);
      break;
    }
  }
  std::vector<int> reference;
  for (int r = 0; r < Shape::kRows; ++r) {
    const float *row = logits.data() + size_t(r) * kColumns;
    int best = int(std::max_element(row, row + kColumns) - row);
    bool numbers = std::all_of(row, row + kColumns, [](float value) { return value == value; });
    reference.push_back(numbers ? best : -1);
  }
  DeviceBuffer<float> logitsDevice(logits);
  DeviceBuffer<unsigned> workspace(kWorkspaceCounters + Argmax<Shape>::kLaunch.workspace / 4);
  workspace.zero();
  for (int run = 0; run < 2; ++run) { // the second finds the counters as the first left them
    DeviceBuffer<int> result(size_t(Shape::kRows));
    enqueue<Argmax<Shape>>(0, Rows<const float, kColumns>{logitsDevice.data()}, result.data(),
                           (void *)workspace.data());
    runner.expect(name + (run ? " again" : ""), sameBits(result.download(), reference));
  }
}

template <int RowCount, int Splits> void benchArgmax(Runner &runner, const std::string &name) {
  if (!runner.benches(name))
    return;
  using Shape = ArgmaxShape<RowCount, 128256, Splits>;
  const size_t elements = size_t(RowCount) * 128256;
  const int copies = rotations(elements * 4);
  DeviceBuffer<float> logits(copies * elements);
  DeviceBuffer<int> result(size_t{RowCount});
  DeviceBuffer<unsigned> workspace(kWorkspaceCounters + Argmax<Shape>::kLaunch.workspace / 4);
  logits.randomize(1), workspace.zero();
  double time = medianMicroseconds([&](cudaStream_t stream, int i) {
    enqueue<Argmax<Shape>>(stream, Rows<const float, 128256>{logits.data() + i % copies * elements}, result.data(),
                           (void *)workspace.data());
  });
  runner.benched(name, time, elements * 4.0, "GB/s");
}

// --- element-wise maps -------------------------------------------------------------------------------------------

template <int RowCount, int Columns, int V> struct MapShape {
  static constexpr int kRows = RowCount, kColumns = Columns, kVector = V, kMultiprocessors = kDevice;
};

/// silu(gate) * up, as an emitter would print it.
template <int Columns> struct SwigluBody {
  const Operand *gate, *up;
  Operand *result;
  template <int V> __device__ __forceinline__ void apply(int row, int column) const {
    const long long at = static_cast<long long>(row) * Columns + column;
    float gates[V], values[V];
    loadVector<V>(gate + at, gates);
    loadVector<V>(up + at, values);
#pragma unroll
    for (int i = 0; i < V; ++i)
      values[i] *= silu(gates[i]);
    storeVector<V>(result + at, values);
  }
};

template <class Shape> void testElementwise(Runner &runner, const std::string &name) {
  if (!runner.wants(name))
    return;
  const size_t elements = size_t(Shape::kRows) * Shape::kColumns;
  std::vector<Operand> gate = randomOperands(elements, 1, 4.0f), up = randomOperands(elements, 2);
  DeviceBuffer<Operand> gateDevice(gate), upDevice(up), result(elements);
  using Body = SwigluBody<Shape::kColumns>;
  enqueue<Elementwise<Shape, Body>>(0, Body{gateDevice.data(), upDevice.data(), result.data()});
  std::vector<double> reference(elements);
  for (size_t i = 0; i < elements; ++i)
    reference[i] = siluOf(toDouble(gate[i])) * toDouble(up[i]);
  runner.report(name, relativeError(result.download(), reference), tolerance(5e-3));
}

void runTests(Runner &runner) {
  testNorm<NormShape<5, 24>, float, Operand>(runner, "rms_norm 5x24");
  testNorm<NormShape<3, 37>, Operand, float>(runner, "rms_norm 3x37");
  testNorm<NormShape<7, 512>, float, float>(runner, "rms_norm 7x512");
  testNorm<NormShape<3, 4096>, float, Operand>(runner, "rms_norm 3x4096");
  testNorm<NormShape<3, 5000>, Operand, Operand>(runner, "rms_norm 3x5000");
  testNorm<NormShape<2, 8192>, Operand, Operand>(runner, "rms_norm 2x8192");
  testNorm<NormShape<2, 20001>, float, Operand>(runner, "rms_norm 2x20001");
  testEmbedding<EmbeddingShape<12, 36, 100>>(runner, "embedding 12x36");
  testEmbedding<EmbeddingShape<66, 4096, 1000>>(runner, "embedding 66x4096");
  testEmbedding<EmbeddingShape<6, 27, 9>>(runner, "embedding 6x27");
  testKvAppend<KvShape<3, 5, 2, 36, 12>>(runner, "kv_append 36 rotary 12");
  testKvAppend<KvShape<4, 1, 8, 128, 64>>(runner, "kv_append 128 rotary 64");
  testKvAppend<KvShape<2, 40, 8, 128, 128>>(runner, "kv_append 128 rotary 128");
  testKvAppend<KvShape<3, 2, 3, 20, 20>>(runner, "kv_append 20 rotary 20");
  testKvAppend<KvShape<3, 5, 2, 36, 12, true>>(runner, "kv_append 36 interleaved 12");
  testKvAppend<KvShape<2, 40, 8, 128, 128, true>>(runner, "kv_append 128 interleaved 128");
  testArgmax<ArgmaxShape<1, 128256, 126>>(runner, "argmax 1x128256");
  testArgmax<ArgmaxShape<12, 1003, 3>>(runner, "argmax 12x1003");
  testArgmax<ArgmaxShape<9, 10, 8>>(runner, "argmax 9x10");
  testArgmax<ArgmaxShape<140, 256, 1>>(runner, "argmax 140x256");
  testArgmax<ArgmaxShape<64, 12800, 2>>(runner, "argmax 64x12800");
  testElementwise<MapShape<3, 37, 8>>(runner, "elementwise 3x37");
  testElementwise<MapShape<5, 14336, 8>>(runner, "elementwise 5x14336");
}

} // namespace

int main(int argc, char **argv) {
  Runner runner(argc, argv);
  runTests(runner);
  benchNorm<1>(runner, "rms_norm 1x4096");
  benchNorm<64>(runner, "rms_norm 64x4096");
  benchNorm<4096>(runner, "rms_norm 4096x4096");
  benchEmbedding<1>(runner, "embedding 1");
  benchEmbedding<64>(runner, "embedding 64");
  benchEmbedding<4096>(runner, "embedding 4096");
  benchKvAppend<64>(runner, "kv_append 64");
  benchKvAppend<4096>(runner, "kv_append 4096");
  benchArgmax<1, 126>(runner, "argmax 1x128256");
  benchArgmax<64, 2>(runner, "argmax 64x128256");
  benchArgmax<256, 1>(runner, "argmax 256x128256");
  return runner.exitCode();
}
