// Weights: packing, conversion, the check against the manifest, progress, and random numbers.

#include "runtime/checkpoint/manifest.h"
#include "runtime/contract/weight_layout.h"
#include "runtime/host/weight_pack.h"
#include "runtime/model/weights.h"
#include "runtime/support/element.h"
#include "tests/runtime/toy_model.h"
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

using namespace bambac::rt;
using namespace bambac::rt::toy;
namespace contract = bambac::contract;

namespace {

const CpuBackend processor(toyTable);

/// How a weight is stored.
struct Shape {
  uint32_t panel = 0, flags = 0, group = 1, align = 1;
  uint32_t headDim = 0, rotaryDim = 0; ///< of every source
};

/// Packs sources of `rows` rows each in two pieces, and reads the result back element by element.
class Packed {
public:
  Packed(std::vector<uint64_t> sourceRows, uint64_t cols, Shape shape, bamba_rt_dtype dtype = BAMBA_RT_F32)
      : shape(shape), sourceRows(std::move(sourceRows)) {
    uint64_t rows = 0;
    for (uint64_t r : this->sourceRows)
      rows += r;
    weight = {};
    weight.name = "w";
    weight.dtype = dtype;
    weight.panel = shape.panel;
    weight.flags = shape.flags;
    weight.num_sources = static_cast<uint32_t>(this->sourceRows.size());
    weight.panel_group = shape.group;
    weight.panel_align = shape.align;
    weight.rows = rows;
    weight.cols = cols;
    weight.bytes = packedBytes(weight);
    elementSize = elementBytes(dtype);
    values.resize(rows * cols * elementSize);
    std::minstd_rand random(7);
    for (std::byte &value : values)
      value = static_cast<std::byte>(random() >> 8);
    memory.resize(weight.bytes);
    std::vector<WeightSource> sources;
    const std::byte *data = values.data();
    for (uint64_t r : this->sourceRows) {
      sources.push_back({data, dtype, Initializer(0, "", 1), r, shape.headDim, shape.rotaryDim});
      data += r * cols * elementSize;
    }
    uint64_t middle = rows / 3;
    for (auto [begin, end] : {std::pair(middle, rows), std::pair(uint64_t{0}, middle)})
      packRows(weight, sources, begin, end, memory.data() + packedRange(weight, begin, end).begin);
  }

  /// Checks every element against the formulas of weight_layout.h, and that the rest is zero.
  void check() const {
    bool transposed = weight.flags & BAMBA_RT_WEIGHT_TRANSPOSE;
    uint64_t rows = transposed ? weight.cols : weight.rows, cols = transposed ? weight.rows : weight.cols;
    uint64_t p = weight.panel ? weight.panel : 1, g = weight.panel_group, align = weight.panel_align;
    uint64_t width = contract::paddedWidth(cols, align);
    std::vector<std::byte> expected(memory.size());
    ASSERT_EQ(expected.size(), contract::paddedRows(rows, p) * width * elementSize);
    for (uint64_t r = 0; r < rows; ++r)
      for (uint64_t c = 0; c < cols; ++c) {
        uint64_t offset = contract::panelOffset(r, c, p, g, width);
        uint64_t from = transposed ? sourceRow(c) * weight.cols + r : sourceRow(r) * weight.cols + c;
        std::copy_n(values.begin() + from * elementSize, elementSize, expected.begin() + offset * elementSize);
      }
    EXPECT_EQ(memory, expected);
  }

private:
  /// The row of the sources, one after another, that row `r` of the weight comes from.
  uint64_t sourceRow(uint64_t r) const {
    if (!(weight.flags & BAMBA_RT_WEIGHT_INTERLEAVE))
      return contract::rotaryRowAt(r, shape.headDim, shape.rotaryDim); // sources are whole heads
    contract::SourceRow found = contract::interleavedRowAt(r, sourceRows.size());
    return found.source * sourceRows[0] + contract::rotaryRowAt(found.place, shape.headDim, shape.rotaryDim);
  }

  Shape shape;
  std::vector<uint64_t> sourceRows;
  bamba_rt_weight weight;
  size_t elementSize = 0;
  std::vector<std::byte> values, memory;
};

Failure loadFailure(const std::vector<TestTensor> &tensors) {
  TemporaryFolder folder;
  folder.write("model.safetensors", safetensors(tensors));
  return failureOf([&] { Weights::load(toyTable, processor, folder.path(), 2, {}); });
}

} // namespace

