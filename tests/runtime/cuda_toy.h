// The toy model as a CUDA target, for the driver of fake_cuda.h.
#ifndef BAMBA_TESTS_RUNTIME_CUDA_TOY_H
#define BAMBA_TESTS_RUNTIME_CUDA_TOY_H

#include "runtime/cuda/cuda_device_backend.h"
#include "tests/runtime/fake_cuda.h"
#include "tests/runtime/toy_model.h"
#include <deque>
#include <span>

namespace bambac::rt::toy {

/// The fake driver's library and its counters.
extern const char *const fakeCudaLibrary;
FakeCuda &fakeCuda();

/// The fake device in use.
std::shared_ptr<const cuda::Context> openFakeDevice();

/// Kernels that pack weights, one for each type and layout.
class FakePackers {
public:
  /// Adds to `kernels` what packs `weights`, and says it in their tables.
  FakePackers(std::span<bamba_rt_weight> weights, std::vector<bamba_rt_kernel> &kernels);
  FakePackers(const FakePackers &) = delete;

  /// What was packed on any device since the last call, in that order.
  static std::vector<bamba_rt_piece> takePieces();

private:
  std::deque<FakeCubin> cubins;
  std::deque<bamba_rt_cuda_kernel> code;
};

/// Tables that differ from the toy's only in their kernels; `model` and `weights` may be changed before it is opened.
class CudaToy {
public:
  CudaToy();
  CudaToy(const CudaToy &) = delete;

  bamba_rt_model model = toyTable;
  std::vector<bamba_rt_weight> weights;
  std::vector<bamba_rt_cuda_kernel> code; ///< of the model's kernels, in their order

  /// A library with this model, and also the processor's where `withCpu` is set.
  bamba_rt_library library(bool withCpu = false) const { return {BAMBA_RT_ABI_VERSION, withCpu ? 2u : 1u, models, ""}; }

  /// Opened with the fake driver, its weights loaded from a file.
  std::unique_ptr<Model> load() const;

private:
  std::vector<FakeCubin> cubins;
  std::vector<bamba_rt_param> params;
  std::vector<bamba_rt_kernel> kernels;
  std::unique_ptr<FakePackers> packers;
  const bamba_rt_model *models[2] = {&model, &toyTable};
};

/// Each test starts with a fresh machine, and leaves nothing on it.
class CudaTest : public testing::Test {
protected:
  CudaTest() {
    fake = {};
    fake.major = 9;
    fake.sharedBytes = 232448;
    fake.deviceBytes = int64_t{1} << 30;
  }
  ~CudaTest() override {
    EXPECT_EQ(fake.liveBytes, 0);
    EXPECT_EQ(fake.liveObjects, 0);
    EXPECT_EQ(fake.contextDepth, 0);
    EXPECT_EQ(fake.callsWithoutContext, 0);
  }

  FakeCuda &fake = fakeCuda();
  CudaToy toy;
};

} // namespace bambac::rt::toy
#endif // BAMBA_TESTS_RUNTIME_CUDA_TOY_H
