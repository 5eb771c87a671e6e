#include "tests/unit/SmallModel.h"
#include "compiler/targets/Targets.h"

#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MLProgram/IR/MLProgram.h"
#include "mlir/Parser/Parser.h"
#include "gtest/gtest.h"

using namespace bambac;

/// 30 tokens, width 8, 2 heads of 4 channels with 8 state columns, one KV head of width 8.
static constexpr const char *kHeader = R"mlir(
module attributes {
  bamba.target = #bamba.cpu_target<arch = "x86-64", features = "+sse2,-avx512f,+cmov", vector_bits = 256,
                               vector_registers = 16, l2_bytes = 1048576>,
  bamba.limits = #bamba.limits<max_batch = 2, max_context = 40, prefill_chunk = 8, page_tokens = 16>,
  bamba.config = "{\"vocab_size\": 30}"} {
  ml_program.global private @unused(#ml_program.extern<tensor<8xf32>>) : tensor<8xf32>
      {bamba.sources = [#bamba.source<"unused", [8]>]}
  ml_program.global private @embed(#ml_program.extern<tensor<30x8xbf16>>) : tensor<30x8xbf16>
      {bamba.sources = [#bamba.source<"embed.weight", [30, 8]>]}
  ml_program.global private @conv(#ml_program.extern<tensor<4x8xf32>>) : tensor<4x8xf32>
      {bamba.sources = [#bamba.source<"conv.weight", [8, 1, 4]>], bamba.transpose}
  ml_program.global private @head(#ml_program.extern<tensor<30x8xbf16, #bamba.panel<16>>>)
      : tensor<30x8xbf16, #bamba.panel<16>>
      {bamba.sources = [#bamba.source<"head.0", [10, 8], head_dim = 5, rotary_dim = 4>, #bamba.source<"head.1", [20, 8]>]}
  ml_program.global private mutable @ssm(#ml_program.extern<tensor<?x2x4x8xf32>>) : tensor<?x2x4x8xf32>
      {bamba.state = #bamba.state<slot>}
  ml_program.global private mutable @keys(#ml_program.extern<tensor<?x1x16x8xf32>>) : tensor<?x1x16x8xf32>
      {bamba.state = #bamba.state<page>}
)mlir";

/// The kernels and the function of one entry point: B pieces, S = B + 1, R rows, L rows of logits; T may go on with
/// these.
static constexpr const char *kEntry = R"mlir(
  func.func private @embed_R(tensor<Rxi32>, tensor<30x8xbf16>, tensor<Rx8xf32>) -> tensor<Rx8xf32>
      attributes {bamba.kernel, bamba.schedule = #bamba.cpu_schedule<workgroup = [0, 8], rows = 1, depth = 0, chunk = 0>,
                  bamba.cost = #bamba.cost<weights = 100, states = 0, activations = 10, flops = 1, context_bytes = 0,
                                           context_flops = 0>}
  func.func private @mix_R(tensor<Rx8xf32>, tensor<4x8xf32>, tensor<Bxi32>, tensor<Sxi32>, tensor<Rxi32>,
                           tensor<Bx3xi32>, tensor<Rx8xf32>, tensor<?x2x4x8xf32>, tensor<?x1x16x8xf32>)
      -> (tensor<Rx8xf32>, tensor<?x2x4x8xf32>, tensor<?x1x16x8xf32>)
      attributes {bamba.kernel, bamba.schedule = #bamba.cpu_schedule<workgroup = [1], rows = 1, depth = 0, chunk = 0>,
                  bamba.cost = #bamba.cost<weights = 200, states = 50, activations = 20, flops = 2, context_bytes = 7,
                                           context_flops = 9, code_flops = 1>}
  func.func private @head_R(tensor<Rx8xf32>, tensor<30x8xbf16, #bamba.panel<16>>, tensor<Lx30xf32>, tensor<Lxi32>)
      -> (tensor<Lx30xf32>, tensor<Lxi32>)
      attributes {bamba.kernel, bamba.schedule = #bamba.cpu_schedule<workgroup = [0, 16], rows = 8, depth = 64, chunk = 0>,
                  bamba.cost = #bamba.cost<weights = 400, states = 0, activations = 30, flops = 3, context_bytes = 0,
                                           context_flops = 0>}
  func.func @NAME(%tokens: tensor<Rxi32> {bamba.input = "tokens"}, %positions: tensor<Rxi32> {bamba.input = "positions"},
                  %slots: tensor<Bxi32> {bamba.input = "slots"}, %starts: tensor<Sxi32> {bamba.input = "starts"},
                  %pages: tensor<Bx3xi32> {bamba.input = "pages"})
      -> (tensor<Lx30xf32> {bamba.output = "logits"}, tensor<Lxi32> {bamba.output = "greedy"})
      attributes {bamba.entry = #bamba.entry<KIND, batch = B, chunk = T>, bamba.arena_bytes = 1024 : i64} {
    %table = ml_program.global_load_const @embed : tensor<30x8xbf16>
    %conv = ml_program.global_load_const @conv : tensor<4x8xf32>
    %head = ml_program.global_load_const @head : tensor<30x8xbf16, #bamba.panel<16>>
    %rows = tensor.empty() : tensor<Rx8xf32>
    %x = bamba.launch @embed_R ins(%tokens, %table : tensor<Rxi32>, tensor<30x8xbf16>) outs(%rows : tensor<Rx8xf32>)
        -> tensor<Rx8xf32> buffers [#bamba.buffer<offset = 64, bytes = 256>]
    %ssm = ml_program.global_load @ssm : tensor<?x2x4x8xf32>
    %keys = ml_program.global_load @keys : tensor<?x1x16x8xf32>
    %y, %ssm1, %keys1 = bamba.launch @mix_R
        ins(%x, %conv, %slots, %starts, %positions, %pages : tensor<Rx8xf32>, tensor<4x8xf32>, tensor<Bxi32>,
            tensor<Sxi32>, tensor<Rxi32>, tensor<Bx3xi32>)
        outs(%rows, %ssm, %keys : tensor<Rx8xf32>, tensor<?x2x4x8xf32>, tensor<?x1x16x8xf32>)
        -> tensor<Rx8xf32>, tensor<?x2x4x8xf32>, tensor<?x1x16x8xf32>
        buffers [#bamba.buffer<offset = 320, bytes = 256>, unit, unit]
    ml_program.global_store @ssm = %ssm1 : tensor<?x2x4x8xf32>
    ml_program.global_store @keys = %keys1 : tensor<?x1x16x8xf32>
    %scores = tensor.empty() : tensor<Lx30xf32>
    %best = tensor.empty() : tensor<Lxi32>
    %logits, %greedy = bamba.launch @head_R
        ins(%y, %head : tensor<Rx8xf32>, tensor<30x8xbf16, #bamba.panel<16>>)
        outs(%scores, %best : tensor<Lx30xf32>, tensor<Lxi32>) -> tensor<Lx30xf32>, tensor<Lxi32> buffers [unit, unit]
    return %logits, %greedy : tensor<Lx30xf32>, tensor<Lxi32>
  }
)mlir";

static std::string replaceAll(std::string text, StringRef from, StringRef to) {
  for (size_t at = 0; (at = text.find(from.str(), at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to.str());
  return text;
}

static std::string entry(StringRef name, StringRef kind, StringRef batch, StringRef chunk, StringRef rows,
                         StringRef kept) {
  std::string text = kEntry, starts = std::to_string(std::stoi(batch.str()) + 1);
  for (auto [letter, value] :
       {std::pair("R", rows), std::pair("B", batch), std::pair("S", StringRef(starts)), std::pair("L", kept)})
    text = replaceAll(text, (Twine("tensor<") + letter + "x").str(), ("tensor<" + value + "x").str());
  text = replaceAll(text, "_R", ("_" + rows).str());
  text = replaceAll(text, "batch = B", ("batch = " + batch).str());
  text = replaceAll(text, "chunk = T", ("chunk = " + chunk).str());
  return replaceAll(replaceAll(text, "@NAME", ("@" + name).str()), "KIND", kind);
}

std::string test::smallModel() {
  return std::string(kHeader) + entry("prefill_t8", "prefill", "1", "8, kept = 1", "8", "1") +
         entry("decode_b2", "decode", "2", "1", "2", "2") + "}\n";
}

std::vector<codegen::KernelCode> test::smallModelCode() {
  std::vector<codegen::KernelCode> code;
  for (const char *name : {"embed_2", "mix_2", "head_2", "embed_8", "mix_8", "head_8"})
    code.push_back({name, code.size() + 1, 64 * code.size(), std::nullopt});
  return code;
}

std::string test::replaced(std::string text, StringRef from, StringRef to) {
  size_t at = text.find(from.str());
  EXPECT_NE(at, std::string::npos) << "no '" << from.str() << "' in the module";
  return at == std::string::npos ? text : text.replace(at, from.size(), to.str());
}

static DialectRegistry targets() {
  DialectRegistry registry;
  registerTargets(registry);
  return registry;
}

test::ParsedModule::ParsedModule(StringRef text) : context(targets(), MLIRContext::Threading::DISABLED) {
  context.loadDialect<BambaDialect, cf::ControlFlowDialect, func::FuncDialect, ml_program::MLProgramDialect,
                      tensor::TensorDialect>();
  context.getDiagEngine().registerHandler([this](Diagnostic &diagnostic) {
    diagnostics += diagnostic.str() + "\n";
    return success();
  });
  module = parseSourceString<ModuleOp>(text, &context);
  EXPECT_TRUE(module) << diagnostics;
}