TEST(Weights, PacksAsTheTablesSay) {
  for (uint32_t flags : {0u, 1u})
    for (uint32_t panel : {0u, 1u, 4u, 32u, 48u})
      for (uint64_t cols : {1u, 3u, 128u, 131u}) {
        SCOPED_TRACE(testing::Message() << "flags " << flags << " panel " << panel << " cols " << cols);
        Packed({1}, cols, {panel, flags}).check();
        Packed({5, 6, 1}, cols, {panel, flags}).check();
        Packed({40, 33}, cols, {panel, flags}).check();
      }
}

TEST(Weights, PacksCoreMatrices) {
  for (bamba_rt_dtype dtype : {BAMBA_RT_F32, BAMBA_RT_BF16})
    for (uint32_t flags : {0u, 1u})
      for (uint64_t cols : {1u, 8u, 64u, 72u, 129u, 136u, 320u}) {
        SCOPED_TRACE(testing::Message() << "type " << dtype << " flags " << flags << " cols " << cols);
        Packed({1}, cols, {8, flags, 8, 64}, dtype).check();
        Packed({8, 16}, cols, {8, flags, 8, 64}, dtype).check();
        Packed({40, 33, 1}, cols, {8, flags, 8, 64}, dtype).check();
        Packed({21, 4}, cols, {16, flags, 4, 12}, dtype).check();
        Packed({21, 4}, cols, {4, flags, 6, 12}, dtype).check();
      }
}

TEST(Weights, InterleavesRows) {
  for (uint32_t panel : {0u, 4u, 8u})
    for (uint64_t cols : {3u, 64u, 200u})
      for (bamba_rt_dtype dtype : {BAMBA_RT_F32, BAMBA_RT_BF16}) {
        uint32_t group = panel == 8 ? 8 : 1, align = panel == 8 ? 64 : 1;
        SCOPED_TRACE(testing::Message() << "panel " << panel << " cols " << cols << " type " << dtype);
        Packed({37, 37}, cols, {panel, BAMBA_RT_WEIGHT_INTERLEAVE, group, align}, dtype).check();
        Packed({5, 5, 5}, cols, {panel, BAMBA_RT_WEIGHT_INTERLEAVE, group, align}, dtype).check();
      }
}

TEST(Weights, PutsRotaryPairsSideBySide) {
  for (uint32_t flags : {0, 1, 2, 3})         // transposed, interleaved
    for (uint64_t cols : {1u, 3u, 64u, 136u}) // a bias is a matrix of one column
      for (auto [headDim, rotaryDim] : {std::pair(16u, 16u), std::pair(16u, 6u), std::pair(5u, 4u), std::pair(8u, 0u)})
        for (bamba_rt_dtype dtype : {BAMBA_RT_F32, BAMBA_RT_BF16}) {
          SCOPED_TRACE(testing::Message() << "flags " << flags << " cols " << cols << " head " << headDim << " rotary "
                                          << rotaryDim << " type " << dtype);
          std::vector<uint64_t> rows =
              flags & 2 ? std::vector<uint64_t>{uint64_t{3} * headDim, uint64_t{3} * headDim}
                        : std::vector<uint64_t>{uint64_t{4} * headDim, headDim, uint64_t{2} * headDim};
          Packed(rows, cols, {0, flags, 1, 1, headDim, rotaryDim}, dtype).check();
          Packed(rows, cols, {4, flags, 1, 1, headDim, rotaryDim}, dtype).check();
          Packed(rows, cols, {8, flags, 8, 64, headDim, rotaryDim}, dtype).check();
        }
}

namespace {

/// Weights cut from the 12 rows of one tensor: rows 5 to 8 in rotary order, after them rows 9 to 11 and 0 to 1; and
/// rows 4 and 2, interleaved. Row 3 and the first element of the bias are in no weight.
class CutWeights {
public:
  CutWeights() {
    model.target = "cpu";
    model.weights = weights;
    model.num_weights = std::size(weights);
    model.sources = sources;
    model.num_sources = std::size(sources);
    for (bamba_rt_weight &weight : weights)
      weight.bytes = packedBytes(weight);
  }

