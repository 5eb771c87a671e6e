// The plan of a small module, the errors of modules that have none, and the metadata.
#include "codegen/plan/Metadata.h"
#include "tests/unit/SmallModel.h"
#include "llvm/Support/JSON.h"
#include "gtest/gtest.h"

using namespace bambac;
using namespace bambac::codegen;
using bambac::test::ParsedModule;
using bambac::test::replaced;
using bambac::test::smallModel;
using bambac::test::smallModelCode;

static Plan planOf(const std::string &text) {
  ParsedModule module(text);
  FailureOr<Plan> plan = buildPlan(module.get(), smallModelCode());
  EXPECT_TRUE(succeeded(plan)) << module.errors();
  return succeeded(plan) ? *plan : Plan();
}

/// A launch as "kernel: space index offset, ...".
static std::string describe(const Plan &plan, const PlanLaunch &launch) {
  static const char *spaces[] = {"weight", "state", "arena", "input", "output"};
  std::string text = plan.kernels[launch.kernel].name + ":";
  for (const bamba_rt_arg &arg : launch.args)
    text += std::string(" ") + spaces[arg.space] + " " + std::to_string(arg.index) + "+" + std::to_string(arg.offset);
  return text;
}

TEST(Plan, SortsEntriesByKind) {
  Plan plan = planOf(smallModel());
  ASSERT_EQ(plan.entries.size(), 2u);
  EXPECT_EQ(plan.entries[0].name, "decode_b2");
  EXPECT_EQ(plan.entries[0].kind, EntryKind::Decode);
  EXPECT_EQ(plan.entries[0].batch, 2u);
  EXPECT_EQ(plan.entries[0].arenaBytes, 1024u);
  EXPECT_EQ(plan.entries[1].name, "prefill_t8");
  EXPECT_EQ(plan.entries[1].chunk, 8u);
}

TEST(Plan, FindsThePlaceOfEveryArgument) {
  Plan plan = planOf(smallModel());
  ASSERT_EQ(plan.entries.at(0).launches.size(), 3u);
  EXPECT_EQ(describe(plan, plan.entries[0].launches[0]), "embed_2: input 0+0 weight 0+0 arena 0+64");
  EXPECT_EQ(describe(plan, plan.entries[0].launches[1]),
            "mix_2: arena 0+64 weight 1+0 input 2+0 input 3+0 input 1+0 input 10+0 arena 0+320 state 0+0 state 1+0");
  EXPECT_EQ(describe(plan, plan.entries[0].launches[2]), "head_2: arena 0+320 weight 2+0 output 0+0 output 1+0");
}

TEST(Plan, LaysOutTheWeightsThatAreUsed) {
  Plan plan = planOf(smallModel());
  ASSERT_EQ(plan.weights.size(), 3u);
  const PlanWeight &embed = plan.weights[0], &conv = plan.weights[1], &head = plan.weights[2];
  EXPECT_EQ(embed.name, "embed");
  EXPECT_EQ(embed.dtype, BAMBA_RT_BF16);
  EXPECT_EQ(embed.bytes, 30u * 8 * 2);
  EXPECT_TRUE(conv.transposed);
  EXPECT_EQ(conv.rows, 8u);
  EXPECT_EQ(conv.cols, 4u);
  EXPECT_EQ(conv.bytes, 4u * 8 * 4);
  EXPECT_EQ(conv.sources.at(0).shape, (SmallVector<uint64_t>{8, 1, 4}));
  EXPECT_EQ(head.panel, 16u);
  EXPECT_EQ(head.rows, 30u);
  EXPECT_EQ(head.cols, 8u);
  EXPECT_EQ(head.bytes, 32u * 8 * 2); // two panels, the last with two rows of zeros
  ASSERT_EQ(head.sources.size(), 2u);
  EXPECT_EQ(head.sources[0].headDim, 5u);
  EXPECT_EQ(head.sources[0].rotaryDim, 4u);
  EXPECT_EQ(head.sources[1].name, "head.1");
  EXPECT_EQ(head.sources[1].rotaryDim, 0u);
  EXPECT_EQ(head.sources[1].firstRow, 0u);
  EXPECT_EQ(head.sources[1].numRows, 20u);
}

