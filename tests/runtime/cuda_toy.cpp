#include "tests/runtime/cuda_toy.h"
#include <dlfcn.h>
#include <span>

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
                      kernels[launch.kernel].scratch_bytes});
  for (const FakeCubin &cubin : cubins)
    code.push_back({&cubin, sizeof(cubin), {1, 1, 1}, 32, 1, 0, 1, numArgs, params.data()});
  for (size_t i = 0; i < kernels.size(); ++i) {
    kernels[i].cpu = nullptr;
    kernels[i].cuda = &code[i];
  }
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
