// What --dtype=fp8, its patterns and --lm-head make of a model, next to what its configuration says.
#include "compiler/models/QuantizationOptions.h"
#include "gtest/gtest.h"

using namespace bambac;

static LinearNames names() {
  return {{"model.layers.0.mamba.in_proj", "model.layers.0.mamba.out_proj", "model.layers.1.self_attn.q_proj"},
          "lm_head"};
}

/// A letter for each linear, the head last: 8 where its channels are quantized, o for another scheme, - for numbers.
static std::string show(const std::optional<QuantizationRecipe> &recipe) {
  if (!recipe)
    return "none";
  std::string text;
  LinearNames linears = names();
  linears.blocks.push_back(linears.head);
  for (const std::string &linear : linears.blocks) {
    std::optional<QuantizationScheme> scheme = recipe->find(linear);
    text += !scheme ? '-' : *scheme == QuantizationScheme() ? '8' : 'o';
  }
  return text;
}

/// The recipe, or the error.
static std::string apply(const QuantizationOptions &options, std::optional<QuantizationRecipe> recipe = std::nullopt) {
  llvm::Expected<std::optional<QuantizationRecipe>> result = applyOptions(std::move(recipe), options, names());
  return result ? show(*result) : llvm::toString(result.takeError());
}

static QuantizationOptions fp8(std::vector<std::string> fp8Layers = {}, std::vector<std::string> bf16Layers = {}) {
  QuantizationOptions options;
  options.fp8 = true;
  options.fp8Layers = std::move(fp8Layers);
  options.bf16Layers = std::move(bf16Layers);
  return options;
}

TEST(QuantizationOptions, ChooseLinears) {
  EXPECT_EQ(apply({}), "none");
  EXPECT_EQ(apply(fp8()), "888-");
  EXPECT_EQ(apply(fp8({"*.mamba.*"})), "88--");
  EXPECT_EQ(apply(fp8({"mamba", "q_proj"}, {"*out_proj"})), "8-8-");
  EXPECT_EQ(apply(fp8({}, {"model.layers.0.*"})), "--8-");
  QuantizationOptions head = fp8();
  head.fp8Head = true;
  EXPECT_EQ(apply(head), "8888");
  head.fp8 = false;
  EXPECT_EQ(apply(head), "---8");
  head.fp8Head = false;
  EXPECT_EQ(apply(head), "none");
}

TEST(QuantizationOptions, RefusePatternsThatNameNothing) {
  EXPECT_EQ(apply(fp8({"*.mlp.*"})),
            "option '--fp8-layers': expected patterns that name linears of the model, found '*.mlp.*'");
  EXPECT_EQ(apply(fp8({}, {"lm_head"})),
            "option '--bf16-layers': expected patterns that name linears of the model, found 'lm_head'");
  QuantizationOptions other;
  other.bf16Layers = {"*"};
  EXPECT_EQ(apply(other), "option '--bf16-layers': expected --dtype=fp8 with it, found another type");
}

/// All channels but q_proj's.
static QuantizationRecipe recipeOfFile() { return makeDynamicRecipe({"model.layers.1.self_attn.q_proj", "lm_head"}); }

TEST(QuantizationOptions, KeepTheRecipeOfTheFile) {
  EXPECT_EQ(apply({}, recipeOfFile()), "88--");
  EXPECT_EQ(apply(fp8({"mamba"}), recipeOfFile()), "88--");
  EXPECT_EQ(apply(fp8(), recipeOfFile()),
            "option '--dtype': expected no fp8, as quantization_config says which linears are quantized and how, found "
            "fp8, which differs for model.layers.1.self_attn.q_proj");
  QuantizationOptions head;
  head.fp8Head = true;
  EXPECT_EQ(apply(head, recipeOfFile()), "88-8");
  head.fp8Head = false;
  EXPECT_EQ(apply(head, recipeOfFile()), "88--");
  QuantizationRecipe withHead = makeDynamicRecipe({});
  EXPECT_EQ(apply(head, withHead), "option '--lm-head': expected what quantization_config says of lm_head, found bf16");
  EXPECT_EQ(apply({}, withHead), "8888");
}