  bamba_rt_source sources[6] = {{"qkv.weight", 2, 4, 4, 0, {12, 3}, 5, 4}, {"qkv.weight", 2, 0, 0, 0, {12, 3}, 9, 3},
                                {"qkv.weight", 2, 0, 0, 0, {12, 3}, 0, 2}, {"qkv.weight", 2, 0, 0, 0, {12, 3}, 4, 1},
                                {"qkv.weight", 2, 0, 0, 0, {12, 3}, 2, 1}, {"qkv.bias", 1, 0, 0, 0, {12}, 1, 11}};
  bamba_rt_weight weights[3] = {{"rows", BAMBA_RT_F32, 0, 0, 3, 0, 1, 1, 0, 9, 3, 0},
                                {"pair", BAMBA_RT_F32, 0, BAMBA_RT_WEIGHT_INTERLEAVE, 2, 3, 1, 1, 0, 2, 3, 0},
                                {"bias", BAMBA_RT_F32, 0, 0, 1, 5, 1, 1, 0, 11, 1, 0}};
  bamba_rt_model model = {};

  /// The rows of the tensor that the rows of the three weights are; head_dim 4 with 4 rotary rows turns 0 1 2 3 to
  /// 0 2 1 3.
  static constexpr uint64_t rows[] = {5, 7, 6, 8, 9, 10, 11, 0, 1, 4, 2};

  /// Checks each element against `expected` of its tensor and place there.
  template <typename Expected> void check(const Weights &loaded, Expected expected) const {
    for (uint64_t i = 0; i < std::size(rows) * 3; ++i) {
      bool second = i >= 27;
      float found = reinterpret_cast<const float *>(loaded.data(second))[second ? i - 27 : i];
      EXPECT_EQ(found, expected("qkv.weight", rows[i / 3] * 3 + i % 3)) << i;
    }
    for (uint64_t i = 0; i < 11; ++i)
      EXPECT_EQ(reinterpret_cast<const float *>(loaded.data(2))[i], expected("qkv.bias", i + 1)) << i;
  }
};

} // namespace

TEST(Weights, CutsATensorByRows) {
  CutWeights cut;
  std::vector<float> matrix(36), bias(12);
  for (size_t i = 0; i < matrix.size(); ++i)
    matrix[i] = static_cast<float>(i + 1);
  for (size_t i = 0; i < bias.size(); ++i)
    bias[i] = -static_cast<float>(i + 1);
  for (bool half : {false, true}) { // rows begin at other bytes where elements have another size
    std::vector<TestTensor> tensors = {f32Tensor("qkv.weight", {12, 3}, matrix), f32Tensor("qkv.bias", {12}, bias)};
    if (half) {
      tensors[0].dtype = "F16";
      tensors[0].bytes.clear();
      for (float value : matrix) {
        F16 element = fromF32<F16>(value);
        tensors[0].bytes.append(reinterpret_cast<const char *>(&element), sizeof(element));
      }
    }
    TemporaryFolder folder;
    folder.write("model.safetensors", safetensors(tensors));
    cut.check(Weights::load(cut.model, CpuBackend(cut.model), folder.path(), 2, {}),
              [](std::string_view name, uint64_t index) {
                return name == "qkv.bias" ? -static_cast<float>(index + 1) : static_cast<float>(index + 1);
              });
  }
}

TEST(Weights, RandomRowsOfATensorAreThoseOfTheWholeTensor) {
  CutWeights cut;
  Initializer matrix(4, "qkv.weight", 3), bias(4, "qkv.bias", 1);
  cut.check(Weights::random(cut.model, CpuBackend(cut.model), 4, 2),
            [&](std::string_view name, uint64_t index) { return name == "qkv.bias" ? bias(index) : matrix(index); });
}

TEST(Weights, ChecksTheWholeTensorThatIsCut) {
  CutWeights cut;
  TemporaryFolder folder;
  folder.write("model.safetensors", safetensors({f32Tensor("qkv.weight", {11, 3}, std::vector<float>(33)),
                                                 f32Tensor("qkv.bias", {12}, std::vector<float>(12))}));
  expectFailure(failureOf([&] { Weights::load(cut.model, CpuBackend(cut.model), folder.path(), 1, {}); }),
                BAMBA_BAD_CHECKPOINT, {"'qkv.weight'", "expected [12, 3], found [11, 3]"});
}

