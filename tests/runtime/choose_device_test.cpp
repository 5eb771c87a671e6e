// Which device and which code is chosen, for any machine and any library.

#include "runtime/cuda/tensor_map.h"
#include "runtime/device/choose_device.h"
#include "tests/runtime/toy_model.h"
#include <deque>

using namespace bambac::rt;
using namespace bambac::rt::toy;

namespace {

/// A library with models for the given targets; only what the choice looks at is filled in.
class Targets {
public:
  Targets(std::vector<std::string> names) {
    models.resize(names.size());
    for (size_t i = 0; i < names.size(); ++i) {
      if (names[i] == "cpu")
        models[i].target = "cpu";
      else if (names[i] == "sm_80")
        set(models[i], "sm_80", 80, 0);
      else if (names[i] == "sm_89")
        set(models[i], "sm_89", 89, 0);
      else if (names[i] == "sm_90")
        set(models[i], "sm_90", 90, 0);
      else
        set(models[i], "sm_90a", 90, 1);
      pointers.push_back(&models[i]);
    }
  }

  bamba_rt_library library() const {
    return {BAMBA_RT_ABI_VERSION, static_cast<uint32_t>(pointers.size()), pointers.data(), ""};
  }

  /// Gives model `index` a kernel that uses so much shared memory.
  void useShared(size_t index, uint32_t bytes) {
    code.emplace_back().launch.shared_bytes = bytes;
    bamba_rt_kernel &kernel = kernels.emplace_back();
    kernel.name = "scan";
    kernel.cuda = &code.back();
    models[index].kernels = &kernel;
    models[index].num_kernels = 1;
  }

  /// "cuda:1 sm_80": what is chosen.
  std::string choose(const char *request, const CudaDevices &devices) const {
    DeviceChoice choice = chooseDevice(library(), parseDevice(request), devices);
    return (choice.index ? fmt::format("cuda:{} ", *choice.index) : "cpu ") + choice.model->target;
  }

  Failure refuse(const char *request, const CudaDevices &devices) const {
    return failureOf([&] { choose(request, devices); });
  }

private:
  static void set(bamba_rt_model &model, const char *target, uint32_t compute, uint32_t exact) {
    model.target = target;
    model.device = BAMBA_RT_CUDA;
    model.compute = compute;
    model.exact = exact;
  }

  std::vector<bamba_rt_model> models;
  std::vector<const bamba_rt_model *> pointers;
  std::deque<bamba_rt_cuda_kernel> code;
  std::deque<bamba_rt_kernel> kernels;
};

/// As the cards of these generations have it.
int sharedBytesOf(int major, int minor) { return major == 9 ? 232448 : major == 8 && minor == 0 ? 166912 : 101376; }

CudaDevices devices(const std::vector<std::pair<int, int>> &capabilities) {
  CudaDevices all;
  for (auto [major, minor] : capabilities)
    all.found.push_back({major, minor, sharedBytesOf(major, minor), "Card"});
  return all;
}

CudaDevices none() { return {{}, "no CUDA driver: libcuda.so.1: cannot open"}; }

bamba_rt_tensor_map map2d(uint32_t rows) {
  bamba_rt_tensor_map map = {};
  map.element_bytes = 2;
  map.rank = 2;
  map.swizzle_bytes = 128;
  map.dims[0] = 256;
  map.dims[1] = rows;
  map.box[0] = 64;
  map.box[1] = 128;
  map.strides[0] = 512;
  return map;
}

} // namespace

TEST(ChooseDevice, ReadsRequests) {
  EXPECT_EQ(parseDevice(nullptr).kind, DeviceRequest::Best);
  EXPECT_EQ(parseDevice("cpu").kind, DeviceRequest::Cpu);
  EXPECT_EQ(parseDevice("cuda").kind, DeviceRequest::Cuda);
  EXPECT_FALSE(parseDevice("cuda").index);
  EXPECT_EQ(parseDevice("cuda:13").index, 13u);
  for (const char *wrong : {"", "CPU", "cuda:", "cuda:x", "cuda:-1", "cuda:1 ", "cuda:99999999999", "gpu", "cuda1"})
    expectFailure(failureOf([&] { parseDevice(wrong); }), BAMBA_UNSUPPORTED,
                  {"expected \"cpu\", \"cuda\" or \"cuda:I\"", fmt::format("\"{}\"", wrong)});
}

TEST(ChooseDevice, AsksForCudaOnlyWhereItMatters) {
  EXPECT_FALSE(needsCuda(Targets({"cpu"}).library(), parseDevice(nullptr)));
  EXPECT_FALSE(needsCuda(Targets({"cpu", "sm_80"}).library(), parseDevice("cpu")));
  EXPECT_TRUE(needsCuda(Targets({"cpu", "sm_80"}).library(), parseDevice(nullptr)));
}

TEST(ChooseDevice, TakesTheBestThereIs) {
  Targets all({"cpu", "sm_80", "sm_90", "sm_90a"});
  EXPECT_EQ(all.choose(nullptr, none()), "cpu cpu");
  EXPECT_EQ(all.choose(nullptr, devices({{7, 5}, {8, 6}, {9, 0}})), "cuda:1 sm_80");
  EXPECT_EQ(all.choose(nullptr, devices({{9, 0}})), "cuda:0 sm_90a") << "exact code before code for a generation";
  EXPECT_EQ(all.choose("cuda", devices({{10, 0}, {8, 0}})), "cuda:1 sm_80");
  EXPECT_EQ(all.choose("cuda:2", devices({{8, 0}, {8, 0}, {9, 0}})), "cuda:2 sm_90a");
  EXPECT_EQ(all.choose("cpu", devices({{9, 0}})), "cpu cpu");
  EXPECT_EQ(all.choose(nullptr, devices({{7, 5}, {12, 0}})), "cpu cpu");
  EXPECT_EQ(Targets({"sm_80", "sm_90"}).choose(nullptr, devices({{8, 9}})), "cuda:0 sm_80");
  EXPECT_EQ(Targets({"sm_80", "sm_90"}).choose(nullptr, devices({{9, 0}})), "cuda:0 sm_90");
}

