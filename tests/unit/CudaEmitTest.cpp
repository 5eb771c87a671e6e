// Kernels that no model of today forms alone, since they join others: what is printed, and that NVRTC takes it.
#include "codegen/cuda/CudaCodegen.h"
#include "codegen/cuda/nvrtc/Nvrtc.h"
#include "tests/unit/SmallModel.h"
#include "gtest/gtest.h"

using namespace bambac;
using namespace bambac::codegen;

/// An odd and an even head, a maximum of an odd number of columns.
static constexpr StringLiteral kKernels = R"mlir(
module attributes {bamba.target = #bamba.cuda_target<arch = "sm_80", shared_bytes = 166912, multiprocessors = 108, fusions = []>} {
  func.func private @argmax(%x: tensor<2x259xf32>, %init: tensor<2xi32>) -> tensor<2xi32>
      attributes {bamba.kernel, bamba.schedule = #bamba.cuda_schedule<collective = "common/argmax", fields = {}>} {
    %0 = bamba.argmax ins(%x : tensor<2x259xf32>) outs(%init : tensor<2xi32>)
    return %0 : tensor<2xi32>
  }
  func.func private @rope_half_split(%x: tensor<2x21xf32>, %p: tensor<2xi32>, %init: tensor<2x21xbf16>) -> tensor<2x21xbf16>
      attributes {bamba.kernel, bamba.schedule = #bamba.cuda_schedule<collective = "common/rope_rows", fields = {}>} {
    %0 = bamba.rope ins(%x, %p : tensor<2x21xf32>, tensor<2xi32>) outs(%init : tensor<2x21xbf16>) head_dim(7) rotary_dim(4) theta(1.0e+04)
    return %0 : tensor<2x21xbf16>
  }
  func.func private @rope_interleaved(%x: tensor<2x24xf32>, %p: tensor<2xi32>, %init: tensor<2x24xbf16>) -> tensor<2x24xbf16>
      attributes {bamba.kernel, bamba.schedule = #bamba.cuda_schedule<collective = "common/rope_rows", fields = {}>} {
    %0 = bamba.rope ins(%x, %p : tensor<2x24xf32>, tensor<2xi32>) outs(%init : tensor<2x24xbf16>) head_dim(8) rotary_dim(6) theta(1.0e+04) interleaved
    return %0 : tensor<2x24xbf16>
  }
  func.func private @kv_append(%k: tensor<2x21xbf16>, %v: tensor<2x21xf32>, %p: tensor<2xi32>, %pages: tensor<2x4xi32>,
                               %k0: tensor<?x3x64x7xbf16>, %v0: tensor<?x3x64x7xbf16>) -> (tensor<?x3x64x7xbf16>, tensor<?x3x64x7xbf16>)
      attributes {bamba.kernel, bamba.schedule = #bamba.cuda_schedule<collective = "common/kv_append", fields = {}>} {
    %0, %1 = bamba.kv_append ins(%k, %v, %p, %pages : tensor<2x21xbf16>, tensor<2x21xf32>, tensor<2xi32>, tensor<2x4xi32>) outs(%k0, %v0 : tensor<?x3x64x7xbf16>, tensor<?x3x64x7xbf16>)
    return %0, %1 : tensor<?x3x64x7xbf16>, tensor<?x3x64x7xbf16>
  }
}
)mlir";

TEST(CudaEmit, KernelsThatUsuallyJoinOthers) {
  test::ParsedModule module(kKernels);
  ASSERT_TRUE(module.get()) << module.errors();
  FailureOr<std::vector<CudaSource>> sources = emitCudaKernels(module.get());
  ASSERT_TRUE(succeeded(sources)) << module.errors();
  ASSERT_EQ(sources->size(), 4u);
  StringRef argmax = (*sources)[0].text, half = (*sources)[1].text, interleaved = (*sources)[2].text,
            append = (*sources)[3].text;
  EXPECT_TRUE(argmax.contains("kColumns = 259;")) << argmax.str();
  EXPECT_TRUE(argmax.contains("kVector = 1;")) << argmax.str();
  EXPECT_TRUE(argmax.contains("Kernel::run(Rows<const float, 259>{arg0}, arg1);")) << argmax.str();
  EXPECT_TRUE(half.contains("bool kInterleaved = false;")) << half.str();
  EXPECT_TRUE(half.contains("kHeads = 3;")) << half.str();
  EXPECT_TRUE(interleaved.contains("bool kInterleaved = true;")) << interleaved.str();
  EXPECT_TRUE(interleaved.contains("kRotaryDim = 6;")) << interleaved.str();
  EXPECT_TRUE(append.contains("Kernel::run(Rows<const bf16, 21>{arg0}, Rows<const float, 21>{arg1}, arg2, arg3, arg4, "
                              "arg5);"))
      << append.str();
}