TEST(Plan, TakesRowsOfATensor) {
  Plan plan = planOf(replaced(smallModel(), "#bamba.source<\"head.1\", [20, 8]>",
                              "#bamba.source<\"head.1\", [50, 8], rows = [30, 20]>"));
  const PlanWeight &head = plan.weights.at(2);
  EXPECT_EQ(head.rows, 30u);
  EXPECT_EQ(head.sources.at(1).shape, (SmallVector<uint64_t>{50, 8}));
  EXPECT_EQ(head.sources[1].firstRow, 30u);
  EXPECT_EQ(head.sources[1].numRows, 20u);
  std::string metadata = makeMetadata(plan, {});
  EXPECT_NE(metadata.find(R"({"name":"head.1","rows":[30,20],"shape":[50,8]})"), std::string::npos) << metadata;
}

/// The small model for a GPU: kernels that pack weights stand after those that are launched.
static std::string cudaModel() {
  return replaced(smallModel(),
                  "#bamba.cpu_target<arch = \"x86-64\", features = \"+sse2,-avx512f,+cmov\", vector_bits = 256,\n"
                  "                               vector_registers = 16, l2_bytes = 1048576>",
                  "#bamba.cuda_target<arch = \"sm_90a\", shared_bytes = 232448, multiprocessors = 132>");
}

TEST(Plan, NamesTheKernelThatPacksAWeight) {
  ParsedModule module(cudaModel());
  std::vector<KernelCode> code = smallModelCode();
  for (const char *name : {"pack_weights_bf16", "pack_weights_f32", "pack_weights_bf16_16x1"})
    code.push_back({name, 0, 0, CudaCode()});
  FailureOr<Plan> plan = buildPlan(module.get(), code);
  ASSERT_TRUE(succeeded(plan)) << module.errors();
  ASSERT_EQ(plan->kernels.size(), 9u);
  ASSERT_EQ(plan->weights.size(), 3u);
  EXPECT_EQ(plan->kernels[plan->weights[0].packKernel].name, "pack_weights_bf16");
  EXPECT_EQ(plan->kernels[plan->weights[1].packKernel].name, "pack_weights_f32");
  EXPECT_EQ(plan->kernels[plan->weights[2].packKernel].name, "pack_weights_bf16_16x1");
  EXPECT_EQ(plan->kernels[plan->weights[2].packKernel].schedule, "panels of 16 rows, groups of 1");
  EXPECT_EQ(plan->kernels[plan->weights[2].packKernel].count, 0u);
  llvm::Expected<llvm::json::Value> metadata =
      llvm::json::parse(makeMetadata(*plan, {/*version=*/"1.2.3", /*flags=*/""}));
  ASSERT_TRUE(!!metadata);
  const llvm::json::Array &weights = *metadata->getAsObject()->getArray("weights");
  EXPECT_EQ(weights[2].getAsObject()->getString("pack_kernel"), "pack_weights_bf16_16x1");
}

TEST(Plan, ExpectsCodeThatPacksWeights) {
  ParsedModule module(cudaModel());
  EXPECT_TRUE(failed(buildPlan(module.get(), smallModelCode())));
  EXPECT_EQ(module.errors(), "expected code of the kernel 'pack_weights_bf16' for the weight 'embed', found none\n");
}

TEST(Plan, DescribesStatesAndPages) {
  Plan plan = planOf(smallModel());
  ASSERT_EQ(plan.states.size(), 2u);
  EXPECT_EQ(plan.states[0].name, "ssm");
  EXPECT_EQ(plan.states[0].kind, StateKind::Slot);
  EXPECT_EQ(plan.states[0].itemBytes, 2u * 4 * 8 * 4);
  EXPECT_EQ(plan.states[1].kind, StateKind::Page);
  EXPECT_EQ(plan.states[1].itemBytes, 16u * 8 * 4);
  EXPECT_EQ(plan.pageTokens, 16u);
  EXPECT_EQ(plan.maxPages, 3u); // 40 tokens
  EXPECT_EQ(plan.vocabSize, 30u);
  EXPECT_EQ(plan.maxBatch, 2u);
}

