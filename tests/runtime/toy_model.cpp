#include "tests/runtime/toy_model.h"
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

namespace bambac::rt::toy {

TemporaryFolder::TemporaryFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "bamba_rt_XXXXXX").string();
  if (!mkdtemp(name.data()))
    throw std::runtime_error("no temporary folder");
  folder = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
}

void TemporaryFolder::write(const std::string &name, const std::string &bytes) const {
  std::ofstream(path(name), std::ios::binary) << bytes;
}

TestTensor f32Tensor(std::string name, std::vector<uint64_t> shape, const std::vector<float> &values) {
  std::string bytes(values.size() * sizeof(float), '\0');
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return {std::move(name), "F32", std::move(shape), std::move(bytes)};
}

std::string rawSafetensors(const std::string &header, const std::string &body) {
  std::string file;
  for (int i = 0; i < 8; ++i)
    file += static_cast<char>(header.size() >> (8 * i));
  return file + header + body;
}

std::string safetensors(const std::vector<TestTensor> &tensors) {
  nlohmann::json header = nlohmann::json::object();
  std::string body;
  for (const TestTensor &tensor : tensors) {
    header[tensor.name] = {{"dtype", tensor.dtype},
                           {"shape", tensor.shape},
                           {"data_offsets", {body.size(), body.size() + tensor.bytes.size()}}};
    body += tensor.bytes;
  }
  return rawSafetensors(header.dump(), body);
}

namespace {

float embedAt(int token, int d) { return static_cast<float>((token * 7 + d * 3) % 13 - 6) / 8; }
float headAt(int v, int d) { return static_cast<float>((v * 5 + d * 11) % 17 - 8) / 8; }
float normAt(int d) { return 0.5f + static_cast<float>(d) / 2; }
float convAt(int d, int k) { return static_cast<float>(d * 3 + k - 4) / 4; }

template <typename At> std::vector<float> matrix(int firstRow, int endRow, int cols, At at) {
  std::vector<float> values;
  for (int r = firstRow; r < endRow; ++r)
    for (int c = 0; c < cols; ++c)
      values.push_back(at(r, c));
  return values;
}

} // namespace

std::vector<TestTensor> toyTensors() {
  return {
      f32Tensor("embed.weight", {vocab, dim}, matrix(0, vocab, dim, embedAt)),
      f32Tensor("head.a.weight", {5, dim}, matrix(0, 5, dim, headAt)),
      f32Tensor("head.b.weight", {6, dim}, matrix(5, vocab, dim, headAt)),
      f32Tensor("norm.weight", {dim}, matrix(0, dim, 1, [](int d, int) { return normAt(d); })),
      f32Tensor("conv1d.weight", {dim, 1, 3}, matrix(0, dim, 3, convAt)),
  };
}

Model openToy(const bamba_rt_model &table) { return Model(table, std::make_shared<const CpuDeviceBackend>(table)); }

std::unique_ptr<Model> loadToy(const bamba_rt_model &table) {
  TemporaryFolder folder;
  folder.write("model.safetensors", safetensors(toyTensors()));
  auto model = std::make_unique<Model>(openToy(table));
  model->load(folder.path(), {});
  return model;
}

std::vector<std::vector<float>> expectedLogits(const std::vector<int32_t> &tokens) {
  float state[dim] = {}, sum[dim] = {};
  std::vector<std::vector<float>> all;
  for (int32_t token : tokens) {
    float hidden[dim];
    for (int d = 0; d < dim; ++d) {
      float x = embedAt(token, d) * normAt(d) + convAt(d, 1);
      state[d] = state[d] * 0.5f + x;
      sum[d] += x;
      hidden[d] = state[d] + sum[d] * 0.25f;
    }
    std::vector<float> &logits = all.emplace_back();
    for (int v = 0; v < vocab; ++v) {
      float logit = 0;
      for (int d = 0; d < dim; ++d)
        logit += headAt(v, d) * hidden[d];
      logits.push_back(logit);
    }
  }
  return all;
}

std::vector<int32_t> someTokens(unsigned seed, size_t count) {
  std::vector<int32_t> tokens;
  tokens.reserve(count);
  for (size_t i = 0; i < count; ++i)
    tokens.push_back(static_cast<int32_t>((size_t{seed} * 5 + i * i * 3 + i) % vocab));
  return tokens;
}

int32_t argmax(const std::vector<float> &values) {
  return static_cast<int32_t>(std::max_element(values.begin(), values.end()) - values.begin());
}

void expectFailure(const Failure &failure, bamba_status status, const std::vector<std::string> &parts) {
  EXPECT_EQ(failure.status, status) << bamba_status_name(failure.status) << ": " << failure.message;
  for (const std::string &part : parts)
    EXPECT_NE(failure.message.find(part), std::string::npos) << "no '" << part << "' in: " << failure.message;
}

} // namespace bambac::rt::toy
