// Weights: packing, conversion, the check against the manifest, progress, and random numbers.

#include "runtime/element.h"
#include "runtime/weights.h"
#include "tests/runtime/toy_model.h"
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

using namespace bambac::rt;
using namespace bambac::rt::toy;

namespace {

/// Packs f32 sources of `rows` rows each in two pieces, and reads the result back element by element.
class Packed {
public:
  Packed(std::vector<uint64_t> sourceRows, uint64_t cols, uint32_t panel, uint32_t flags) {
    uint64_t rows = 0;
    for (uint64_t r : sourceRows)
      rows += r;
    values.resize(rows * cols);
    std::minstd_rand random(7);
    for (float &value : values)
      value = static_cast<float>(random() % 4096);
    weight = {"w", BAMBA_RT_F32, panel, flags, static_cast<uint32_t>(sourceRows.size()), 0, 0, rows, cols, 0};
    weight.bytes = packedBytes(weight);
    memory.resize(weight.bytes / sizeof(float));
    std::vector<WeightSource> sources;
    const auto *data = reinterpret_cast<const std::byte *>(values.data());
    for (uint64_t r : sourceRows) {
      sources.push_back({data, BAMBA_RT_F32, Initializer(0, "", 1), r});
      data += r * cols * sizeof(float);
    }
    uint64_t middle = rows / 3;
    auto *out = reinterpret_cast<std::byte *>(memory.data());
    packRows(weight, sources, middle, rows, out);
    packRows(weight, sources, 0, middle, out);
  }

  /// Checks every element against the formula of abi.h, and that the rest is zero.
  void check() const {
    bool transposed = weight.flags & BAMBA_RT_WEIGHT_TRANSPOSE;
    uint64_t rows = transposed ? weight.cols : weight.rows, cols = transposed ? weight.rows : weight.cols;
    uint64_t p = weight.panel ? weight.panel : 1;
    std::vector<float> expected(memory.size(), 0.0f);
    for (uint64_t r = 0; r < rows; ++r)
      for (uint64_t c = 0; c < cols; ++c)
        expected.at((r / p * cols + c) * p + r % p) = values[transposed ? c * weight.cols + r : r * weight.cols + c];
    EXPECT_EQ(memory, expected);
  }

private:
  bamba_rt_weight weight;
  std::vector<float> values, memory;
};

Failure loadFailure(const std::vector<TestTensor> &tensors) {
  TemporaryFolder folder;
  folder.write("model.safetensors", safetensors(tensors));
  return failureOf([&] { Weights::load(bamba_rt_model_table, folder.path(), 2, {}); });
}

} // namespace

TEST(Weights, PacksAsTheTablesSay) {
  for (uint32_t flags : {0u, 1u})
    for (uint32_t panel : {0u, 1u, 4u, 32u, 48u})
      for (uint64_t cols : {1u, 3u, 128u, 131u}) {
        SCOPED_TRACE(testing::Message() << "flags " << flags << " panel " << panel << " cols " << cols);
        Packed({1}, cols, panel, flags).check();
        Packed({5, 6, 1}, cols, panel, flags).check();
        Packed({40, 33}, cols, panel, flags).check();
      }
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
  EXPECT_EQ(fromF32<F16>(65520.0f).bits, 0x7C00);
  EXPECT_EQ(fromF32<F16>(65519.0f).bits, 0x7BFF);
  EXPECT_EQ(fromF32<F16>(0x1p-25f).bits, 0x0000) << "a tie goes to the even neighbour";
  EXPECT_EQ(fromF32<F16>(0x1.8p-24f).bits, 0x0002) << "a tie goes to the even neighbour";
  EXPECT_EQ(fromF32<F16>(-0.0f).bits, 0x8000);
  EXPECT_TRUE(std::isnan(toF32(fromF32<F16>(std::nanf("")))));
  for (uint32_t i = 0; i < 0x10000; ++i) {
    if (float value = toF32(F16{static_cast<uint16_t>(i)}); !std::isnan(value)) {
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
    Weights a = Weights::load(bamba_rt_model_table, folder.path("whole"), 1, {});
    Weights b = Weights::load(bamba_rt_model_table, folder.path("converted"), 2, {});
    for (uint32_t i = 0; i < bamba_rt_model_table.num_weights; ++i)
      EXPECT_EQ(std::memcmp(a.data(i), b.data(i), bamba_rt_model_table.weights[i].bytes), 0) << dtype << " " << i;
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
  expectFailure(loadFailure(changed), BAMBA_BAD_CHECKPOINT, {"'norm.weight'", "dtype", "BF16, F16 or F32", "I32"});
}

TEST(Weights, TellsProgressAndCanBeStopped) {
  TemporaryFolder folder;
  folder.write("model.safetensors", safetensors(toyTensors()));
  std::vector<std::pair<uint64_t, uint64_t>> calls;
  auto note = [](void *user, uint64_t done, uint64_t total) {
    static_cast<decltype(calls) *>(user)->push_back({done, total});
    return 0;
  };
  Weights::load(bamba_rt_model_table, folder.path(), 2, {note, &calls});
  ASSERT_FALSE(calls.empty());
  uint64_t total = vocab * dim * 2 + (vocab * dim + dim + dim * 3) * 4;
  EXPECT_EQ(calls.back(), (std::pair(total, total)));
  EXPECT_TRUE(std::is_sorted(calls.begin(), calls.end()));

  auto stop = [](void *, uint64_t, uint64_t) { return 1; };
  auto load = [&] { Weights::load(bamba_rt_model_table, folder.path(), 2, {stop, nullptr}); };
  expectFailure(failureOf(load), BAMBA_IO_ERROR, {"given up"});
}

TEST(Weights, RandomNumbersDependOnTheSeedOnly) {
  Weights a = Weights::random(bamba_rt_model_table, 1, 1), b = Weights::random(bamba_rt_model_table, 1, 3);
  Weights c = Weights::random(bamba_rt_model_table, 2, 1);
  for (uint32_t i : {0u, 1u, 3u}) {
    EXPECT_EQ(std::memcmp(a.data(i), b.data(i), bamba_rt_model_table.weights[i].bytes), 0);
    EXPECT_NE(std::memcmp(a.data(i), c.data(i), bamba_rt_model_table.weights[i].bytes), 0);
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
