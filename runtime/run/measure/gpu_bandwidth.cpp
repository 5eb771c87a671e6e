// Generates a kernel that reads, as PTX text, and times it and the driver's own copy.
#include "runtime/run/measure/gpu_bandwidth.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace bambac::measure {
namespace {

constexpr unsigned threadsPerBlock = 256, blocksPerMultiprocessor = 4, loadsInFlight = 8, bytesPerLoad = 16;

/// read_memory: every thread reads `rounds` times eight vectors of 16 bytes, all in flight at once, at
///
///   data + block * blockStride + thread * 16 + load * loadStride + round * roundStride
///
/// and writes to `sink` what no data gives, so that no load can be left out.
std::string makeReadKernel() {
  std::string loads, sums;
  for (unsigned i = 0; i < loadsInFlight; ++i) {
    loads += fmt::format("  ld.global.nc.v4.u32 {{%v{}, %v{}, %v{}, %v{}}}, [%at];\n  add.u64 %at, %at, %loadStride;\n",
                         4 * i, 4 * i + 1, 4 * i + 2, 4 * i + 3);
    for (unsigned j = 0; j < 4; ++j)
      sums += fmt::format("  xor.b32 %sum{}, %sum{}, %v{};\n", j, j, 4 * i + j);
  }
  return R"(.version 7.0
.target sm_80
.address_size 64
.visible .entry read_memory(.param .u64 data, .param .u64 rounds, .param .u64 blockStride, .param .u64 loadStride,
                            .param .u64 roundStride, .param .u64 sink)
{
  .reg .pred %more, %never;
  .reg .b32 %v<32>, %sum<4>, %thread, %block;
  .reg .b64 %row, %at, %rounds, %blockStride, %loadStride, %roundStride, %sink, %offset;
  ld.param.u64 %row, [data];
  ld.param.u64 %rounds, [rounds];
  ld.param.u64 %blockStride, [blockStride];
  ld.param.u64 %loadStride, [loadStride];
  ld.param.u64 %roundStride, [roundStride];
  ld.param.u64 %sink, [sink];
  mov.u32 %thread, %tid.x;
  mov.u32 %block, %ctaid.x;
  cvt.u64.u32 %offset, %block;
  mad.lo.u64 %row, %offset, %blockStride, %row;
  cvt.u64.u32 %offset, %thread;
  mad.lo.u64 %row, %offset, 16, %row;
  mov.u32 %sum0, 0;
  mov.u32 %sum1, 0;
  mov.u32 %sum2, 0;
  mov.u32 %sum3, 0;
round:
  mov.u64 %at, %row;
)" + loads +
         sums + R"(  add.u64 %row, %row, %roundStride;
  sub.u64 %rounds, %rounds, 1;
  setp.ne.u64 %more, %rounds, 0;
  @%more bra round;
  xor.b32 %sum0, %sum0, %sum1;
  xor.b32 %sum2, %sum2, %sum3;
  xor.b32 %sum0, %sum0, %sum2;
  setp.eq.u32 %never, %sum0, 0x9e3779b9;
  @%never st.global.u32 [%sink], %sum0;
  ret;
}
)";
}

/// The kernel above on one device.
class Reader {
public:
  explicit Reader(const Gpu &gpu) : gpu(gpu), driver(gpu.driver()) {
    Gpu::Current current(gpu);
    std::string text = makeReadKernel();
    driver.check(driver.cuModuleLoadData(&module, text.c_str()), "compiling the read kernel");
    driver.check(driver.cuModuleGetFunction(&function, module, "read_memory"), "finding the read kernel");
  }
  ~Reader() {
    try {
      Gpu::Current current(gpu);
      driver.cuModuleUnload(module);
    } catch (...) { // NOLINT(bugprone-empty-catch): the device is lost
    }
  }
  Reader(const Reader &) = delete;
  Reader &operator=(const Reader &) = delete;

  uint64_t blocks() const { return uint64_t{gpu.multiprocessors()} * blocksPerMultiprocessor; }
  uint64_t roundBytes() const { return blocks() * threadsPerBlock * loadsInFlight * bytesPerLoad; }

  /// Seconds to read `rounds` rounds. Either the loads of one block are contiguous, or those of all blocks together:
  /// which is faster depends on the memory.
  double time(uint64_t data, uint64_t rounds, bool blockIsContiguous) const {
    uint64_t row = uint64_t{threadsPerBlock} * bytesPerLoad;
    std::array<uint64_t, 6> values = {
        data,         rounds, blockIsContiguous ? row * loadsInFlight : row, blockIsContiguous ? row : row * blocks(),
        roundBytes(), data};
    std::array<void *, 6> params;
    std::transform(values.begin(), values.end(), params.begin(), [](uint64_t &value) { return &value; });
    CudaDriver::LaunchConfig config = {};
    config.grid[0] = static_cast<unsigned>(blocks());
    config.grid[1] = config.grid[2] = config.block[1] = config.block[2] = 1;
    config.block[0] = threadsPerBlock;
    config.stream = gpu.stream();
    return gpu.time([&] {
      Gpu::Current current(gpu);
      driver.check(driver.cuLaunchKernelEx(&config, function, params.data(), nullptr), "reading memory");
    });
  }

private:
  const Gpu &gpu;
  const CudaDriver &driver;
  void *module = nullptr, *function = nullptr;
};

} // namespace

GpuBandwidth measureGpuBandwidth(const Gpu &gpu) {
  constexpr int passes = 12;
  constexpr uint64_t wanted = uint64_t{4} << 30;
  Reader reader(gpu);
  uint64_t rounds = std::max<uint64_t>(2, std::min<uint64_t>(wanted, gpu.memory().free / 2) / reader.roundBytes());
  uint64_t bytes = rounds * reader.roundBytes();
  Gpu::Buffer buffer = gpu.makeRandom(bytes, "a buffer to measure the memory");
  uint64_t data = buffer.address();

  GpuBandwidth best = {{bytes, 0}, {bytes / 2, 0}};
  auto keepBest = [](Bandwidth &bandwidth, uint64_t moved, double seconds) {
    bandwidth.bytesPerSecond = std::max(bandwidth.bytesPerSecond, static_cast<double>(moved) / seconds);
  };
  for (int pass = 0; pass < passes; ++pass) {
    for (bool contiguous : {false, true})
      keepBest(best.read, bytes, reader.time(data, rounds, contiguous));
    double seconds = gpu.time([&] {
      Gpu::Current current(gpu);
      gpu.driver().check(gpu.driver().cuMemcpyDtoDAsync(data, data + bytes / 2, bytes / 2, gpu.stream()),
                         "copying memory");
    });
    keepBest(best.copy, bytes / 2 * 2, seconds);
  }
  return best;
}

} // namespace bambac::measure
