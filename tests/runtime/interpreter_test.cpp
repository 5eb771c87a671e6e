// The interpreter: every workgroup once, launches in order, and a floating-point mode that does not depend on the host.

#include "runtime/host/interpreter.h"
#include <cstring>
#include <gtest/gtest.h>
#include <xmmintrin.h>

using namespace bambac::rt;

namespace {

/// An entry of `numLaunches` launches of one kernel. The kernel's only argument is the address of byte i of an arena in
/// launch i.
class Program {
public:
  static constexpr uint32_t numLaunches = 5;

  Program(bamba_rt_cpu_kernel function, uint32_t workgroups) : kernel{"kernel", "", function, nullptr, 100} {
    for (uint32_t i = 0; i < numLaunches; ++i) {
      launches[i] = {0, workgroups, i, 1};
      args[i] = {BAMBA_RT_SPACE_ARENA, 0, i};
    }
    table.entries = &entry;
    table.launches = launches;
    table.args = args;
    table.kernels = &kernel;
    table.num_entries = table.num_kernels = 1;
    table.num_launches = table.num_args = numLaunches;
    buffers.arena = arena;
  }

  void run(unsigned threads, int times) {
    ThreadPool pool(threads);
    Interpreter interpreter(table, pool, buffers);
    for (int i = 0; i < times; ++i)
      interpreter.run(entry);
  }

  /// In a kernel: the number of its launch.
  static auto launchOf(void *const *args) { return static_cast<std::byte *>(args[0]) - arena; }

private:
  static std::byte arena[numLaunches];
  bamba_rt_kernel kernel;
  bamba_rt_launch launches[numLaunches];
  bamba_rt_arg args[numLaunches];
  bamba_rt_entry entry = {"entry", BAMBA_RT_DECODE, 1, 1, 0, numLaunches, 0, numLaunches};
  bamba_rt_model table = {};
  Buffers buffers;
};

std::byte Program::arena[numLaunches];

} // namespace

TEST(Interpreter, RunsEveryWorkgroupOnceAndLaunchesInOrder) {
  // A workgroup adds one to its counter after a look that the launch before is complete.
  constexpr uint32_t workgroups = 100;
  static std::atomic<uint32_t> counters[Program::numLaunches][workgroups];
  static std::atomic<uint32_t> faults;
  auto kernel = [](void *const *args, void *scratch, uint64_t workgroup) {
    auto launch = Program::launchOf(args);
    faults += reinterpret_cast<uintptr_t>(scratch) % 64 != 0;
    for (uint32_t i = 0; launch > 0 && i < workgroups; ++i)
      faults += counters[launch - 1][i] != counters[launch][workgroup] + 1;
    ++counters[launch][workgroup];
  };
  for (unsigned threads : {1u, 2u, 4u})
    Program(kernel, workgroups).run(threads, 50);
  EXPECT_EQ(faults, 0u);
  for (auto &launch : counters)
    for (auto &count : launch)
      ASSERT_EQ(count, 150u);
}

TEST(Interpreter, AThreadTakesNeighbours) {
  // Half of its share at first, whichever thread comes first.
  constexpr uint32_t workgroups = 64;
  static std::atomic<void *> owners[workgroups];
  auto kernel = [](void *const *, void *scratch, uint64_t workgroup) { owners[workgroup] = scratch; };
  Program(kernel, workgroups).run(/*threads=*/2, /*times=*/20);
  for (uint32_t i = 1; i < workgroups / 4; ++i)
    EXPECT_EQ(owners[i], owners[0]) << i;
}

TEST(Interpreter, ScratchBelongsToOneThread) {
  static std::atomic<uint32_t> faults;
  auto kernel = [](void *const *, void *scratch, uint64_t workgroup) {
    auto *bytes = static_cast<unsigned char *>(scratch);
    std::memset(bytes, static_cast<int>(workgroup), 100);
    for (int i = 0; i < 200; ++i)
      pauseThread();
    for (int i = 0; i < 100; ++i)
      faults += bytes[i] != workgroup % 256;
  };
  Program(kernel, 64).run(3, 5);
  EXPECT_EQ(faults, 0u);
}

TEST(Interpreter, KernelsRunInTheDefaultFloatingPointMode) {
  constexpr unsigned defaultMode = 0x1F80, flags = 0x3F, flushToZero = 0x8000;
  static std::atomic<uint32_t> faults;
  auto kernel = [](void *const *, void *, uint64_t) { faults += (_mm_getcsr() & ~flags) != defaultMode; };
  unsigned before = _mm_getcsr();
  _mm_setcsr(defaultMode | flushToZero); // as a host does that was built with -ffast-math
  for (unsigned threads : {1u, 2u})
    Program(kernel, 40).run(threads, 20);
  EXPECT_EQ(_mm_getcsr() & ~flags, defaultMode | flushToZero) << "the host's own mode is left as it was";
  _mm_setcsr(before);
  EXPECT_EQ(faults, 0u);
}