TEST(Weights, RandomRowsGoInOrderToo) {
  constexpr uint64_t head = 8, cols = 3;
  bamba_rt_weight weight = {};
  weight.name = "w";
  weight.panel_group = weight.panel_align = weight.num_sources = 1;
  weight.rows = 2 * head;
  weight.cols = cols;
  weight.bytes = packedBytes(weight);
  WeightSource source{nullptr, BAMBA_RT_F32, Initializer(3, "q_proj.weight", cols), weight.rows, head, 4};
  std::vector<float> packed(weight.rows * cols);
  packRows(weight, {&source, 1}, 0, weight.rows, reinterpret_cast<std::byte *>(packed.data()));
  constexpr uint64_t order[] = {0, 2, 1, 3, 4, 5, 6, 7};
  for (uint64_t i = 0; i < packed.size(); ++i) {
    uint64_t row = i / cols;
    EXPECT_EQ(packed[i], source.random((row / head * head + order[row % head]) * cols + i % cols)) << i;
  }
}

TEST(Weights, PiecesAreWholePanels) {
  bamba_rt_weight weight = {};
  weight.name = "w";
  weight.dtype = BAMBA_RT_BF16;
  weight.panel = weight.panel_group = 8;
  weight.panel_align = 64;
  weight.rows = 1000;
  weight.cols = 4096;
  uint64_t rows = rowsPerTask(weight);
  EXPECT_EQ(rows, 128u);
  EXPECT_EQ(packedRange(weight, rows, 2 * rows).begin, uint64_t{1} << 20);
  EXPECT_EQ(packedRange(weight, rows, 2 * rows).size(), uint64_t{1} << 20);
  weight.rows = 1001;
  EXPECT_EQ(packedRange(weight, 1000, 1001).end, packedBytes(weight));
  weight.cols = 4095;
  EXPECT_EQ(StoredMatrix(weight).width, 4096u);
}

TEST(Weights, TypesThatWeightsDoNotHaveAreErrors) {
  bamba_rt_weight weight = {};
  weight.name = "w";
  weight.panel_group = weight.panel_align = weight.num_sources = 1;
  weight.rows = weight.cols = 1;
  WeightSource source{nullptr, BAMBA_RT_F32, Initializer(0, "", 1), 1, 0, 0};
  std::byte out[4];
  for (uint32_t dtype : {uint32_t{BAMBA_RT_I32}, 4u, 77u}) {
    weight.dtype = dtype;
    expectFailure(failureOf([&] { packRows(weight, {&source, 1}, 0, 1, out); }), BAMBA_INTERNAL,
                  {fmt::format("found {}", dtype == BAMBA_RT_I32 ? "number 3" : std::to_string(dtype))});
  }
  weight.dtype = BAMBA_RT_F32;
  source.data = out;
  source.dtype = BAMBA_RT_I32;
  expectFailure(failureOf([&] { packRows(weight, {&source, 1}, 0, 1, out); }), BAMBA_INTERNAL,
                {"a type that weights have, found number 3"});
  EXPECT_EQ(failureOf([] { elementBytes(4); }).status, BAMBA_INTERNAL);
}

TEST(Weights, FailuresOfThreadsAreTold) {
  std::vector<WeightSource> sources = randomSources(toyTable, 1);
  sources.back().dtype = BAMBA_RT_I32;
  std::byte data[64] = {};
  sources.back().data = data;
  size_t bytes = 0;
  for (uint32_t i = 0; i < toyTable.num_weights; ++i)
    bytes += toyTable.weights[i].bytes;
  DeviceMemory memory = processor.allocateWeights(bytes);
  std::vector<std::byte *> addresses;
  for (uint32_t i = 0, offset = 0; i < toyTable.num_weights;
       offset += static_cast<uint32_t>(toyTable.weights[i++].bytes))
    addresses.push_back(memory.get() + offset);
  ThreadPool pool(3);
  LoadReporter reporter({}, bytes);
  expectFailure(failureOf([&] { processor.packWeights(sources, addresses, pool, reporter); }), BAMBA_INTERNAL,
                {"a type that weights have, found number 3"});
  EXPECT_TRUE(reporter.stopped());
}

