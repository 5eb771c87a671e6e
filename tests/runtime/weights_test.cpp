// Weights of a model: rows cut from tensors, the check against the manifest, progress, and random numbers.

#include "runtime/checkpoint/manifest.h"
#include "runtime/checkpoint/stored_matrix.h"
#include "runtime/model/weights.h"
#include "runtime/support/element.h"
#include "tests/runtime/toy_model.h"
#include <cmath>
#include <cstring>

using namespace bambac::rt;
using namespace bambac::rt::toy;

namespace {

const CpuDeviceBackend &processor() {
  static const CpuDeviceBackend backend(toyTable);
  return backend;
}

Failure loadFailure(const std::vector<TestTensor> &tensors) {
  TemporaryFolder folder;
  folder.write("model.safetensors", safetensors(tensors));
  return failureOf([&] { Weights::load(toyTable, processor(), folder.path(), 2, {}); });
}

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
  bamba_rt_weight weights[3] = {{"rows", BAMBA_RT_F32, 0, 0, 3, 0, 1, 1, 0, 0, 0, 9, 3, 0},
                                {"pair", BAMBA_RT_F32, 0, BAMBA_RT_WEIGHT_INTERLEAVE, 2, 3, 1, 1, 0, 0, 0, 2, 3, 0},
                                {"bias", BAMBA_RT_F32, 0, 0, 1, 5, 1, 1, 0, 0, 0, 11, 1, 0}};
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
    cut.check(Weights::load(cut.model, CpuDeviceBackend(cut.model), folder.path(), 2, {}),
              [](std::string_view name, uint64_t index) {
                return name == "qkv.bias" ? -static_cast<float>(index + 1) : static_cast<float>(index + 1);
              });
  }
}

TEST(Weights, RandomRowsOfATensorAreThoseOfTheWholeTensor) {
  CutWeights cut;
  Initializer matrix(4, "qkv.weight", 3), bias(4, "qkv.bias", 1);
  cut.check(Weights::random(cut.model, CpuDeviceBackend(cut.model), 4, 2),
            [&](std::string_view name, uint64_t index) { return name == "qkv.bias" ? bias(index) : matrix(index); });
}

TEST(Weights, ChecksTheWholeTensorThatIsCut) {
  CutWeights cut;
  TemporaryFolder folder;
  folder.write("model.safetensors", safetensors({f32Tensor("qkv.weight", {11, 3}, std::vector<float>(33)),
                                                 f32Tensor("qkv.bias", {12}, std::vector<float>(12))}));
  expectFailure(failureOf([&] { Weights::load(cut.model, CpuDeviceBackend(cut.model), folder.path(), 1, {}); }),
                BAMBA_BAD_CHECKPOINT, {"'qkv.weight'", "expected [12, 3], found [11, 3]"});
}

TEST(Weights, FailuresOfThreadsAreTold) {
  std::vector<WeightSource> sources = randomSources(toyTable, 1);
  sources.back().dtype = BAMBA_RT_I32;
  std::byte data[64] = {};
  sources.back().data = data;
  size_t bytes = 0;
  for (uint32_t i = 0; i < toyTable.num_weights; ++i)
    bytes += toyTable.weights[i].bytes;
  DeviceMemory memory = processor().allocateWeights(bytes);
  std::vector<std::byte *> addresses;
  for (uint32_t i = 0, offset = 0; i < toyTable.num_weights;
       offset += static_cast<uint32_t>(toyTable.weights[i++].bytes))
    addresses.push_back(memory.get() + offset);
  ThreadPool pool(3);
  LoadReporter reporter({}, bytes);
  expectFailure(failureOf([&] { processor().packWeights(sources, addresses, pool, reporter); }), BAMBA_INTERNAL,
                {"a type that weights have, found number 3"});
  EXPECT_TRUE(reporter.stopped());
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
    Weights a = Weights::load(toyTable, processor(), folder.path("whole"), 1, {});
    Weights b = Weights::load(toyTable, processor(), folder.path("converted"), 2, {});
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
  changed[4].shape = {3, dim};
  expectFailure(loadFailure(changed), BAMBA_BAD_CHECKPOINT, {"'conv1d.weight'", "expected [4, 1, 3], found [3, 4]"});

  changed = tensors;
  changed[3].dtype = "I32";
  expectFailure(loadFailure(changed), BAMBA_BAD_CHECKPOINT, {"'norm.weight'", "dtype", "F32, BF16, F16 or F64", "I32"});
}

TEST(Weights, TellsProgressAndCanBeStopped) {
  TemporaryFolder folder;
  folder.write("model.safetensors", safetensors(toyTensors()));
  std::vector<std::pair<uint64_t, uint64_t>> calls;
  auto note = [](void *user, uint64_t done, uint64_t total) {
    static_cast<decltype(calls) *>(user)->push_back({done, total});
    return 0;
  };
  Weights::load(toyTable, processor(), folder.path(), 2, loadOptions(note, &calls));
  ASSERT_FALSE(calls.empty());
  uint64_t total = vocab * dim * 2 + (vocab * dim + dim + dim * 3) * 4;
  EXPECT_EQ(calls.back(), (std::pair(total, total)));
  EXPECT_TRUE(std::is_sorted(calls.begin(), calls.end()));

  auto stop = [](void *, uint64_t, uint64_t) { return 1; };
  auto load = [&] { Weights::load(toyTable, processor(), folder.path(), 2, loadOptions(stop)); };
  expectFailure(failureOf(load), BAMBA_IO_ERROR, {"given up"});
}

TEST(Weights, RandomNumbersDependOnTheSeedOnly) {
  Weights a = Weights::random(toyTable, processor(), 1, 1), b = Weights::random(toyTable, processor(), 1, 3);
  Weights c = Weights::random(toyTable, processor(), 2, 1);
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
