// Makes a checkpoint of any bytes, with tensors that a small model has, misses, or does not know, of any type and
// shape: it must be refused, or be matched and packed without a step beyond the file or the weights.

#include "runtime/checkpoint/manifest.h"
#include "runtime/checkpoint/stored_matrix.h"
#include "runtime/host/load_weights.h"
#include "runtime/support/error.h"
#include "runtime/support/thread_pool.h"
#include <cstdio>
#include <cstdlib>
#include <fmt/format.h>
#include <unistd.h>
#include <vector>

using namespace bambac::rt;

namespace {

constexpr uint32_t kScales = BAMBA_RT_WEIGHT_TRANSPOSE | BAMBA_RT_WEIGHT_POSITIVE;

/// Numbers, taps that are transposed, codes of two tensors with scales of rows and of all of one, and optional scales.
bamba_rt_source sources[] = {
    {"embed", 2, 0, 0, 0, {6, 4}, 0, 6}, {"taps", 3, 0, 0, 0, {4, 1, 3}, 0, 4}, {"a", 2, 4, 2, 0, {4, 5}, 0, 4},
    {"b", 2, 0, 0, 0, {3, 5}, 0, 3},     {"a_scale", 2, 4, 2, 0, {4, 1}, 0, 4}, {"b_scale", 1, 0, 0, 3, {1}, 0, 3},
    {"k_scale", 1, 0, 0, 0, {1}, 0, 1},
};
bamba_rt_weight weights[] = {
    {"embed", BAMBA_RT_BF16, 0, 0, 1, 0, 1, 1, 0, 0, 0, 6, 4, 0},
    {"taps", BAMBA_RT_F32, 0, BAMBA_RT_WEIGHT_TRANSPOSE, 1, 1, 1, 1, 0, 0, 0, 4, 3, 0},
    {"codes", BAMBA_RT_F8E4M3, 4, 0, 2, 2, 1, 1, 0, 4, 0, 7, 5, 0},
    {"scales", BAMBA_RT_F32, 0, kScales, 2, 4, 1, 1, 0, 0, 0, 7, 1, 0},
    {"cache", BAMBA_RT_F32, 0, BAMBA_RT_WEIGHT_POSITIVE | BAMBA_RT_WEIGHT_OPTIONAL, 1, 6, 1, 1, 0, 0, 0, 1, 1, 0},
};
constexpr const char *kRules = R"({"ignored": [".inv_freq"], "copies": {"head": "embed"}, "padded": ["embed"]})";
/// What a checkpoint may have beside the model's own tensors.
constexpr const char *kOthers[] = {"head", "x.inv_freq", "pre.a", "unknown"};
constexpr std::pair<const char *, uint32_t> kTypes[] = {{"F32", 4}, {"BF16", 2}, {"F8_E4M3", 1}, {"F16", 2},
                                                        {"F64", 8}, {"I8", 1},   {"F8_E5M2", 1}};

bamba_rt_model makeModel() {
  bamba_rt_model model = {};
  model.sources = sources;
  model.num_sources = std::size(sources);
  for (bamba_rt_weight &weight : weights)
    weight.bytes = packedBytes(weight);
  model.weights = weights;
  model.num_weights = std::size(weights);
  return model;
}

/// Takes bytes from the input, zeros once they are used up.
class Bytes {
public:
  Bytes(const uint8_t *data, size_t size) : data(data), left(size) {}
  uint8_t next() { return left ? (--left, *data++) : 0; }

private:
  const uint8_t *data;
  size_t left;
};

/// A safetensors file; a byte for each tensor says what is wrong with it: mostly nothing.
std::string makeFile(Bytes &input) {
  std::string header, body;
  auto add = [&](const std::string &name, std::vector<uint64_t> shape) {
    uint8_t choice = input.next(), kind = input.next();
    if (choice % 8 == 7)
      return; // missing
    if (choice % 8 == 6 && !shape.empty())
      shape[kind % shape.size()] += kind / 8 % 3; // of another size, or padded
    if (choice % 8 == 5)
      std::erase(shape, uint64_t{1});
    auto [type, bytes] = kTypes[kind % std::size(kTypes)];
    uint64_t count = bytes;
    for (uint64_t size : shape)
      count *= size;
    header += fmt::format(R"({}"{}":{{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})", header.empty() ? "{" : ",",
                          name, type, fmt::join(shape, ","), body.size(), body.size() + count);
    for (uint64_t i = 0; i < count; ++i)
      body += static_cast<char>(input.next());
  };
  for (const bamba_rt_source &source : sources)
    add(source.name, {source.shape, source.shape + source.rank});
  for (const char *name : kOthers)
    if (input.next() % 4 == 1)
      add(name, {6, 4});
  header += header.empty() ? "{}" : "}";
  uint64_t length = header.size();
  return std::string(reinterpret_cast<const char *>(&length), 8) + header + body;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const bamba_rt_model model = makeModel();
  static const CheckpointRules rules(kRules);
  static const std::string path = fmt::format("/tmp/bamba-fuzz-{}.safetensors", getpid());
  Bytes input(data, size);
  std::string bytes = makeFile(input);
  FILE *file = std::fopen(path.c_str(), "wb");
  if (!file || std::fwrite(bytes.data(), 1, bytes.size(), file) != bytes.size() || std::fclose(file) != 0)
    std::abort();
  try {
    Checkpoint checkpoint(path);
    unlink(path.c_str());
    std::vector<WeightSource> found = matchSources(model, rules, checkpoint, [](const std::string &) {});
    std::vector<std::vector<std::byte>> memory;
    std::vector<std::byte *> addresses;
    for (const bamba_rt_weight &weight : weights)
      addresses.push_back(memory.emplace_back(weight.bytes).data());
    ThreadPool pool(1);
    LoadReporter reporter({}, 0);
    loadWeights(model, found, addresses, pool, reporter);
    const auto *scales = reinterpret_cast<const float *>(addresses[3]);
    for (uint64_t row = 0; row < weights[3].rows; ++row)
      if (!(scales[row] > 0))
        std::abort();
  } catch (const Error &error) {
    if (error.status() != BAMBA_BAD_CHECKPOINT)
      std::abort();
  }
  return 0;
}