TEST(CudaEmit, KernelsThatUsuallyJoinOthersCompile) {
  if (llvm::Error error = Nvrtc::open("").takeError())
    GTEST_SKIP() << "no NVRTC: " << llvm::toString(std::move(error));
  test::ParsedModule module(kKernels);
  FailureOr<std::vector<CudaSource>> sources = emitCudaKernels(module.get());
  ASSERT_TRUE(succeeded(sources)) << module.errors();
  EXPECT_TRUE(succeeded(compileCudaKernels(module.get(), *sources, {}))) << module.errors();
}

/// A projection of one query head and one key and value head, whose keys turn `theta` times as fast.
static std::string projection(StringRef keyTheta, StringRef valueColumns) {
  return (R"mlir(
module attributes {bamba.target = #bamba.cuda_target<arch = "sm_80", shared_bytes = 166912, multiprocessors = 108, fusions = []>} {
  func.func private @heads(%x: tensor<2x64xbf16>, %w: tensor<24x64xbf16, #bamba.panel<8, group = 8, align = 64>>, %p: tensor<2xi32>,
                           %pages: tensor<2x4xi32>, %k0: tensor<?x1x64x8xbf16>, %v0: tensor<?x1x64x8xbf16>, %q0: tensor<2x8xbf16>)
      -> (tensor<?x1x64x8xbf16>, tensor<?x1x64x8xbf16>, tensor<2x8xbf16>)
      attributes {bamba.kernel, bamba.schedule = #bamba.cuda_schedule<collective = "mma/linear", fields = {tile_rows = 16, tile_columns = 32, tile_depth = 64, stages = 4}>} {
    %e = tensor.empty() : tensor<2x24xf32>
    %l = bamba.linear ins(%x, %w : tensor<2x64xbf16>, tensor<24x64xbf16, #bamba.panel<8, group = 8, align = 64>>) outs(%e : tensor<2x24xf32>) acc(f32)
    %q = tensor.extract_slice %l[0, 0] [2, 8] [1, 1] : tensor<2x24xf32> to tensor<2x8xf32>
    %k = tensor.extract_slice %l[0, 8] [2, 8] [1, 1] : tensor<2x24xf32> to tensor<2x8xf32>
    %v = tensor.extract_slice %l[0, )mlir" +
          valueColumns + R"mlir(] [2, 8] [1, 1] : tensor<2x24xf32> to tensor<2x8xf32>
    %e8 = tensor.empty() : tensor<2x8xbf16>
    %q1 = bamba.rope ins(%q, %p : tensor<2x8xf32>, tensor<2xi32>) outs(%q0 : tensor<2x8xbf16>) head_dim(8) rotary_dim(8) theta(1.0e+04) interleaved
    %k1 = bamba.rope ins(%k, %p : tensor<2x8xf32>, tensor<2xi32>) outs(%e8 : tensor<2x8xbf16>) head_dim(8) rotary_dim(8) theta()mlir" +
          keyTheta + R"mlir() interleaved
    %k2, %v2 = bamba.kv_append ins(%k1, %v, %p, %pages : tensor<2x8xbf16>, tensor<2x8xf32>, tensor<2xi32>, tensor<2x4xi32>) outs(%k0, %v0 : tensor<?x1x64x8xbf16>, tensor<?x1x64x8xbf16>)
    return %k2, %v2, %q1 : tensor<?x1x64x8xbf16>, tensor<?x1x64x8xbf16>, tensor<2x8xbf16>
  }
}
)mlir")
      .str();
}

static std::string errorOf(const std::string &text) {
  test::ParsedModule module(text);
  if (!module.get())
    return "not parsed: " + module.errors();
  return succeeded(emitCudaKernels(module.get())) ? "" : module.errors();
}

TEST(CudaEmit, HeadsOfAProjection) {
  EXPECT_EQ(errorOf(projection("1.0e+04", "16")), "");
  EXPECT_TRUE(
      StringRef(errorOf(projection("2.0e+04", "16"))).contains("expected one rotation of all heads in a kernel"));
  EXPECT_TRUE(StringRef(errorOf(projection("1.0e+04", "8")))
                  .contains("expected one reader of each column of the projection, found none or two of column 16"));
}
