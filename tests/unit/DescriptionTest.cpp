// Descriptions of models: what their check refuses, and what the builder makes of those that no family describes yet.
#include "compiler/build/ModelBuilder.h"
#include "compiler/models/DescriptionCheck.h"
#include "compiler/models/Families.h"
#include "compiler/targets/Targets.h"
#include "mlir/Dialect/MLProgram/IR/MLProgram.h"
#include "mlir/IR/Verifier.h"
#include "llvm/Support/raw_ostream.h"
#include "gtest/gtest.h"

using namespace bambac;

/// Two layers, mamba and attention, of width 64 with an MLP of 96.
static ModelDescription smallBamba() {
  constexpr llvm::StringLiteral text = R"({
    "model_type": "bamba", "hidden_size": 64, "intermediate_size": 96, "vocab_size": 100, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "attn_layer_indices": [1], "mamba_n_heads": 4,
    "mamba_d_state": 16, "attention_bias": true})";
  return llvm::cantFail(parseModel(text, "config.json", [](const std::string &warning) { ADD_FAILURE() << warning; }));
}

static Mamba2 &mambaOf(ModelDescription &model) { return std::get<Mamba2>(model.layers[0].blocks[0].body); }
static Attention &attentionOf(ModelDescription &model) { return std::get<Attention>(model.layers[1].blocks[0].body); }
static SwigluMlp &mlpOf(ModelDescription &model, int layer = 0) {
  return std::get<SwigluMlp>(model.layers[layer].blocks[1].body);
}

/// Gate and up of the first layer as the two halves of one tensor, as some checkpoints have them.
static void fuseGateAndUp(ModelDescription &model) {
  mlpOf(model).gate.matrix.sources = {{"mlp.input_linear.weight", {192, 64}, 0, 96}};
  mlpOf(model).up.matrix.sources = {{"mlp.input_linear.weight", {192, 64}, 96}};
}

/// What the check says of the small model after a change; empty if it accepts it.
static std::string errorAfter(llvm::function_ref<void(ModelDescription &)> change) {
  ModelDescription model = smallBamba();
  change(model);
  return llvm::toString(checkDescription(model));
}

TEST(Description, FindsShapesThatDoNotFitTheirBlock) {
  EXPECT_EQ(errorAfter([](auto &) {}), "");
  EXPECT_EQ(errorAfter([](auto &model) { mambaOf(model).inProj.matrix.shape = {291, 64}; }),
            "layer 0: weight 'layers.0.mamba.in_proj': expected shape [292, 64], found [291, 64]");
  EXPECT_EQ(errorAfter([](auto &model) { mambaOf(model).convTaps.shape = {1, 160}; }),
            "layer 0: weight 'layers.0.mamba.conv1d': expected at least two taps, found [1, 160]");
  EXPECT_EQ(errorAfter([](auto &model) { mambaOf(model).groups = 3; }),
            "layer 0: groups of B and C: expected a divisor of the 4 heads, found 3");
  EXPECT_EQ(errorAfter([](auto &model) { attentionOf(model).kvHeads = 3; }),
            "layer 1: KV heads: expected a divisor of the 4 heads, found 3");
  EXPECT_EQ(errorAfter([](auto &model) { attentionOf(model).rotary.frequencies.resize(9); }),
            "layer 1: rotary embedding: expected at most the 8 pairs of a head, found 9");
  EXPECT_EQ(
      errorAfter([](auto &model) { attentionOf(model).rotary.longFrequencies.resize(3); }),
      "layer 1: rotary embedding: expected as many frequencies for long contexts as for short ones, found 3 and 4");
  EXPECT_EQ(errorAfter([](auto &model) { attentionOf(model).key.bias->shape = {64}; }),
            "layer 1: weight 'layers.1.self_attn.k_proj.bias': expected shape [32], found [64]");
  EXPECT_EQ(errorAfter([](auto &model) { mlpOf(model).up.matrix.shape = {95, 64}; }),
            "layer 0: weight 'layers.0.feed_forward.up_proj': expected shape [96, 64], found [95, 64]");
  EXPECT_EQ(errorAfter([](auto &model) { model.finalNorm.shape = {1}; }),
            "weight 'final_layernorm': expected shape [64], found [1]");
}

