// Weights on a CUDA device: what is copied and packed there, and what may go wrong on the way.

#include "runtime/checkpoint/stored_matrix.h"
#include "runtime/support/element.h"
#include "tests/runtime/cuda_toy.h"
#include <algorithm>
#include <cstring>
#include <filesystem>

using namespace bambac::rt;
using namespace bambac::rt::toy;

namespace {

using Bytes = std::vector<std::byte>;

/// Weights of several pieces: with padding, in panels, interleaved, in rotary pairs, transposed, with odd columns, cut
/// from the rows of one tensor.
class ManyWeights {
public:
  ManyWeights() {
    for (bamba_rt_weight &weight : weights)
      weight.bytes = packedBytes(weight);
    packers = std::make_unique<FakePackers>(weights, kernels);
    model.target = "sm_90a";
    model.device = BAMBA_RT_CUDA;
    model.weights = weights;
    model.num_weights = std::size(weights);
    model.sources = sources;
    model.num_sources = std::size(sources);
    model.kernels = kernels.data();
    model.num_kernels = static_cast<uint32_t>(kernels.size());
  }

  bamba_rt_source sources[9] = {{"a.weight", 2, 0, 0, 0, {3001, 1500}, 0, 3001},
                                {"b.weight", 2, 0, 0, 0, {3001, 1500}, 0, 3001},
                                {"q.weight", 2, 6, 4, 0, {60, 77}, 0, 60},
                                {"k.weight", 2, 10, 8, 0, {20, 77}, 0, 20},
                                {"q.bias", 1, 6, 6, 0, {60}, 0, 60},
                                {"conv1d.weight", 3, 0, 0, 0, {501, 1, 3}, 0, 501},
                                {"qkv.weight", 2, 10, 4, 0, {100, 78}, 15, 40},
                                {"qkv.weight", 2, 0, 0, 0, {100, 78}, 0, 15},
                                {"qkv.weight", 2, 0, 0, 0, {100, 78}, 95, 5}};
  bamba_rt_weight weights[7] = {
      {"pair", BAMBA_RT_BF16, 8, BAMBA_RT_WEIGHT_INTERLEAVE, 2, 0, 8, 64, 0, 0, 0, 6002, 1500, 0},
      {"rows", BAMBA_RT_F32, 0, 0, 1, 0, 1, 1, 0, 0, 0, 3001, 1500, 0},
      {"qk", BAMBA_RT_BF16, 8, 0, 2, 2, 8, 64, 0, 0, 0, 80, 77, 0},
      {"bias", BAMBA_RT_F32, 0, 0, 1, 4, 1, 1, 0, 0, 0, 60, 1, 0},
      {"conv", BAMBA_RT_F32, 0, BAMBA_RT_WEIGHT_TRANSPOSE, 1, 5, 1, 1, 0, 0, 0, 501, 3, 0},
      {"cut", BAMBA_RT_BF16, 8, 0, 2, 6, 8, 64, 0, 0, 0, 55, 78, 0},
      {"last", BAMBA_RT_F32, 0, 0, 1, 8, 1, 1, 0, 0, 0, 5, 78, 0}};
  bamba_rt_model model = {};

  /// A checkpoint of these tensors, of all types, most at addresses that are multiples of nothing.
  std::vector<TestTensor> tensors() const {
    std::vector<TestTensor> tensors = {{"a.padding", "U8", {1}, "x"}};
    for (const bamba_rt_source &source : sources) {
      if (tensors.back().name == source.name)
        continue;
      static constexpr const char *dtypes[] = {"F32", "BF16", "F16"};
      size_t type = tensors.size() % 3, count = 1;
      TestTensor &tensor = tensors.emplace_back(TestTensor{source.name, dtypes[type], {}, ""});
      for (uint32_t i = 0; i < source.rank; ++i) {
        tensor.shape.push_back(source.shape[i]);
        count *= source.shape[i];
      }
      Initializer random(tensors.size(), "x", 100);
      for (size_t i = 0; i < count; ++i)
        append(tensor.bytes, random(i), type);
    }
    tensors.erase(tensors.begin());
    return tensors;
  }

private:
  static void append(std::string &bytes, float value, size_t type) {
    auto add = [&](auto element) { bytes.append(reinterpret_cast<const char *>(&element), sizeof(element)); };
    if (type == 0)
      add(value);
    else if (type == 1)
      add(fromF32<Bf16>(value));
    else
      add(fromF32<F16>(value));
  }

  std::vector<bamba_rt_kernel> kernels;
  std::unique_ptr<FakePackers> packers;
};

class CudaWeightsTest : public CudaTest {
protected:
  CudaWeightsTest() { FakePackers::takePieces(); }