TEST(Plan, TokensThatBeginAndEndAText) {
  Plan plan = planOf(smallModel());
  EXPECT_EQ(plan.bosToken, -1);
  EXPECT_TRUE(plan.eosTokens.empty());
  plan = planOf(replaced(smallModel(), "bamba.limits",
                         "bamba.bos_token = 0 : i32, bamba.eos_tokens = array<i32: 2, 7>, bamba.limits"));
  EXPECT_EQ(plan.bosToken, 0);
  EXPECT_EQ(plan.eosTokens, (std::vector<int32_t>{2, 7}));
}

TEST(Plan, NumbersKernelsByFirstLaunchAndCounts) {
  Plan plan = planOf(smallModel());
  ASSERT_EQ(plan.kernels.size(), 6u);
  EXPECT_EQ(plan.kernels[2].name, "head_2");
  EXPECT_EQ(plan.kernels[2].schedule, "workgroup all x 16, rows 8, depth 64");
  EXPECT_EQ(plan.kernels[2].count, 1u);
  EXPECT_EQ(plan.kernels[2].code.numWorkgroups, 3u);
  EXPECT_EQ(plan.kernels[2].code.scratchBytes, 128u);
  EXPECT_EQ(plan.features, (std::vector<std::string>{"sse2", "cmov"}));
}

TEST(Plan, AddsUpCosts) {
  PlanCost cost = planOf(smallModel()).entries.at(0).cost;
  EXPECT_EQ(cost.weights, 700u);
  EXPECT_EQ(cost.states, 50u);
  EXPECT_EQ(cost.activations, 60u);
  EXPECT_EQ(cost.flops, 6u);
  EXPECT_EQ(cost.contextBytes, 7u);
  EXPECT_EQ(cost.contextFlops, 9u);
}

TEST(Plan, FingerprintIsOfConfigAndStates) {
  uint64_t fingerprint = planOf(smallModel()).fingerprint;
  EXPECT_EQ(planOf(replaced(smallModel(), "depth = 64", "depth = 32")).fingerprint, fingerprint);
  EXPECT_NE(planOf(replaced(smallModel(), ": 30}", ": 31}")).fingerprint, fingerprint);
  std::string bf16State = smallModel();
  while (bf16State.find("?x2x4x8xf32") != std::string::npos)
    bf16State = replaced(bf16State, "?x2x4x8xf32", "?x2x4x8xbf16");
  EXPECT_NE(planOf(bf16State).fingerprint, fingerprint);

  // Nor are those computed with other weights the same.
  std::string f16Weights = smallModel();
  while (f16Weights.find("bf16") != std::string::npos)
    f16Weights = replaced(f16Weights, "bf16", "f16");
  Plan plan = planOf(f16Weights);
  EXPECT_EQ(weightType(plan), BAMBA_RT_F16);
  EXPECT_NE(plan.fingerprint, fingerprint);
}

/// The small model with a rotation in one of its kernels.
static std::string rotatingModel(llvm::StringRef rotation) {
  return replaced(smallModel(), "  func.func private @mix_8",
                  R"mlir(
  func.func private @rotate(%x: tensor<8x8xf32>, %positions: tensor<8xi32>, %init: tensor<8x8xf32>) -> tensor<8x8xf32>
      attributes {bamba.kernel} {
    %y = bamba.rope ins(%x, %positions : tensor<8x8xf32>, tensor<8xi32>) outs(%init : tensor<8x8xf32>) )mlir" +
                      rotation.str() + R"mlir(
    return %y : tensor<8x8xf32>
  }
  func.func private @mix_8)mlir");
}

// Keys lie in the cache as their rotation and the rows of their projection leave them.
TEST(Plan, FingerprintIsOfWhatKeysMean) {
  std::string halves = rotatingModel("head_dim(8) rotation(<[1.0, 0.01]>)");
  uint64_t fingerprint = planOf(halves).fingerprint;
  EXPECT_EQ(planOf(halves).fingerprint, fingerprint);
  EXPECT_NE(planOf(rotatingModel("head_dim(8) rotation(<[1.0, 0.01]>) interleaved")).fingerprint, fingerprint);
  EXPECT_NE(planOf(rotatingModel("head_dim(8) rotation(<[1.0, 0.02]>)")).fingerprint, fingerprint);
  EXPECT_NE(planOf(replaced(halves, "head_dim = 5, rotary_dim = 4", "head_dim = 5, rotary_dim = 2")).fingerprint,
            fingerprint);
}