TEST(Description, RefusesWhatCannotBeBuilt) {
  EXPECT_EQ(errorAfter([](auto &model) { mambaOf(model).normGroups = 2; }),
            "layer 0: gated norm: expected one group of channels (several are not supported), found 2");
  EXPECT_EQ(errorAfter([](auto &model) { model.layers[0].blocks.push_back(model.layers[0].blocks[0]); }),
            "layer 0: mixers: expected at most one of each kind, found two");
}

TEST(Description, FindsWeightsThatDoNotFitTheCheckpoint) {
  EXPECT_EQ(errorAfter([](auto &model) { model.finalNorm.sources.clear(); }),
            "weight 'final_layernorm': sources: expected at least one tensor, found none");
  EXPECT_EQ(errorAfter([](auto &model) { model.finalNorm.sources[0].shape = {}; }),
            "weight 'final_layernorm': tensor 'model.final_layernorm.weight': expected a shape of positive sizes, "
            "found []");
  EXPECT_EQ(errorAfter([](auto &model) { model.finalNorm.sources[0].shape = {63}; }),
            "weight 'final_layernorm': sources: expected rows of shape [64], found [63]");
  EXPECT_EQ(errorAfter([](auto &model) { mambaOf(model).convTaps.transposed = false; }),
            "weight 'layers.0.mamba.conv1d': sources: expected rows of shape [4, 160], found [160, 4]");
  EXPECT_EQ(errorAfter([](auto &model) { model.head.matrix.sources.push_back({"more", {1, 63}}); }),
            "weight 'lm_head': tensor 'more': expected 64 columns like the one before it, found 63");
  EXPECT_EQ(errorAfter([](auto &model) { model.finalNorm.name = "layers.0.input_layernorm"; }),
            "weight 'layers.0.input_layernorm': name: expected one weight of that name, found two that differ");
  EXPECT_EQ(
      errorAfter([](auto &model) { model.head.matrix.sources[0] = {"model.embed_tokens.weight", {101, 64}, 0, 100}; }),
      "weight 'lm_head': tensor 'model.embed_tokens.weight': expected shape [100, 64] as in another weight, "
      "found [101, 64]");
}

TEST(Description, TakesEveryRowOfATensor) {
  EXPECT_EQ(errorAfter(fuseGateAndUp), "");
  auto withUp = [](TensorRows rows) {
    return errorAfter([&](auto &model) {
      fuseGateAndUp(model);
      mlpOf(model).up.matrix.sources = {std::move(rows)};
    });
  };
  std::string name = "mlp.input_linear.weight";
  EXPECT_EQ(withUp({name, {192, 64}, 90, 96}), "tensor '" + name +
                                                   "': expected each row in some weight, found row 186 "
                                                   "in none");
  EXPECT_EQ(withUp({name, {193, 64}, 97, 96}), "weight 'layers.0.feed_forward.up_proj': tensor '" + name +
                                                   "': expected shape [192, 64] as in another weight, found [193, 64]");
  EXPECT_EQ(withUp({name, {192, 64}, 97, 96}), "weight 'layers.0.feed_forward.up_proj': tensor '" + name +
                                                   "': expected rows of the 192 that it has, found 96 from row 97 on");
  EXPECT_EQ(withUp({name, {192, 64}, 90, 96, /*leavesRows=*/true}), "");
  auto gap = [&](auto &model) {
    fuseGateAndUp(model);
    mlpOf(model).gate.matrix.sources[0].shape[0] = mlpOf(model).up.matrix.sources[0].shape[0] = 200;
    mlpOf(model).up.matrix.sources[0].firstRow = 104;
  };
  EXPECT_EQ(errorAfter(gap), "tensor '" + name + "': expected each row in some weight, found row 96 in none");
}

