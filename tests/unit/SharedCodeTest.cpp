// Kernels that differ in nothing but the sizes of their launches have one cubin, and each the launch and the parameters
// that its own sizes need.
#include "codegen/cuda/CudaCodegen.h"
#include "tests/unit/SmallModel.h"
#include "gtest/gtest.h"

using namespace bambac;
using namespace bambac::codegen;
using bambac::test::ParsedModule;

namespace {

/// Compiles kernels; without NVRTC the test is skipped.
class SharedCode : public testing::Test {
protected:
  void SetUp() override {
    if (llvm::Error error = Nvrtc::open({}).takeError())
      GTEST_SKIP() << "no NVRTC: " << llvm::toString(std::move(error));
  }

  /// `target`: the parameters of its attribute. Leaves the kernels' code in `code`.
  void compile(const std::string &target, const std::string &kernels) {
    ParsedModule module("module attributes {bamba.target = #bamba.cuda_target<" + target + ", fusions = []>} {\n" +
                        kernels + "}\n");
    FailureOr<std::vector<CudaSource>> sources = emitCudaKernels(module.get());
    ASSERT_TRUE(succeeded(sources)) << module.errors();
    FailureOr<std::vector<KernelCode>> compiled = compileCudaKernels(module.get(), *sources, {});
    ASSERT_TRUE(succeeded(compiled)) << module.errors();
    code = std::move(*compiled);
  }

  std::vector<KernelCode> code;
};

constexpr const char *kAmpere = "arch = \"sm_80\", shared_bytes = 166912, multiprocessors = 108";
constexpr const char *kHopper = "arch = \"sm_90a\", shared_bytes = 232448, multiprocessors = 132";

} // namespace

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

TEST_F(SharedCode, IsCompiledOnce) {
  ASSERT_NO_FATAL_FAILURE(compile(kAmpere, sampler("two", 2, 256) + sampler("five", 5, 256, "%u: tensor<1xi32>, ") +
                                               sampler("wide", 5, 512)));
  ASSERT_EQ(code.size(), 3u);
  const KernelCode &two = code[0], &five = code[1], &wide = code[2];
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

TEST_F(SharedCode, ThatFailsIsReportedOnce) {
  ParsedModule module("module attributes {bamba.target = #bamba.cuda_target<arch = \"sm_99\", shared_bytes = 232448, "
                      "multiprocessors = 132, fusions = []>} {\n" +
                      sampler("first", 2, 256) + sampler("second", 2, 512) + "}\n");
  FailureOr<std::vector<CudaSource>> sources = emitCudaKernels(module.get());
  ASSERT_TRUE(succeeded(sources)) << module.errors();
  EXPECT_TRUE(failed(compileCudaKernels(module.get(), *sources, {})));
  const llvm::StringRef errors = module.errors();
  EXPECT_TRUE(errors.contains("kernel 'first': cannot compile first.cu for sm_99: ")) << errors.str();
  EXPECT_TRUE(errors.contains("; 1 more failed")) << errors.str();
  EXPECT_FALSE(errors.contains("second")) << errors.str();
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

TEST_F(SharedCode, TakesSizesAsParameters) {
  ASSERT_NO_FATAL_FAILURE(compile(kHopper, linear("shallow", 512) + linear("deep", 1024)));
  const CudaCode &shallow = *code[0].cuda, &deep = *code[1].cuda;
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

/// "2x64": the dimensions of a tensor.
static std::string dims(int rows, int columns) { return std::to_string(rows) + "x" + std::to_string(columns); }

/// A kernel `name` that makes codes of `rows` rows at most, of 4096 columns.
static std::string quantizer(const std::string &name, int rows) {
  std::string x = "tensor<" + dims(rows, 4096) + "xf32>", codes = "tensor<" + dims(rows, 4096) + "xf8E4M3FN>";
  std::string scales = "tensor<" + dims(rows, 1) + "xf32>";
  return "func.func private @" + name + "(%n: tensor<1xi32> {bamba.rows}, %x: " + x + ", %c: " + codes +
         ", %s: " + scales + ") -> (" + codes + ", " + scales +
         ") attributes {bamba.kernel, bamba.schedule = #bamba.cuda_schedule<collective = \"common/quantize\", fields = "
         "{}>} {\n  %q, %t = bamba.quantize ins(%x : " +
         x + ") outs(%c, %s : " + codes + ", " + scales + ") group(0)\n  return %q, %t : " + codes + ", " + scales +
         "\n}\n";
}

TEST_F(SharedCode, OfRowsThatBecomeCodes) {
  ASSERT_NO_FATAL_FAILURE(compile(kHopper, quantizer("few", 8) + quantizer("some", 264) + quantizer("many", 1024)));
  const CudaCode &some = *code[1].cuda, &many = *code[2].cuda;
  EXPECT_EQ(some.symbol, "few") << "both fit with eight columns for each thread";
  EXPECT_EQ(some.launch.grid[0], 264u);
  EXPECT_EQ(some.launch.threads, 512u);
  EXPECT_EQ(many.symbol, "many") << "threads take more of a row where rows are many, but 256 take it";
  EXPECT_EQ(many.launch.threads, 256u);
}