TEST(Weights, RoundsToBf16) {
  auto bits = [](float value) { return fromF32<Bf16>(value).bits; };
  EXPECT_EQ(bits(1.0f), 0x3F80);
  EXPECT_EQ(bits(-2.0f), 0xC000);
  EXPECT_EQ(bits(std::bit_cast<float>(0x3F808000u)), 0x3F80) << "a tie goes to the even neighbour";
  EXPECT_EQ(bits(std::bit_cast<float>(0x3F818000u)), 0x3F82) << "a tie goes to the even neighbour";
  EXPECT_EQ(bits(std::bit_cast<float>(0x3F808001u)), 0x3F81);
  EXPECT_EQ(bits(std::numeric_limits<float>::max()), 0x7F80);
  EXPECT_EQ(bits(std::numeric_limits<float>::infinity()), 0x7F80);
  EXPECT_TRUE(std::isnan(toF32(fromF32<Bf16>(std::bit_cast<float>(0x7F800001u)))));
  for (uint32_t i = 0; i < 0x10000; ++i) {
    if (float value = toF32(Bf16{static_cast<uint16_t>(i)}); !std::isnan(value)) {
      ASSERT_EQ(bits(value), i);
    }
  }
}

TEST(Weights, ConvertsHalves) {
  EXPECT_EQ(toF32(F16{0x3C00}), 1.0f);
  EXPECT_EQ(toF32(F16{0xFBFF}), -65504.0f);
  EXPECT_EQ(toF32(F16{0x0001}), 0x1p-24f);
  EXPECT_EQ(toF32(F16{0x7C00}), std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isnan(toF32(F16{0x7E01})));
  EXPECT_EQ(fromF32<F16>(65519.0f).bits, 0x7BFF);
  EXPECT_EQ(fromF32<F16>(65520.0f).bits, 0x7BFF);
  EXPECT_EQ(fromF32<F16>(-std::numeric_limits<float>::max()).bits, 0xFBFF);
  EXPECT_EQ(fromF32<F16>(std::numeric_limits<float>::infinity()).bits, 0x7BFF) << "as the device saturates";
  EXPECT_EQ(fromF32<F16>(0x1p-25f).bits, 0x0000) << "a tie goes to the even neighbour";
  EXPECT_EQ(fromF32<F16>(0x1.8p-24f).bits, 0x0002) << "a tie goes to the even neighbour";
  EXPECT_EQ(fromF32<F16>(-0.0f).bits, 0x8000);
  EXPECT_TRUE(std::isnan(toF32(fromF32<F16>(std::nanf("")))));
  for (uint32_t i = 0; i < 0x10000; ++i) {
    if (float value = toF32(F16{static_cast<uint16_t>(i)}); std::isfinite(value)) {
      ASSERT_EQ(fromF32<F16>(value).bits, i);
    }
  }
}

TEST(Weights, ReadsEachTypeOfCheckpoint) {
  std::vector<TestTensor> tensors = toyTensors();
  for (auto [dtype, convert] : {std::pair(
                                    "BF16", +[](float v) { return fromF32<Bf16>(v).bits; }),
                                std::pair("F16", +[](float v) { return fromF32<F16>(v).bits; })}) {
    std::vector<TestTensor> converted = tensors;
    for (TestTensor &tensor : converted) {
      std::string bytes;
      for (size_t i = 0; i < tensor.bytes.size(); i += sizeof(float)) {
        float value;
        std::memcpy(&value, tensor.bytes.data() + i, sizeof(value));
        uint16_t bits = convert(value);
        bytes += {static_cast<char>(bits), static_cast<char>(bits >> 8)};
      }
      tensor.dtype = dtype;
      tensor.bytes = bytes;
    }
    TemporaryFolder folder;
    folder.write("whole", safetensors(tensors));
    folder.write("converted", safetensors(converted));
    Weights a = Weights::load(toyTable, processor, folder.path("whole"), 1, {});
    Weights b = Weights::load(toyTable, processor, folder.path("converted"), 2, {});
    for (uint32_t i = 0; i < toyTable.num_weights; ++i)
      EXPECT_EQ(std::memcmp(a.data(i), b.data(i), toyTable.weights[i].bytes), 0) << dtype << " " << i;
  }
}

