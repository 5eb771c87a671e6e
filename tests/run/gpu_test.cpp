// What measurements ask of a CUDA device, with a driver that only records.

#include "runtime/cuda/driver_types.h"
#include "runtime/run/measure/gpu_bandwidth.h"
#include "tests/runtime/fake_cuda.h"
#include <dlfcn.h>
#include <gtest/gtest.h>

#if __has_include(<cublasLt.h>)
#include "runtime/run/measure/cublas_codes.h"
#include <cublasLt.h>
static_assert(sizeof(cublasLtMatmulHeuristicResult_t) == sizeof(bambac::measure::CodeProduct::Algorithm));
static_assert(offsetof(cublasLtMatmulHeuristicResult_t, state) ==
              offsetof(bambac::measure::CodeProduct::Algorithm, status));
static_assert(CUBLASLT_MATMUL_DESC_TRANSA == 3 && CUBLASLT_MATMUL_DESC_A_SCALE_POINTER == 17 &&
              CUBLASLT_MATMUL_DESC_B_SCALE_POINTER == 18 && CUBLASLT_MATMUL_DESC_FAST_ACCUM == 25 &&
              CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES == 1);
static_assert(CUBLAS_COMPUTE_32F == 68 && CUDA_R_32F == 0 && CUDA_R_16BF == 14 && CUDA_R_8F_E4M3 == 28);
#endif
#if __has_include(<cuda.h>)
#include <cuda.h>
static_assert(sizeof(CUlaunchConfig) == sizeof(bambac::measure::CudaDriver::LaunchConfig));
static_assert(offsetof(CUlaunchConfig, hStream) == offsetof(bambac::measure::CudaDriver::LaunchConfig, stream));
static_assert(offsetof(CUlaunchConfig, numAttrs) == offsetof(bambac::measure::CudaDriver::LaunchConfig, numAttributes));
static_assert(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT == 16 && CU_STREAM_NON_BLOCKING == 1);
#endif

using namespace bambac;

namespace {

class GpuTest : public testing::Test {
protected:
  GpuTest() {
    void *library = dlopen(BAMBA_FAKE_CUDA, RTLD_NOW | RTLD_LOCAL);
    auto find = reinterpret_cast<FakeCuda *(*)()>(library ? dlsym(library, "fakeCuda") : nullptr);
    download = reinterpret_cast<Download>(library ? dlsym(library, "cuMemcpyDtoHAsync_v2") : nullptr);
    if (!find || !download)
      throw std::runtime_error("no fake driver");
    fake = find();
    *fake = {};
    fake->major = 9;
    fake->deviceBytes = 64 << 20;
  }
  ~GpuTest() override {
    EXPECT_EQ(fake->liveBytes, 0);
    EXPECT_EQ(fake->liveObjects, 0);
    EXPECT_EQ(fake->contextDepth, 0);
    EXPECT_EQ(fake->callsWithoutContext, 0);
  }

  using Download = int (*)(void *to, uint64_t from, size_t bytes, rt::cuda::StreamHandle stream);

  FakeCuda *fake = nullptr;
  Download download = nullptr;
};

} // namespace

TEST_F(GpuTest, KnowsItsDevice) {
  measure::Gpu gpu("cuda:0", BAMBA_FAKE_CUDA);
  EXPECT_EQ(gpu.product(), "Fake Card");
  EXPECT_EQ(gpu.multiprocessors(), 2u);
  EXPECT_EQ(gpu.memory().total, size_t{64} << 20);
  EXPECT_THROW(measure::Gpu("cuda:1", BAMBA_FAKE_CUDA), std::exception);
  EXPECT_THROW(measure::Gpu("cuda:0", "libno-such-driver.so"), std::exception);
}

TEST_F(GpuTest, TimesWhatIsInTheStream) {
  measure::Gpu gpu("cuda:0", BAMBA_FAKE_CUDA);
  EXPECT_NEAR(gpu.time([] {}), 1e-3, 1e-9); // an event takes a millisecond
  measure::Gpu::Mark marks[] = {gpu.mark(), gpu.mark(), gpu.mark()};
  gpu.finish();
  EXPECT_NEAR(gpu.secondsBetween(marks[0], marks[2]), 2e-3, 1e-9);
}

TEST_F(GpuTest, RandomMemoryIsFullOfNumbers) {
  measure::Gpu gpu("cuda:0", BAMBA_FAKE_CUDA);
  constexpr size_t bytes = (20 << 20) + 6;
  measure::Gpu::Buffer memory = gpu.makeRandom(bytes, "numbers");
  std::vector<uint16_t> numbers(bytes / 2);
  {
    measure::Gpu::Current current(gpu);
    ASSERT_EQ(download(numbers.data(), memory.address(), bytes, static_cast<rt::cuda::StreamHandle>(gpu.stream())), 0);
  }
  gpu.finish();
  size_t zeros = 0;
  for (uint16_t number : numbers) {
    ASSERT_LE(number & 0x7fff, 0x3f80); // at most 1
    zeros += number == 0;
  }
  EXPECT_LT(zeros, 10u);
}

TEST_F(GpuTest, RandomCodesAreNumbers) {
  measure::Gpu gpu("cuda:0", BAMBA_FAKE_CUDA);
  constexpr size_t bytes = (9 << 20) + 3;
  measure::Gpu::Buffer memory = gpu.makeRandomCodes(bytes, "codes");
  std::vector<uint8_t> codes(bytes);
  {
    measure::Gpu::Current current(gpu);
    ASSERT_EQ(download(codes.data(), memory.address(), bytes, static_cast<rt::cuda::StreamHandle>(gpu.stream())), 0);
  }
  gpu.finish();
  size_t zeros = 0;
  for (uint8_t code : codes) {
    ASSERT_LE(code & 0x7f, 0x38); // at most 1
    zeros += code == 0;
  }
  EXPECT_LT(zeros, bytes / 100);
}

TEST_F(GpuTest, BandwidthsComeFromBytesAndTheDevicesClock) {
  measure::Gpu gpu("cuda:0", BAMBA_FAKE_CUDA);
  measure::GpuBandwidth found = measure::measureGpuBandwidth(gpu);
  EXPECT_GT(fake->kernelLaunches, 0);
  EXPECT_GT(found.read.bufferBytes, size_t{30} << 20);
  EXPECT_LE(found.read.bufferBytes, size_t{32} << 20);
  // 10 ms for the kernel, none for a copy, and 1 ms for the event after it.
  EXPECT_NEAR(found.read.bytesPerSecond, static_cast<double>(found.read.bufferBytes) / 11e-3, 1e3);
  EXPECT_NEAR(found.copy.bytesPerSecond, 2 * static_cast<double>(found.copy.bufferBytes) / 1e-3, 1e4);
}
