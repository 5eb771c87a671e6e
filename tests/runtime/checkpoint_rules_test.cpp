// Checkpoints as they are found: what a library's rules allow beyond the tensors of its weights, and configurations of
// other models.

#include "runtime/checkpoint/config_check.h"
#include "runtime/checkpoint/manifest.h"
#include "tests/runtime/toy_model.h"
#include <cstring>

using namespace bambac::rt;
using namespace bambac::rt::toy;

namespace {

const char *const rulesText = R"({"ignored": [".inv_freq"], "copies": {"copy.weight": "embed.weight"},
    "padded": ["embed.weight"],
    "fields": [{"names": ["size"], "values": [64]},
               {"names": ["rope.theta", "theta"], "values": [10000.0], "optional": true},
               {"names": ["limit"], "values": [[0.0, "Infinity"]], "optional": true},
               {"names": ["heads"], "values": [8, null], "optional": true},
               {"names": ["factor"], "values": [{"from": 0.5, "below": 0.75}], "optional": true},
               {"names": ["tied"], "values": [true]}]})";

/// What a load of changed toy tensors says: its failure and its warnings. Weights are the toy's where it succeeds.
class Load {
public:
  explicit Load(const std::vector<TestTensor> &tensors) {
    TemporaryFolder folder;
    folder.write("model.safetensors", safetensors(tensors));
    bamba_rt_model table = toyTable;
    table.checkpoint = rulesText;
    bamba_load_options options = {sizeof(options), nullptr, warn, this, 0, 0};
    Model model = openToy(table);
    failure = failureOf([&] { model.load(folder.path(), options); });
    if (failure.status == BAMBA_OK)
      fingerprints = {model.weights().data(0)[0], model.weights().data(1)[0]};
  }

  Failure failure;
  std::vector<std::string> warnings;
  std::vector<std::byte> fingerprints;

private:
  static void warn(void *user, const char *message) { static_cast<Load *>(user)->warnings.emplace_back(message); }
};

TestTensor &named(std::vector<TestTensor> &tensors, const std::string &name) {
  return *std::ranges::find(tensors, name, &TestTensor::name);
}

std::vector<float> numbersOf(const TestTensor &tensor) {
  std::vector<float> numbers(tensor.bytes.size() / sizeof(float));
  std::memcpy(numbers.data(), tensor.bytes.data(), tensor.bytes.size());
  return numbers;
}

Failure configFailure(const std::string &text) {
  return failureOf([&] { checkConfig(CheckpointRules(rulesText), "config.json", std::as_bytes(std::span(text))); });
}

} // namespace

TEST(CheckpointRules, IgnoreBuffers) {
  std::vector<TestTensor> tensors = toyTensors();
  tensors.push_back(f32Tensor("layers.0.inv_freq", {2}, {1, 2}));
  Load load(tensors);
  EXPECT_EQ(load.failure.status, BAMBA_OK) << load.failure.message;
  EXPECT_TRUE(load.warnings.empty());
  tensors.push_back(f32Tensor("layers.0.inv_freqs", {2}, {1, 2}));
  expectFailure(Load(tensors).failure, BAMBA_BAD_CHECKPOINT, {"found also 'layers.0.inv_freqs'"});
}

TEST(CheckpointRules, AllowACopyAndSayWhereItDiffers) {
  std::vector<TestTensor> tensors = toyTensors();
  TestTensor copy = named(tensors, "embed.weight");
  copy.name = "copy.weight";
  tensors.push_back(copy);
  Load equal(tensors);
  EXPECT_EQ(equal.failure.status, BAMBA_OK) << equal.failure.message;
  EXPECT_TRUE(equal.warnings.empty());
  tensors.back().bytes.back() ^= 1;
  Load different(tensors);
  EXPECT_EQ(different.failure.status, BAMBA_OK) << different.failure.message;
  ASSERT_EQ(different.warnings.size(), 1u);
  EXPECT_NE(different.warnings[0].find("tensor 'copy.weight' differs from 'embed.weight'"), std::string::npos)
      << different.warnings[0];
  EXPECT_EQ(different.fingerprints, equal.fingerprints) << "the original counts";
}

TEST(CheckpointRules, AllowMoreRows) {
  Load plain(toyTensors());
  std::vector<TestTensor> tensors = toyTensors();
  TestTensor &embedding = named(tensors, "embed.weight");
  embedding.shape[0] += 3;
  embedding.bytes += std::string(size_t{3} * dim * sizeof(float), '\x7F');
  Load padded(tensors);
  EXPECT_EQ(padded.failure.status, BAMBA_OK) << padded.failure.message;
  ASSERT_EQ(padded.warnings.size(), 1u);
  EXPECT_NE(padded.warnings[0].find(
                fmt::format("'embed.weight' has {} rows, of which the model takes the first {}", vocab + 3, vocab)),
            std::string::npos)
      << padded.warnings[0];
  EXPECT_EQ(padded.fingerprints, plain.fingerprints);
  tensors = toyTensors();
  TestTensor &head = named(tensors, "head.a.weight");
  head.shape[0] += 1;
  head.bytes += std::string(dim * sizeof(float), '\0');
  expectFailure(Load(tensors).failure, BAMBA_BAD_CHECKPOINT, {"'head.a.weight'", "shape"});
}