TEST(Plan, KernelWithoutCodeIsAnError) {
  ParsedModule module(smallModel());
  std::vector<KernelCode> code = smallModelCode();
  code.pop_back();
  EXPECT_TRUE(failed(buildPlan(module.get(), code)));
  EXPECT_EQ(module.errors(), "expected code of the kernel 'head_8', found none\n");
}

/// Edits of the small module that leave it without a plan, and the error.
struct BadModule {
  const char *name, *error;
  std::vector<std::pair<const char *, const char *>> edits;
};

class PlanErrors : public testing::TestWithParam<BadModule> {};

TEST_P(PlanErrors, SaysWhatIsWrong) {
  std::string text = smallModel();
  for (auto [from, to] : GetParam().edits)
    text = replaced(text, from, to);
  ParsedModule module(text);
  ASSERT_TRUE(module.get());
  EXPECT_TRUE(failed(buildPlan(module.get(), smallModelCode())));
  EXPECT_EQ(module.errors(), std::string(GetParam().error) + "\n");
}

static std::string caseName(const testing::TestParamInfo<BadModule> &info) { return info.param.name; }

// NOLINTBEGIN(bugprone-throwing-static-initialization): a test that has no memory for its texts may end
static const BadModule kBadGlobals[] = {
    {"NoTarget", "expected 'bamba.target' on the module", {{"bamba.target =", "other.target ="}}},
    {"NoLimits", "expected 'bamba.limits' on the module", {{"bamba.limits =", "other.limits ="}}},
    {"NoConfig", "expected 'bamba.config' on the module", {{"bamba.config =", "other.config ="}}},
    {"HugeLimit",
     "expected limits of at most 2147483647, found #bamba.limits<max_batch = 2, max_context = 4294967296, "
     "prefill_chunk = 8, page_tokens = 16>",
     {{"max_context = 40", "max_context = 4294967296"}}},
    {"ConfigIsNotJson",
     "expected 'bamba.config' to be JSON, found: [1:13, byte=13]: Expected : after object key",
     {{"\\\"vocab_size\\\": 30}", "\\\"vocab_size\\\""}}},
    {"NoSources",
     "expected 'bamba.sources' on the weight 'embed'",
     {{"{bamba.sources = [#bamba.source<\"embed.weight\", [30, 8]>]}", ""}}},
    {"SourceRank",
     "expected source \"embed.weight\" of rank 1 to 4, found rank 5",
     {{"<\"embed.weight\", [30, 8]>", "<\"embed.weight\", [30, 1, 2, 2, 2]>"}}},
    {"SourceColumns",
     "expected source \"head.1\" with 8 columns like those before it, found 4",
     {{"<\"head.1\", [20, 8]>", "<\"head.1\", [20, 4]>"}}},
    {"HugeHeads",
     "expected source \"head.1\" with heads of at most 4294967295 rows, found 4294967296",
     {{"<\"head.1\", [20, 8]>", "<\"head.1\", [4294967296, 8], head_dim = 4294967296, rotary_dim = 2>"}}},
    {"SourceRows",
     "expected the weight 'head' of 32 rows and 8 columns, as its sources say, found 'tensor<30x8xbf16, "
     "#bamba.panel<16>>'",
     {{"<\"head.1\", [20, 8]>", "<\"head.1\", [22, 8]>"}}},
    {"WeightRank",
     "expected the weight 'unused' to be a vector or matrix of static shape, found 'tensor<2x2x2xf32>'",
     {{"<tensor<8xf32>>) : tensor<8xf32>", "<tensor<2x2x2xf32>>) : tensor<2x2x2xf32>"},
      {"%table =", "%bad = ml_program.global_load_const @unused : tensor<2x2x2xf32>\n    %table ="}}},
    {"WeightType",
     "expected 'unused' of f32, bf16, f16 or f8e4m3, found 'f64'",
     {{"<tensor<8xf32>>) : tensor<8xf32>", "<tensor<8xf64>>) : tensor<8xf64>"},
      {"%table =", "%bad = ml_program.global_load_const @unused : tensor<8xf64>\n    %table ="}}},
    {"WeightEncoding",
     "expected the encoding #bamba.panel or none, found 7 : i64",
     {{"<tensor<8xf32>>) : tensor<8xf32>", "<tensor<8xf32, 7>>) : tensor<8xf32, 7>"},
      {"%table =", "%bad = ml_program.global_load_const @unused : tensor<8xf32, 7>\n    %table ="}}},
    {"StateOfStaticShape",
     "expected the state 'unused' to be a pool of items of static shape, found 'tensor<8xf32>'",
     {{"{bamba.sources = [#bamba.source<\"unused\", [8]>]}", "{bamba.state = #bamba.state<slot>}"},
      {"%table =", "%bad = ml_program.global_load_const @unused : tensor<8xf32>\n    %table ="}}},
    {"WeightAsState",
     "expected @embed to be a state of the module",
     {{"%ssm =", "%bad = ml_program.global_load @embed : tensor<30x8xbf16>\n    %ssm ="}}},
    {"StateAsWeight",
     "expected @unused to be a weight of the module",
     {{"{bamba.sources = [#bamba.source<\"unused\", [8]>]}", "{bamba.state = #bamba.state<slot>}"},
      {"<tensor<8xf32>>) : tensor<8xf32>", "<tensor<?x8xf32>>) : tensor<?x8xf32>"},
      {"%table =", "%bad = ml_program.global_load_const @unused : tensor<?x8xf32>\n    %table ="}}},
};
// NOLINTEND(bugprone-throwing-static-initialization)

