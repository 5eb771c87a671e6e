// Kernels that differ in nothing but the sizes of their launches have one cubin, and each the launch and the parameters
// that its own sizes need.
#include "codegen/cuda/CudaCodegen.h"
#include "tests/unit/SmallModel.h"
#include "gtest/gtest.h"

using namespace bambac;
using namespace bambac::codegen;
using bambac::test::ParsedModule;

/// A kernel `name` that draws a token of each of `rows` rows of `columns` logits; `unused`: arguments before its own.
static std::string sampler(const std::string &name, int rows, int columns, const std::string &unused = "") {
  std::string r = std::to_string(rows), logits = "tensor<" + r + "x" + std::to_string(columns) + "xf32>";
  std::string number = "tensor<" + r + "xi32>", sampling = "tensor<" + r + "x18xi32>",
              result = "tensor<" + r + "x42xi32>";
  return "func.func private @" + name + "(" + unused + "%x: " + logits + ", %g: " + number + ", %p: " + number +
         ", %s: " + sampling + ", %init: " + result + ") -> " + result +
         " attributes {bamba.kernel, bamba.schedule = #bamba.cuda_schedule<collective = \"common/sample\", fields = "
         "{}>} {\n  %y = bamba.sample ins(%x, %g, %p, %s : " +
         logits + ", " + number + ", " + number + ", " + sampling + ") outs(%init : " + result +
         ")\n  return %y : " + result + "\n}\n";
}

TEST(SharedCode, IsCompiledOnce) {
  if (llvm::Error error = Nvrtc::open({}).takeError())
    GTEST_SKIP() << "no NVRTC: " << llvm::toString(std::move(error));
  ParsedModule module("module attributes {bamba.target = #bamba.cuda_target<arch = \"sm_80\", shared_bytes = 166912, "
                      "multiprocessors = 108, fusions = []>} {\n" +
                      sampler("two", 2, 256) + sampler("five", 5, 256, "%u: tensor<1xi32>, ") +
                      sampler("wide", 5, 512) + "}\n");
  FailureOr<std::vector<CudaSource>> sources = emitCudaKernels(module.get());
  ASSERT_TRUE(succeeded(sources)) << module.errors();
  FailureOr<std::vector<KernelCode>> code = compileCudaKernels(module.get(), *sources, {});
  ASSERT_TRUE(succeeded(code)) << module.errors();
  ASSERT_EQ(code->size(), 3u);
  const KernelCode &two = (*code)[0], &five = (*code)[1], &wide = (*code)[2];
  EXPECT_EQ(five.name, "five");
  EXPECT_EQ(two.cuda->symbol, "two");
  EXPECT_EQ(five.cuda->symbol, "two") << "the code of the first";
  EXPECT_EQ(five.cuda->cubin, two.cuda->cubin);
  EXPECT_EQ(two.cuda->params[0].arg, 0u);
  EXPECT_EQ(five.cuda->params[0].arg, 1u) << "but arguments of its own";
  EXPECT_EQ(wide.cuda->symbol, "wide") << "other columns are other code";
  EXPECT_EQ(two.cuda->launch.grid[0], 2u);
  EXPECT_EQ(five.cuda->launch.grid[0], 5u);
  EXPECT_EQ(wide.cuda->launch.grid[0], 5u);
}

/// A kernel `name` of a linear of 128 rows and 256 columns.
static std::string linear(const std::string &name, int depth) {
  std::string d = std::to_string(depth), x = "tensor<128x" + d + "xbf16>";
  std::string w = "tensor<256x" + d + "xbf16, #bamba.panel<8, group = 8, align = 64>>", y = "tensor<128x256xf32>";
  return "func.func private @" + name + "(%x: " + x + ", %w: " + w + ", %init: " + y + ") -> " + y +
         " attributes {bamba.kernel, bamba.schedule = #bamba.cuda_schedule<collective = \"wgmma/linear_middle\", "
         "fields "
         "= {tile_rows = 128 : i64, tile_columns = 128 : i64, tile_depth = 64 : i64, stages = 4 : i64, split = 1 : "
         "i64}>} {\n  %y = bamba.linear ins(%x, %w : " +
         x + ", " + w + ") outs(%init : " + y + ") acc(f32)\n  return %y : " + y + "\n}\n";
}

TEST(SharedCode, TakesSizesAsParameters) {
  if (llvm::Error error = Nvrtc::open({}).takeError())
    GTEST_SKIP() << "no NVRTC: " << llvm::toString(std::move(error));
  ParsedModule module("module attributes {bamba.target = #bamba.cuda_target<arch = \"sm_90a\", shared_bytes = 232448, "
                      "multiprocessors = 132, fusions = []>} {\n" +
                      linear("shallow", 512) + linear("deep", 1024) + "}\n");
  FailureOr<std::vector<CudaSource>> sources = emitCudaKernels(module.get());
  ASSERT_TRUE(succeeded(sources)) << module.errors();
  FailureOr<std::vector<KernelCode>> code = compileCudaKernels(module.get(), *sources, {});
  ASSERT_TRUE(succeeded(code)) << module.errors();
  const CudaCode &shallow = *(*code)[0].cuda, &deep = *(*code)[1].cuda;
  EXPECT_EQ(deep.symbol, "shallow");
  EXPECT_EQ(deep.cubin, shallow.cubin);
  auto isSize = [](const bamba_rt_param &param) { return param.kind == BAMBA_RT_PARAM_SIZE; };
  auto isMap = [](const bamba_rt_param &param) { return param.kind == BAMBA_RT_PARAM_TENSOR_MAP; };
  EXPECT_EQ(llvm::find_if(shallow.params, isSize)->arg, 8u) << "steps of 64 columns";
  EXPECT_EQ(llvm::find_if(deep.params, isSize)->arg, 16u);
  EXPECT_EQ(llvm::find_if(shallow.params, isMap)->map.dims[0], 512u);
  EXPECT_EQ(llvm::find_if(deep.params, isMap)->map.dims[0], 1024u) << "maps are of its own input";
  EXPECT_EQ(llvm::find_if(deep.params, isMap)->map.strides[0], 2048u);
}