TEST(ChooseDevice, SaysWhatIsExpectedAndFound) {
  Targets hopper({"sm_90a"}), both({"cpu", "sm_80", "sm_90a"}), cpu({"cpu"});
  expectFailure(hopper.refuse(nullptr, none()), BAMBA_UNSUPPORTED,
                {"expected a CUDA device of compute capability 9.0, found none: no CUDA driver: libcuda.so.1"});
  expectFailure(hopper.refuse("cuda", devices({{8, 0}})), BAMBA_UNSUPPORTED,
                {"capability 9.0, found cuda:0 (Card) of 8.0"});
  expectFailure(hopper.refuse("cuda:0", devices({{9, 1}})), BAMBA_UNSUPPORTED, {"found cuda:0 (Card) of 9.1"});
  expectFailure(both.refuse("cuda:3", devices({{9, 0}})), BAMBA_UNSUPPORTED, {"cuda:0 to cuda:0", "\"cuda:3\""});
  expectFailure(both.refuse("cuda:0", none()), BAMBA_UNSUPPORTED, {"capability 8.0 to 8.9 or 9.0, found none"});
  expectFailure(cpu.refuse("cuda", devices({{9, 0}})), BAMBA_UNSUPPORTED, {"\"cpu\"", "no code for CUDA", "\"cuda\""});
  expectFailure(hopper.refuse("cpu", devices({{9, 0}})), BAMBA_UNSUPPORTED, {"no code for the processor"});
}

TEST(ChooseDevice, PassesOverCodeThatDoesNotFit) {
  Targets all({"cpu", "sm_80", "sm_89"});
  all.useShared(1, 162816);
  all.useShared(2, 101376);
  EXPECT_EQ(all.choose(nullptr, devices({{8, 0}})), "cuda:0 sm_80");
  EXPECT_EQ(all.choose(nullptr, devices({{8, 9}})), "cuda:0 sm_89");
  EXPECT_EQ(all.choose(nullptr, devices({{8, 6}})), "cpu cpu") << "sm_89 is newer, sm_80 too large";
  EXPECT_EQ(all.choose(nullptr, devices({{8, 6}, {8, 0}})), "cuda:1 sm_80") << "the next card";
  EXPECT_EQ(all.choose("cuda", devices({{8, 6}, {8, 9}})), "cuda:1 sm_89");
  expectFailure(all.refuse("cuda:0", devices({{8, 6}})), BAMBA_UNSUPPORTED,
                {"found cuda:0 (Card) of 8.6", "the code for sm_80 does not fit", "kernel scan needs 162816 bytes",
                 "the device has 101376", "compile for sm_86"});
  Targets cudaOnly({"sm_80"});
  cudaOnly.useShared(0, 101377);
  expectFailure(cudaOnly.refuse(nullptr, devices({{8, 6}, {8, 9}})), BAMBA_UNSUPPORTED,
                {"cuda:0 (Card) of 8.6, where", "compile for sm_86, cuda:1 (Card) of 8.9, where", "compile for sm_89"});
}

TEST(ChooseDevice, AMachineWithoutADriverHasNoDevices) {
  cuda::FoundDevices machine = cuda::findDevices("/nonexistent/libcuda.so.1");
  EXPECT_TRUE(machine.devices.found.empty());
  EXPECT_NE(machine.devices.reason.find("no CUDA driver: /nonexistent/libcuda.so.1"), std::string::npos)
      << machine.devices.reason;
  EXPECT_EQ(machine.driver, nullptr);
  // A library that is none of CUDA's.
  EXPECT_NE(cuda::findDevices("libm.so.6").devices.reason.find("it has no function cuInit"), std::string::npos);
}

TEST(TensorMap, SaysWhatTheTableSays) {
  cuda::TensorMapShape shape = cuda::shapeOf(map2d(300), 0, "kernel");
  EXPECT_EQ(shape.type, cuda::tensorBfloat16);
  EXPECT_EQ(shape.swizzle, 3);
  EXPECT_EQ(shape.rank, 2u);
  EXPECT_EQ(shape.dims[0], 256u);
  EXPECT_EQ(shape.dims[1], 300u);
  EXPECT_EQ(shape.strides[0], 512u);
  EXPECT_EQ(shape.box[1], 128u);
  EXPECT_EQ(shape.elementStrides[1], 1u);
  EXPECT_EQ(cuda::shapeOf(map2d(0), 65, "kernel").dims[1], 65u) << "as many rows as the pool has items";
}

TEST(TensorMap, RefusesWhatNoDeviceTakes) {
  auto refuse = [](auto change, const std::string &part) {
    bamba_rt_tensor_map map = map2d(300);
    change(map);
    expectFailure(failureOf([&] { cuda::shapeOf(map, 0, "kernel_x"); }), BAMBA_INTERNAL, {"kernel_x", part});
  };
  refuse([](auto &map) { map.rank = 6; }, "rank");
  refuse([](auto &map) { map.element_bytes = 8; }, "elements");
  refuse([](auto &map) { map.swizzle_bytes = 16; }, "swizzle");
  refuse([](auto &map) { map.dims[1] = 0; }, "size");
  refuse([](auto &map) { map.box[1] = 257; }, "box");
  refuse([](auto &map) { map.box[0] = 4; }, "16 bytes");
  refuse([](auto &map) { map.strides[0] = 520; }, "stride");
}