// NOLINTBEGIN(bugprone-throwing-static-initialization): a test that has no memory for its texts may end
static const BadModule kBadEntries[] = {
    {"MaxBatch",
     "expected a decode entry for a batch of 3, found the largest for 2",
     {{"max_batch = 2", "max_batch = 3"}}},
    {"NoArena",
     "expected 'bamba.arena_bytes' on the entry point, found no memory plan",
     {{", bamba.arena_bytes = 1024 : i64", ""}}},
    {"TwoBlocks",
     "expected an entry point of one block, found 2",
     {{"    return %logits", "    cf.br ^end\n  ^end:\n    return %logits"}}},
    {"UnknownInput",
     "expected 'bamba.input' on argument 0 to be one of tokens, positions, slots, starts, rows, pending, pieces, kept, "
     "kept_count, sampling, pages, found "
     "token",
     {{"{bamba.input = \"tokens\"}", "{bamba.input = \"token\"}"}}},
    {"NoInput",
     "expected 'bamba.input' on argument 4 to be one of tokens, positions, slots, starts, rows, pending, pieces, kept, "
     "kept_count, sampling, pages, found "
     "none",
     {{"{bamba.input = \"pages\"}", ""}}},
    {"SwappedInputs",
     "expected \"slots\" of type 'tensor<1xi32>', found 'tensor<8xi32>'",
     {{"{bamba.input = \"tokens\"}", "{bamba.input = \"slots\"}"}}},
    {"PagesOfAnotherContext",
     "expected \"pages\" of type 'tensor<2x5xi32>', found 'tensor<2x3xi32>'",
     {{"max_context = 40", "max_context = 65"}}},
    {"UnknownOutput",
     "expected 'bamba.output' on result 1 to be one of logits, greedy, samples, found best",
     {{"{bamba.output = \"greedy\"}", "{bamba.output = \"best\"}"}}},
    {"SwappedOutputs",
     "expected \"logits\" of type 'tensor<1x30xf32>', found 'tensor<1xi32>'",
     {{"{bamba.output = \"greedy\"}", "{bamba.output = \"logits\"}"}}},
    {"ResultReturnedTwice",
     "expected each result to be another value, found \"greedy\" returned twice",
     {{"(tensor<1x30xf32> {bamba.output = \"logits\"}", "(tensor<1xi32> {bamba.output = \"greedy\"}"},
      {"return %logits, %greedy : tensor<1x30xf32>", "return %greedy, %greedy : tensor<1xi32>"}}},
    {"InputIsReturned",
     "expected result 1 to be the result of a launch",
     {{"return %logits, %greedy", "return %logits, %slots"}}},
    {"OtherOp",
     "expected only launches, loads and stores in an entry point, found 'tensor.cast'",
     {{"%scores =", "%cast = tensor.cast %y : tensor<8x8xf32> to tensor<?x8xf32>\n    %scores ="}}},
    {"NotComputedInPlace",
     "expected a value that was computed in the place of @unused",
     {{"private @unused", "private mutable @unused"},
      {"{bamba.sources = [#bamba.source<\"unused\", [8]>]}", "{bamba.state = #bamba.state<slot>}"},
      {"<tensor<8xf32>>) : tensor<8xf32>", "<tensor<?x2x4x8xf32>>) : tensor<?x2x4x8xf32>"},
      {"%ssm =", "%other = ml_program.global_load @unused : tensor<?x2x4x8xf32>\n    %ssm ="},
      {"global_store @ssm = %ssm1", "global_store @unused = %ssm1"}}},
};
// NOLINTEND(bugprone-throwing-static-initialization)