TEST(Weights, NamesWhatDoesNotFitTheModel) {
  std::vector<TestTensor> tensors = toyTensors();
  std::vector<TestTensor> changed(tensors.begin() + 1, tensors.end());
  expectFailure(loadFailure(changed), BAMBA_BAD_CHECKPOINT, {"expected the tensor 'embed.weight'", "no such tensor"});

  changed.push_back(f32Tensor("embed.extra", {1}, {1}));
  expectFailure(loadFailure(changed), BAMBA_BAD_CHECKPOINT, {"'embed.weight'", "'embed.extra'"});

  changed = tensors;
  changed.push_back(f32Tensor("lm_head.weight", {1}, {1}));
  expectFailure(loadFailure(changed), BAMBA_BAD_CHECKPOINT, {"'lm_head.weight'", "5 tensors"});

  changed = tensors;
  changed[4].shape = {dim, 3};
  expectFailure(loadFailure(changed), BAMBA_BAD_CHECKPOINT, {"'conv1d.weight'", "expected [4, 1, 3], found [4, 3]"});

  changed = tensors;
  changed[3].dtype = "I32";
  expectFailure(loadFailure(changed), BAMBA_BAD_CHECKPOINT, {"'norm.weight'", "dtype", "F32, BF16 or F16", "I32"});
}

TEST(Weights, TellsProgressAndCanBeStopped) {
  TemporaryFolder folder;
  folder.write("model.safetensors", safetensors(toyTensors()));
  std::vector<std::pair<uint64_t, uint64_t>> calls;
  auto note = [](void *user, uint64_t done, uint64_t total) {
    static_cast<decltype(calls) *>(user)->push_back({done, total});
    return 0;
  };
  Weights::load(toyTable, processor, folder.path(), 2, {note, &calls});
  ASSERT_FALSE(calls.empty());
  uint64_t total = vocab * dim * 2 + (vocab * dim + dim + dim * 3) * 4;
  EXPECT_EQ(calls.back(), (std::pair(total, total)));
  EXPECT_TRUE(std::is_sorted(calls.begin(), calls.end()));

  auto stop = [](void *, uint64_t, uint64_t) { return 1; };
  auto load = [&] { Weights::load(toyTable, processor, folder.path(), 2, {stop, nullptr}); };
  expectFailure(failureOf(load), BAMBA_IO_ERROR, {"given up"});
}

TEST(Weights, RandomNumbersDependOnTheSeedOnly) {
  Weights a = Weights::random(toyTable, processor, 1, 1), b = Weights::random(toyTable, processor, 1, 3);
  Weights c = Weights::random(toyTable, processor, 2, 1);
  for (uint32_t i : {0u, 1u, 3u}) {
    EXPECT_EQ(std::memcmp(a.data(i), b.data(i), toyTable.weights[i].bytes), 0);
    EXPECT_NE(std::memcmp(a.data(i), c.data(i), toyTable.weights[i].bytes), 0);
  }
}

TEST(Weights, RandomNumbersHaveTheScaleOfAFreshModel) {
  Initializer matrix(3, "model.layers.0.mamba.in_proj.weight", 64);
  double sum = 0, squares = 0;
  constexpr int count = 100000;
  for (int i = 0; i < count; ++i) {
    sum += matrix(i);
    squares += double{matrix(i)} * matrix(i);
  }
  EXPECT_NEAR(sum / count, 0, 0.002);
  EXPECT_NEAR(std::sqrt(squares / count), 1 / std::sqrt(64.0), 0.001);

  EXPECT_EQ(Initializer(3, "model.layers.0.mamba.norm.weight", 1)(5), 1.0f);
  EXPECT_EQ(Initializer(3, "model.layers.0.input_layernorm.weight", 1)(5), 1.0f);
  EXPECT_EQ(Initializer(3, "model.layers.0.mamba.D", 1)(5), 1.0f);
  EXPECT_FLOAT_EQ(Initializer(3, "model.layers.0.mamba.A_log", 1)(4), std::log(5.0f));
  EXPECT_LE(std::abs(Initializer(3, "model.layers.0.mamba.conv1d.bias", 1)(4)), 0.02f);
  for (int i = 0; i < 100; ++i) {
    float step = std::log1p(std::exp(Initializer(3, "model.layers.0.mamba.dt_bias", 1)(i)));
    EXPECT_GE(step, 0.00099f);
    EXPECT_LE(step, 0.101f);
  }
}
