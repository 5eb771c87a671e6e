// What is read out of a compiled kernel, and what is refused.
#include "codegen/cuda/nvrtc/Cubin.h"
#include "codegen/cuda/nvrtc/DeviceHeaders.h"
#include "codegen/cuda/nvrtc/Nvrtc.h"
#include "gtest/gtest.h"

using namespace bambac;
using namespace bambac::codegen;

static std::string errorOf(StringRef log) {
  CudaCode code;
  return llvm::toString(readResources(log, code));
}

TEST(Resources, AreReadOffTheLog) {
  CudaCode code;
  llvm::Error error = readResources("ptxas info    : 0 bytes gmem\n"
                                    "ptxas info    : Compiling entry function 'k' for 'sm_90a'\n"
                                    "ptxas info    : Function properties for k\n"
                                    "    40 bytes stack frame, 36 bytes spill stores, 28 bytes spill loads\n"
                                    "ptxas info    : Used 168 registers, used 9 barriers, 1096 bytes smem\n",
                                    code);
  ASSERT_FALSE(error) << llvm::toString(std::move(error));
  EXPECT_EQ(code.registers, 168u);
  EXPECT_EQ(code.staticSharedBytes, 1096u);
  EXPECT_EQ(code.spillBytes, 64u);
}

TEST(Resources, MustBeThere) {
  StringRef spills = "    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads\n";
  StringRef registers = "ptxas info    : Used 40 registers, used 1 barriers\n";
  EXPECT_EQ(errorOf((spills + registers).str()), "");
  StringRef noRegisters = "expected 'Used N registers' in the log of NVRTC, found none";
  EXPECT_EQ(errorOf(""), noRegisters);
  EXPECT_EQ(errorOf(spills), noRegisters);
  EXPECT_EQ(errorOf((spills + "ptxas info    : Used many registers\n").str()), noRegisters);
  EXPECT_EQ(errorOf(registers), "expected 'N bytes spill stores, N bytes spill loads' in the log of NVRTC, found none");
}

/// The cubin of a kernel `k` with this constant as its launch.
static llvm::Expected<NvrtcResult> compile(StringRef launch) {
  llvm::Expected<Nvrtc> nvrtc = Nvrtc::open({});
  if (!nvrtc)
    return nvrtc.takeError();
  std::string text =
      ("#include \"runtime/contract/launch.h\"\n" + launch + "\nextern \"C\" __global__ void k() {}\n").str();
  return nvrtc->compile("k", text, "sm_80", getDeviceHeaders());
}

TEST(Launch, IsReadAndItsSizeChecked) {
  if (llvm::Error error = Nvrtc::open({}).takeError())
    GTEST_SKIP() << "no NVRTC: " << llvm::toString(std::move(error));
  auto read = [](StringRef launch, CudaCode &code) {
    llvm::Expected<NvrtcResult> result = compile(launch);
    if (!result)
      return result.takeError();
    code.cubin = result->cubin;
    return readLaunch("k", {}, code);
  };
  CudaCode code;
  llvm::Error error =
      read("extern \"C\" __device__ const bamba_rt_cuda_launch k_launch = {{7, 6, 5}, 4, 3, 2, 1, 9};", code);
  ASSERT_FALSE(error) << llvm::toString(std::move(error));
  EXPECT_EQ(code.launch.grid[0], 7u);
  EXPECT_EQ(code.launch.grid[2], 5u);
  EXPECT_EQ(code.launch.threads, 4u);
  EXPECT_EQ(code.launch.workspace, 9u);
  EXPECT_EQ(llvm::toString(read("extern \"C\" __device__ const uint64_t k_launch[5] = {1, 1};", code)),
            "expected the constant 'k_launch' of 32 bytes in a cubin, found one of 40 bytes");
  EXPECT_EQ(llvm::toString(read("", code)), "expected the constant 'k_launch' in a cubin, found none");
}

TEST(Nvrtc, IsLookedForAtEachPathThatIsGiven) {
  if (llvm::Error error = Nvrtc::open({}).takeError())
    GTEST_SKIP() << "no NVRTC: " << llvm::toString(std::move(error));
  std::string error = llvm::toString(Nvrtc::open({"/nowhere/at/all", {}}).takeError());
  EXPECT_TRUE(StringRef(error).contains("looked in /nowhere/at/all;")) << error;
  EXPECT_FALSE(Nvrtc::open({"", {"/nowhere/at/all"}}).takeError()) << "other places are tried after a toolkit";
}