// NOLINTBEGIN(bugprone-throwing-static-initialization): a test that has no memory for its texts may end
static const BadModule kBadLaunches[] = {
    {"NoBuffers",
     "expected 'buffers' on a launch, found no memory plan",
     {{"-> tensor<8x8xf32> buffers [#bamba.buffer<offset = 64, bytes = 256>]", "-> tensor<8x8xf32>"}}},
    {"Uninitialized",
     "expected input 0 to have been computed, found an uninitialized tensor",
     {{"ins(%x, %conv", "ins(%rows, %conv"}}},
    {"SmallBuffer",
     "expected a buffer of 256 bytes for result 0, found 255",
     {{"<offset = 64, bytes = 256>", "<offset = 64, bytes = 255>"}}},
    {"OutsideTheArena",
     "expected result 0 inside the arena of 1024 bytes, found #bamba.buffer<offset = 769, bytes = 256>",
     {{"<offset = 64, bytes = 256>", "<offset = 769, bytes = 256>"}}},
    {"Overlap",
     "expected operands 0 and 6 apart in the arena, found them overlapping",
     {{"<offset = 320, bytes = 256>", "<offset = 319, bytes = 256>"}}},
    {"BufferOfAnOutput",
     "expected no buffer for result 1, which the entry point returns",
     {{"buffers [unit, unit]", "buffers [unit, #bamba.buffer<offset = 0, bytes = 4>]"}}},
    {"NoBuffer",
     "expected a buffer for result 0, which is neither a state nor returned by the entry point",
     {{"buffers [#bamba.buffer<offset = 64, bytes = 256>]", "buffers [unit]"}}},
    {"StateInTheArena",
     "expected result 1 in the arena to have a static size, found 'tensor<?x2x4x8xf32>'",
     {{"bytes = 256>, unit, unit]", "bytes = 256>, #bamba.buffer<offset = 0, bytes = 4>, unit]"}}},
    {"ElsewhereThanItsDestination",
     "expected result 0 in the place of its destination",
     {{"outs(%rows, %ssm, %keys", "outs(%x, %ssm, %keys"}}},
    {"NoSchedule",
     "expected 'bamba.schedule' on the kernel 'mix_8'",
     {{"bamba.schedule = #bamba.cpu_schedule<workgroup = [1], rows = 1, depth = 0, chunk = 0>,", ""}}},
    {"NoCost",
     "expected 'bamba.cost' on the kernel 'embed_8'",
     {{"bamba.cost = #bamba.cost<weights = 100, states = 0, activations = 10, flops = 1, context_bytes = 0,\n"
       "                                           context_flops = 0>",
       "other = 0"}}},
};
// NOLINTEND(bugprone-throwing-static-initialization)

INSTANTIATE_TEST_SUITE_P(Globals, PlanErrors, testing::ValuesIn(kBadGlobals), caseName);
INSTANTIATE_TEST_SUITE_P(Entries, PlanErrors, testing::ValuesIn(kBadEntries), caseName);
INSTANTIATE_TEST_SUITE_P(Launches, PlanErrors, testing::ValuesIn(kBadLaunches), caseName);

TEST(Plan, KernelWithTooManyWorkgroupsIsAnError) {
  ParsedModule module(smallModel());
  std::vector<KernelCode> code = smallModelCode();
  code.front().numWorkgroups = uint64_t{1} << 31;
  EXPECT_TRUE(failed(buildPlan(module.get(), code)));
  EXPECT_EQ(module.errors(), "expected at most 2147483647 workgroups, found 2147483648\n");
}

