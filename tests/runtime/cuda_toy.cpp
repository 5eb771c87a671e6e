#include "tests/runtime/cuda_toy.h"
#include "runtime/contract/weight_layout.h"
#include "runtime/support/element.h"
#include <dlfcn.h>
#include <map>
#include <span>
#include <tuple>
#include <utility>

namespace bambac::rt::toy {

const char *const fakeCudaLibrary = BAMBA_FAKE_CUDA;

FakeCuda &fakeCuda() {
  static FakeCuda *const fake = [] {
    void *library = dlopen(fakeCudaLibrary, RTLD_NOW | RTLD_LOCAL);
    auto find = reinterpret_cast<FakeCuda *(*)()>(library ? dlsym(library, "fakeCuda") : nullptr);
    if (!find)
      throw std::runtime_error("no fake driver");
    return find();
  }();
  return *fake;
}

std::shared_ptr<const cuda::Context> openFakeDevice() {
  cuda::FoundDevices all = cuda::findDevices(fakeCudaLibrary);
  return std::make_shared<const cuda::Context>(all.driver, 0, all.devices.found[0]);
}

namespace {

std::vector<bamba_rt_piece> pieces;

template <typename To, typename From> void convert(const From *from, To *to) {
  if constexpr (std::is_same_v<To, From>)
    *to = *from;
  else
    *to = fromF32<To>(toF32(*from));
}

/// The words of bamba_rt_piece, element by element.
template <typename To, typename From> void pack(const FakeCubin &cubin, const bamba_rt_piece &piece) {
  uint64_t panel = std::max(cubin.panel, 1u), group = cubin.group;
  for (uint64_t i = 0; i < piece.rows; ++i) {
    uint64_t place = contract::rotaryPlaceOf(piece.first_row + i, piece.head_dim, piece.rotary_dim);
    for (uint64_t col = 0; col < piece.cols; ++col) {
      uint64_t r = contract::SourceRows{piece.row_base, piece.row_step}.rowOf(place), c = col;
      if (piece.transposed)
        std::swap(r, c);
      uint64_t offset = contract::panelOffset(r, c, panel, group, piece.width);
      convert(static_cast<const From *>(piece.from) + i * piece.cols + col, static_cast<To *>(piece.to) + offset);
    }
  }
}

void packPiece(const FakeCubin *cubin, const bamba_rt_piece *piece) {
  pieces.push_back(*piece); // the driver runs one thing at a time
  withElement(cubin->dtype, [&](auto to) {
    withElement(piece->dtype, [&](auto from) { pack<decltype(to), decltype(from)>(*cubin, *piece); });
  });
}

} // namespace

FakePackers::FakePackers(std::span<bamba_rt_weight> weights, std::vector<bamba_rt_kernel> &kernels) {
  static constexpr bamba_rt_param param = {BAMBA_RT_PARAM_PIECE, 0, {}};
  std::map<std::tuple<uint32_t, uint32_t, uint32_t>, uint32_t> known;
  for (bamba_rt_weight &weight : weights) {
    auto [found, isNew] = known.try_emplace({weight.dtype, weight.panel, weight.panel_group}, kernels.size());
    weight.pack_kernel = found->second;
    if (!isNew)
      continue;
    cubins.push_back({fakeCubinMagic, 1, nullptr, 1, 0, packPiece, weight.dtype, weight.panel, weight.panel_group});
    code.push_back({&cubins.back(), sizeof(FakeCubin), "pack_weights", {{1, 1, 1}, 32, 1, 0, 0, 0}, 1, &param});
    kernels.push_back({"pack_weights", "", nullptr, &code.back(), 0});
  }
}

std::vector<bamba_rt_piece> FakePackers::takePieces() { return std::exchange(pieces, {}); }

CudaToy::CudaToy() {
  std::span launches(toyTable.launches, toyTable.num_launches);
  uint32_t numArgs = launches[0].num_args;
  for (uint32_t i = 0; i < numArgs; ++i) {
    params.emplace_back();
    params.back().arg = i;
  }
  kernels.assign(toyTable.kernels, toyTable.kernels + toyTable.num_kernels);
  for (const bamba_rt_launch &launch : launches) // one for each kernel, in the same order
    cubins.push_back({fakeCubinMagic, launch.num_workgroups, kernels[launch.kernel].cpu, numArgs,
                      kernels[launch.kernel].scratch_bytes, nullptr, 0, 0, 0});
  for (const FakeCubin &cubin : cubins)
    code.push_back({&cubin, sizeof(cubin), "kernel", {{1, 1, 1}, 32, 1, 0, 1, 0}, numArgs, params.data()});
  for (size_t i = 0; i < kernels.size(); ++i) {
    kernels[i].cpu = nullptr;
    kernels[i].cuda = &code[i];
  }
  weights.assign(toyTable.weights, toyTable.weights + toyTable.num_weights);
  packers = std::make_unique<FakePackers>(weights, kernels);
  model.weights = weights.data();
  model.num_kernels = static_cast<uint32_t>(kernels.size());
  model.target = "sm_90a";
  model.device = BAMBA_RT_CUDA;
  model.compute = 90;
  model.exact = 1;
  model.kernels = kernels.data();
}

std::unique_ptr<Model> CudaToy::load() const {
  TemporaryFolder folder;
  folder.write("model.safetensors", safetensors(toyTensors()));
  std::unique_ptr<Model> opened(new Model(openModel(library(), nullptr, fakeCudaLibrary)));
  opened->load(folder.path(), {});
  return opened;
}

} // namespace bambac::rt::toy