TEST(Description, SaysHowMuchThereIs) {
  ModelDescription model = smallBamba();
  uint64_t before = model.countParameters();
  EXPECT_EQ(model.widestRow(), 292); // the mamba mixer's projection
  fuseGateAndUp(model);
  EXPECT_EQ(model.countParameters(), before);
  model.head = {model.embedding, std::nullopt, std::nullopt}; // a tensor counts once
  EXPECT_EQ(model.countParameters(), before - uint64_t{100} * 64);
  model.layers[0].blocks.erase(model.layers[0].blocks.begin());
  EXPECT_EQ(model.widestRow(), 192); // gate and up
}

/// The module that is built for a processor, with one sequence and chunks of 8 tokens.
class BuiltModel {
public:
  explicit BuiltModel(const ModelDescription &model) {
    EXPECT_EQ(llvm::toString(checkDescription(model)), "");
    mlir::DialectRegistry registry;
    registry.insert<BambaDialect>();
    registerTargets(registry);
    context.appendDialectRegistry(registry);
    context.loadDialect<BambaDialect>();
    CompileLimits limits;
    limits.maxBatch = 1;
    limits.maxContext = 32;
    limits.prefillChunk = 8;
    TargetInterface target = llvm::cantFail(makeTarget(&context, "cpu", {"x86-64-v3"}));
    limits.pageTokens = target.getPageTokens();
    module = buildModelModule(model, limits, target);
    EXPECT_TRUE(succeeded(mlir::verify(*module)));
  }

  /// The sources of a weight as text; "none" where there is no such global.
  std::string sources(llvm::StringRef name) {
    auto global = module->lookupSymbol<mlir::ml_program::GlobalOp>(name);
    if (!global)
      return "none";
    std::string text;
    llvm::raw_string_ostream(text) << global->getAttr(attr::kSources);
    return text;
  }

  /// How many ops of a kind one decode step has.
  template <typename Op> int count() {
    int found = 0;
    module->lookupSymbol("decode_b1")->walk([&](Op) { ++found; });
    return found;
  }

private:
  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
};

TEST(Builder, CutsFusedTensors) {
  ModelDescription model = smallBamba();
  fuseGateAndUp(model);
  BuiltModel built(model);
  EXPECT_EQ(built.sources("layers.0.feed_forward.gate_proj"),
            R"([#bamba.source<"mlp.input_linear.weight", [192, 64], rows = [0, 96]>])");
  EXPECT_EQ(built.sources("layers.0.feed_forward.up_proj"),
            R"([#bamba.source<"mlp.input_linear.weight", [192, 64], rows = [96, 96]>])");
  EXPECT_EQ(built.sources("layers.0.feed_forward.down_proj"),
            R"([#bamba.source<"model.layers.0.feed_forward.down_proj.weight", [64, 96]>])");
}

TEST(Builder, SharesWeightsBetweenLayers) {
  ModelDescription model = smallBamba();
  model.layers[1].blocks[1] = model.layers[0].blocks[1];
  BuiltModel built(model);
  EXPECT_EQ(built.sources("layers.1.feed_forward.gate_proj"), "none");
  EXPECT_NE(built.sources("layers.0.feed_forward.gate_proj"), "none");
  EXPECT_EQ(built.count<SwigluOp>(), 2);
}

TEST(Builder, TakesBlocksInAnyOrder) {
  ModelDescription model = smallBamba();
  // A layer of an MLP alone, one of a mixer alone, and both mixers in one.
  std::vector<ResidualBlock> first = model.layers[0].blocks, second = model.layers[1].blocks;
  model.layers = {{{first[1]}}, {{second[0]}}, {{first[0], second[0], second[1]}}};
  BuiltModel built(model);
  EXPECT_EQ(built.count<SwigluOp>(), 2);
  EXPECT_EQ(built.count<AttentionOp>(), 2);
  EXPECT_EQ(built.count<SsmStepOp>(), 1);
  EXPECT_EQ(built.count<RmsNormOp>(), 6);
}