TEST(Plan, StateThatIsOverwrittenCannotBeRead) {
  // A second launch that takes the state as it was before the first.
  std::string text = smallModel();
  size_t begin = text.find("%y, %ssm1, %keys1 ="), end = text.find("ml_program.global_store", begin);
  text.insert(end, replaced(replaced(text.substr(begin, end - begin), "%y, %ssm1, %keys1", "%y2, %ssm2, %keys2"),
                            "%keys ", "%keys1 "));
  ParsedModule module(text);
  EXPECT_TRUE(failed(buildPlan(module.get(), smallModelCode())));
  EXPECT_EQ(module.errors(), "expected the newest value of a state as the destination of result 1\n");
}

TEST(Plan, TwoEntriesOfOneSizeAreAnError) {
  ParsedModule module(
      replaced(smallModel(), "<prefill, batch = 1, chunk = 8, kept = 1>", "<decode, batch = 2, chunk = 1>"));
  EXPECT_TRUE(failed(buildPlan(module.get(), smallModelCode())));
  EXPECT_EQ(module.errors(), "expected one entry point of each kind and size\n");
}

TEST(Metadata, SaysWhatTheLibraryHolds) {
  std::string text = makeMetadata(planOf(smallModel()), {"1.2.3", "--dtype=bf16"});
  llvm::Expected<llvm::json::Value> metadata = llvm::json::parse(text);
  ASSERT_TRUE(static_cast<bool>(metadata)) << llvm::toString(metadata.takeError());
  auto expect = [&](StringRef key, StringRef json) {
    const llvm::json::Value *found = metadata->getAsObject()->get(key);
    ASSERT_TRUE(found) << key.str();
    EXPECT_EQ(*found, llvm::cantFail(llvm::json::parse(json))) << key.str();
  };
  EXPECT_EQ(metadata->getAsObject()->size(), 11u);
  expect("compiler", R"({"name": "bambac", "version": "1.2.3", "flags": "--dtype=bf16"})");
  expect("config", R"({"vocab_size": 30})");
  expect("vocab_size", "30");
  expect("dtype", R"("bf16")");
  expect("target", R"({"name": "cpu", "device": "cpu", "arch": "x86-64", "features": ["sse2", "cmov"]})");
  expect("limits", R"({"max_batch": 2, "max_context": 40, "prefill_chunk": 8, "page_tokens": 16, "state_ring": 1})");
  expect("memory", R"({"weight_bytes": 1120, "arena_bytes": 1024, "scratch_bytes": 320, "slot_bytes": 256,
                       "page_bytes": 512})");
  expect("states", R"([{"name": "ssm", "kind": "slot", "dtype": "f32", "shape": [2, 4, 8], "bytes": 256},
                       {"name": "keys", "kind": "page", "dtype": "f32", "shape": [1, 16, 8], "bytes": 512}])");
  const llvm::json::Object &all = *metadata->getAsObject();
  EXPECT_EQ(all.getArray("entry_points")->front(), llvm::cantFail(llvm::json::parse(R"(
      {"name": "decode_b2", "kind": "decode", "batch": 2, "chunk": 1, "kept": 2, "launches": 3, "arena_bytes": 1024,
       "weight_bytes": 700, "state_bytes": 50, "activation_bytes": 60, "flops": 6, "context_bytes": 7,
       "context_flops": 9, "code_flops": 1})")));
  EXPECT_EQ((*all.getArray("kernels"))[1], llvm::cantFail(llvm::json::parse(R"(
      {"name": "mix_2", "target": "cpu", "count": 1, "schedule": "workgroup 1",
       "scratch_bytes": 64, "workgroups": 2,
       "cost": {"weight_bytes": 200, "state_bytes": 50, "activation_bytes": 20, "flops": 2, "context_bytes": 7,
                "context_flops": 9, "code_flops": 1}})")));
  EXPECT_EQ((*all.getArray("weights"))[2], llvm::cantFail(llvm::json::parse(R"(
      {"name": "head", "dtype": "bf16", "shape": [30, 8], "panel": 16, "panel_group": 1, "panel_align": 1,
       "interleaved": false, "bytes": 512,
       "sources": [{"name": "head.0", "shape": [10, 8], "head_dim": 5, "rotary_dim": 4},
                    {"name": "head.1", "shape": [20, 8]}]})")));
}
