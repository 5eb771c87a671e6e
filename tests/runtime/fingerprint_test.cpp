// The fingerprint of weights: it tells contents apart, and not how they were read.

#include "runtime/checkpoint/stored_matrix.h"
#include "runtime/model/weights.h"
#include "tests/runtime/toy_model.h"
#include <algorithm>

using namespace bambac::rt;
using namespace bambac::rt::toy;

namespace {

/// Weights whose sources are stacked, take turns and are put in rotary order, in several pieces, from tensors whose
/// rows are shorter and longer than a page.
class Weighty {
public:
  Weighty() {
    for (bamba_rt_weight &weight : weights)
      weight.bytes = packedBytes(weight);
    model.target = "cpu";
    model.weights = weights;
    model.num_weights = std::size(weights);
    model.sources = sources;
    model.num_sources = std::size(sources);
    for (const bamba_rt_source &source : sources) {
      uint64_t count = source.shape[0] * std::max<uint64_t>(source.shape[1], 1);
      TestTensor &tensor = tensors.emplace_back(
          TestTensor{source.name, "BF16", {source.shape, source.shape + source.rank}, std::string(count * 2, 'x')});
      for (uint64_t i = 0; i < count * 2; ++i)
        tensor.bytes[i] = static_cast<char>(i * 31 % 251);
    }
  }

  uint64_t fingerprint(unsigned threads = 1) const {
    TemporaryFolder folder;
    folder.write("model.safetensors", safetensors(tensors));
    return Weights::load(model, CpuDeviceBackend(model), folder.path(), threads, {}).fingerprint();
  }

  std::vector<TestTensor> tensors;
  bamba_rt_source sources[5] = {{"a.weight", 2, 0, 0, 0, {301, 3000}, 0, 301},
                                {"b.weight", 2, 0, 0, 0, {301, 3000}, 0, 301},
                                {"q.weight", 2, 10, 8, 0, {700, 900}, 0, 700},
                                {"k.weight", 2, 10, 8, 0, {70, 900}, 0, 70},
                                {"norm.weight", 1, 0, 0, 0, {77}, 0, 77}};
  bamba_rt_weight weights[3] = {
      {"pair", BAMBA_RT_BF16, 16, BAMBA_RT_WEIGHT_INTERLEAVE, 2, 0, 1, 1, 0, 0, 0, 602, 3000, 0},
      {"qk", BAMBA_RT_F32, 16, 0, 2, 2, 1, 1, 0, 0, 0, 770, 900, 0},
      {"norm", BAMBA_RT_F32, 0, 0, 1, 4, 1, 1, 0, 0, 0, 77, 1, 0}};
  bamba_rt_model model = {};
};

} // namespace

TEST(WeightFingerprint, IsTheSameForEveryNumberOfThreads) {
  Weighty weighty;
  uint64_t fingerprint = weighty.fingerprint(1);
  EXPECT_EQ(weighty.fingerprint(1), fingerprint);
  EXPECT_EQ(weighty.fingerprint(3), fingerprint);
}

TEST(WeightFingerprint, FindsAnyRowThatIsOther) {
  Weighty weighty;
  uint64_t fingerprint = weighty.fingerprint();
  for (TestTensor &tensor : weighty.tensors)
    for (uint64_t row : {uint64_t{0}, tensor.shape[0] / 2, tensor.shape[0] - 1}) {
      std::string before = tensor.bytes;
      size_t rowBytes = tensor.bytes.size() / tensor.shape[0];
      tensor.bytes[row * rowBytes] ^= 1;
      EXPECT_NE(weighty.fingerprint(), fingerprint) << tensor.name << " row " << row;
      tensor.bytes = before;
    }
}

TEST(WeightFingerprint, FindsRowsAndTensorsThatChangedPlaces) {
  Weighty weighty;
  uint64_t fingerprint = weighty.fingerprint();
  TestTensor &first = weighty.tensors[0], &second = weighty.tensors[1];
  second.bytes[0] ^= 1;
  uint64_t changed = weighty.fingerprint();
  EXPECT_NE(changed, fingerprint);
  std::swap(first.bytes, second.bytes);
  EXPECT_NE(weighty.fingerprint(), changed);
  std::swap(first.bytes, second.bytes);
  std::rotate(first.bytes.begin(), first.bytes.begin() + 6000, first.bytes.end());
  EXPECT_NE(weighty.fingerprint(), changed);
}

TEST(WeightFingerprint, IsOfTheTypesOfTheTensors) {
  Weighty weighty;
  uint64_t fingerprint = weighty.fingerprint();
  weighty.tensors.back().dtype = "F16";
  EXPECT_NE(weighty.fingerprint(), fingerprint);
}

TEST(WeightFingerprint, OfRandomWeightsIsOfTheSeed) {
  Weighty weighty;
  CpuDeviceBackend processor(weighty.model);
  auto random = [&](uint64_t seed) { return Weights::random(weighty.model, processor, seed, 2).fingerprint(); };
  EXPECT_EQ(random(1), random(1));
  EXPECT_NE(random(1), random(2));
  EXPECT_NE(random(0), weighty.fingerprint());
}