TEST(CheckpointRules, DimensionsOfOneDoNotCount) {
  std::vector<TestTensor> tensors = toyTensors();
  named(tensors, "conv1d.weight").shape = {dim, 3};
  EXPECT_EQ(Load(tensors).failure.status, BAMBA_OK);
  named(tensors, "conv1d.weight").shape = {3, dim};
  expectFailure(Load(tensors).failure, BAMBA_BAD_CHECKPOINT, {"'conv1d.weight'", "shape"});
}

TEST(CheckpointRules, NameAPrefix) {
  std::vector<TestTensor> tensors = toyTensors();
  for (TestTensor &tensor : tensors)
    tensor.name = "_orig_mod." + tensor.name;
  expectFailure(Load(tensors).failure, BAMBA_BAD_CHECKPOINT,
                {"expected the tensor 'embed.weight' and 4 more",
                 "found '_orig_mod.embed.weight': expected names without the prefix '_orig_mod.'"});
}

TEST(CheckpointRules, TypesMix) {
  Load plain(toyTensors());
  std::vector<TestTensor> tensors = toyTensors();
  TestTensor &embedding = named(tensors, "embed.weight");
  std::vector<float> numbers = numbersOf(embedding);
  std::vector<double> wide(numbers.begin(), numbers.end());
  embedding.dtype = "F64";
  embedding.bytes.assign(reinterpret_cast<const char *>(wide.data()), wide.size() * sizeof(double));
  Load mixed(tensors);
  EXPECT_EQ(mixed.failure.status, BAMBA_OK) << mixed.failure.message;
  EXPECT_EQ(mixed.fingerprints, plain.fingerprints);
}

TEST(ConfigCheck, TakesWhatMeansTheSame) {
  for (const char *text :
       {R"({"size": 64, "tied": true})", R"({"size": 64.0, "tied": true, "other": {}, "rope": null})",
        R"({"size": 64, "tied": true, "theta": 5, "rope": {"theta": 10000}})",
        R"({"size": 64, "tied": true, "limit": [0.0, Infinity]})", R"({"size": 64, "tied": true, "limit": null})",
        R"({"size": 64, "tied": true, "limit": [0, {"__float__": "Infinity"}], "text": "a \" Infinity"})",
        R"({"size": 64, "tied": true, "limit": {"__tuple__": true, "items": [0.0, "inf"]}})",
        R"({"size": 64, "tied": true, "heads": null})", R"({"size": 64, "tied": true, "factor": 0.5})"})
    EXPECT_EQ(configFailure(text).status, BAMBA_OK) << text << ": " << configFailure(text).message;
}

TEST(ConfigCheck, NamesTheFieldOfAnotherModel) {
  const std::pair<const char *, const char *> cases[] = {
      {R"({"size": 65, "tied": true})",
       "config.json: field 'size': expected 64, as the library was compiled for, found 65"},
      {R"({"size": "64", "tied": true})", "field 'size': expected 64, as the library was compiled for, found \"64\""},
      {R"({"tied": true})", "field 'size': expected 64, as the library was compiled for, found no such field"},
      {R"({"size": 64, "tied": 1})", "field 'tied': expected true"},
      {R"({"size": 64, "tied": true, "theta": 5})", "field 'theta': expected 10000.0"},
      {R"({"size": 64, "tied": true, "theta": 10000, "rope": {"theta": 500000.0}})",
       "field 'rope.theta': expected 10000.0"},
      {R"({"size": 64, "tied": true, "limit": [0.1, Infinity]})", "field 'limit': expected [0.0,\"Infinity\"]"},
      {R"({"size": 64, "tied": true, "factor": 0.75})", "field 'factor': expected a number from 0.5 to less than 0.75"},
      {R"({"size": 64, "tied": true, "heads": 4})", "field 'heads': expected 8"},
      {R"({"size": 64,)", "syntax error"},
      {"[]", "expected an object"}};
  for (const auto &[text, message] : cases)
    expectFailure(configFailure(text), BAMBA_BAD_CHECKPOINT, {message});
}

TEST(ConfigCheck, LooksNextToTheCheckpoint) {
  TemporaryFolder folder;
  folder.write("model.safetensors", safetensors(toyTensors()));
  folder.write("config.json", R"({"size": 65, "tied": true})");
  bamba_rt_model table = toyTable;
  table.checkpoint = rulesText;
  for (const std::string &path : {folder.path(), folder.path("model.safetensors")}) {
    Model model = openToy(table);
    expectFailure(failureOf([&] { model.load(path, {}); }), BAMBA_BAD_CHECKPOINT, {"config.json", "'size'"});
    bamba_load_options options = {};
    options.any_config = 1;
    model.load(path, options);
  }
}

TEST(CheckpointRules, AreRefusedWhenDamaged) {
  bamba_rt_model table = toyTable;
  for (const char *text : {"", "[", "[]", R"({"ignored": 1})", R"({"fields": [{}]})"}) {
    table.checkpoint = text;
    Model model = openToy(table);
    expectFailure(failureOf([&] { model.load("/nonexistent", {}); }), BAMBA_INTERNAL, {"tables are damaged"});
  }
}