  static void expectSame(const Weights &host, const Weights &device, const bamba_rt_model &model,
                         const cuda::Context &context) {
    EXPECT_EQ(host.fingerprint(), device.fingerprint());
    cuda::Stream stream = context.makeStream();
    cuda::Context::Current current(context);
    for (uint32_t i = 0; i < model.num_weights; ++i) {
      Bytes copy(model.weights[i].bytes);
      context.driver().memcpyDtoHAsync(copy.data(), cuda::addressOf(device.data(i)), copy.size(), stream.get());
      context.driver().streamSynchronize(stream.get());
      EXPECT_EQ(std::memcmp(copy.data(), host.data(i), copy.size()), 0) << model.weights[i].name;
    }
  }

  ManyWeights many;
  CpuDeviceBackend processor{many.model};
  std::shared_ptr<const cuda::Context> context = openFakeDevice();
};

} // namespace

TEST_F(CudaWeightsTest, RandomOnesAreTheSameAsOnTheProcessor) {
  cuda::CudaDeviceBackend backend(context, many.model);
  Weights host = Weights::random(many.model, processor, 5, 2), device = Weights::random(many.model, backend, 5, 3);
  expectSame(host, device, many.model, *context);
}

TEST_F(CudaWeightsTest, AFileThatIsCutOnTheWayIsAnError) {
  TemporaryFolder folder;
  folder.write("model.safetensors", safetensors(many.tensors()));
  std::string path = folder.path("model.safetensors");
  auto cut = [](void *path, uint64_t, uint64_t) {
    std::filesystem::resize_file(*static_cast<std::string *>(path), 5000);
    return 0;
  };
  cuda::CudaDeviceBackend backend(context, many.model);
  expectFailure(failureOf([&] { Weights::load(many.model, backend, path, 1, loadOptions(cut, &path)); }),
                BAMBA_IO_ERROR, {path, "found 5000 (was the file cut"});
}

TEST_F(CudaWeightsTest, LoadedOnesAreTheSameAsOnTheProcessor) {
  TemporaryFolder folder;
  std::vector<TestTensor> tensors = many.tensors();
  for (const std::string space : {"", " "}) { // the file's header moves all tensors by one byte
    std::string file = safetensors(tensors);
    uint64_t length;
    std::memcpy(&length, file.data(), sizeof(length));
    std::string header = file.substr(sizeof(length), length), body = file.substr(sizeof(length) + length);
    folder.write("model.safetensors", rawSafetensors(header + space, body));
    cuda::CudaDeviceBackend backend(context, many.model);
    Weights host = Weights::load(many.model, processor, folder.path(), 2, {});
    Weights device = Weights::load(many.model, backend, folder.path(), 3, {});
    expectSame(host, device, many.model, *context);
  }
}

TEST_F(CudaWeightsTest, TheCheckpointsBytesTravelOnceAndAsTheyAre) {
  TemporaryFolder folder;
  std::vector<TestTensor> tensors = many.tensors();
  folder.write("model.safetensors", safetensors(tensors));
  cuda::CudaDeviceBackend backend(context, many.model);
  int64_t before = fake.liveBytes;
  Weights weights = Weights::load(many.model, backend, folder.path(), 2, {});
  int64_t bytes = 0;
  for (const TestTensor &tensor : tensors) { // the first is in two weights, 60 of the last one's 100 rows in any
    auto size = static_cast<int64_t>(tensor.bytes.size());
    bytes += tensor.name == "a.weight" ? 2 * size : tensor.name == "qkv.weight" ? size * 60 / 100 : size;
  }
  EXPECT_EQ(fake.uploadedBytes, bytes);
  EXPECT_EQ(fake.uploads, fake.packLaunches);
  EXPECT_EQ(fake.clears, 1);
  int64_t all = 0;
  for (const bamba_rt_weight &weight : many.weights)
    all += static_cast<int64_t>((weight.bytes + 255) / 256 * 256);
  EXPECT_EQ(fake.liveBytes - before, all) << "nothing but the weights is left on the device";
}

TEST_F(CudaWeightsTest, TellsTheKernelsWhereRowsGo) {
  {
    cuda::CudaDeviceBackend backend(context, many.model);
    Weights::random(many.model, backend, 5, 1);
  }
  std::vector<bamba_rt_piece> pieces = FakePackers::takePieces();
  for (size_t i = 2; i < pieces.size(); ++i) { // one is filled while the other travels
    EXPECT_NE(pieces[i].from, pieces[i - 1].from);
    EXPECT_EQ(pieces[i].from, pieces[i - 2].from);
  }
  auto of = [&](uint64_t cols, uint64_t step) {
    std::vector<bamba_rt_piece> found;
    for (const bamba_rt_piece &piece : pieces)
      if (piece.cols == cols && piece.row_step == step)
        found.push_back(piece);
    std::ranges::sort(found, {}, [](const auto &piece) { return std::pair(piece.row_base, piece.first_row); });
    return found;
  };
  std::vector<bamba_rt_piece> pair = of(1500, 2), rows = of(1500, 1), heads = of(77, 1), bias = of(1, 1),
                              conv = of(3, 1);
  constexpr uint64_t step = (4u << 20) / (1500 * 4); // random numbers are made as f32
  ASSERT_EQ(pair.size(), 2 * ((3001 + step - 1) / step));
  for (size_t i = 0; i < pair.size(); ++i) {
    uint64_t number = i % (pair.size() / 2);
    EXPECT_EQ(pair[i].row_base, i * 2 / pair.size());
    EXPECT_EQ(pair[i].first_row, number * step);
    EXPECT_EQ(pair[i].rows, std::min(step, 3001 - number * step));
    EXPECT_EQ(pair[i].width, 1536u);
    EXPECT_EQ(pair[i].dtype, static_cast<uint32_t>(BAMBA_RT_F32));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(pair[i].from) % 16, 0u);
    EXPECT_EQ(pair[i].to, pair[0].to);
  }
  ASSERT_EQ(rows.size(), pair.size() / 2);
  EXPECT_EQ(rows[0].row_base, 0u);
  EXPECT_EQ(rows[0].width, 1500u);
  ASSERT_EQ(heads.size(), 2u);
  EXPECT_EQ(heads[1].row_base, 60u) << "after the rows of the first source";
  EXPECT_EQ(heads[0].head_dim, 6u);
  EXPECT_EQ(heads[1].rotary_dim, 8u);
  ASSERT_EQ(bias.size(), 1u);
  EXPECT_EQ(bias[0].rows, 60u);
  ASSERT_EQ(conv.size(), 1u);
  EXPECT_EQ(conv[0].transposed, 1u);
  EXPECT_EQ(conv[0].width, 501u);
}

TEST_F(CudaWeightsTest, TellsProgressAndCanBeStopped) {
  TemporaryFolder folder;
  folder.write("model.safetensors", safetensors(many.tensors()));
  cuda::CudaDeviceBackend backend(context, many.model);
  std::vector<std::pair<uint64_t, uint64_t>> calls;
  auto note = [](void *user, uint64_t done, uint64_t total) {
    static_cast<decltype(calls) *>(user)->push_back({done, total});
    return 0;
  };
  Weights::load(many.model, backend, folder.path(), 2, loadOptions(note, &calls));
  ASSERT_FALSE(calls.empty());
  uint64_t total = 0;
  for (const bamba_rt_weight &weight : many.weights)
    total += weight.rows * weight.cols * elementBytes(weight.dtype);
  EXPECT_EQ(calls.back(), std::pair(total, total));
  EXPECT_TRUE(std::ranges::is_sorted(calls));

  int before = fake.uploads;
  auto stop = [](void *, uint64_t, uint64_t) { return 1; };
  expectFailure(failureOf([&] { Weights::load(many.model, backend, folder.path(), 1, loadOptions(stop)); }),
                BAMBA_IO_ERROR, {"given up"});
  EXPECT_EQ(fake.uploads - before, 1) << "one thread, stopped after its first piece";
}

TEST_F(CudaWeightsTest, FailuresAreTold) {
  cuda::CudaDeviceBackend backend(context, many.model);
  auto load = [&] { Weights::random(many.model, backend, 1, 2); };
  fake.deviceBytes = fake.liveBytes + 1000;
  expectFailure(failureOf(load), BAMBA_OUT_OF_MEMORY, {"out of memory: the weights of", "on cuda:0 (Fake Card)"});
  fake.deviceBytes = fake.liveBytes + (int64_t{40} << 20);
  expectFailure(failureOf(load), BAMBA_OUT_OF_MEMORY,
                {"out of memory: the staging buffers of the weights of", "on cuda:0 (Fake Card)"});
  fake.deviceBytes = int64_t{1} << 30;
  fake.failPack = 700;
  expectFailure(failureOf(load), BAMBA_DEVICE_ERROR,
                {"cuda:0 (Fake Card)", "bringing the weights to the device", "CUDA_ERROR_ILLEGAL_ADDRESS"});
  fake.failPack = 0;
  load();
}

TEST_F(CudaWeightsTest, RefusesTablesWithoutKernelsThatPack) {
  auto open = [&] { openModel(toy.library(), nullptr, fakeCudaLibrary); };
  EXPECT_EQ(failureOf(open).status, BAMBA_OK);
  uint32_t right = std::exchange(toy.weights[1].pack_kernel, 100);
  expectFailure(failureOf(open), BAMBA_INTERNAL, {"head", "a kernel that packs it out of range"});
  toy.weights[1].pack_kernel = 0;
  expectFailure(failureOf(open), BAMBA_INTERNAL, {"head", "a kernel that does not pack weights"});
  toy.weights[1].pack_kernel = right;
  EXPECT_EQ(failureOf(open).status, BAMBA_OK);
}
