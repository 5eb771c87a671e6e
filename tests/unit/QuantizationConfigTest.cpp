// What configurations say of quantization, in each format: the scales of linears, and what is refused or warned of.
#include "compiler/models/Families.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "gtest/gtest.h"

using namespace bambac;

/// Two layers, mamba and attention. in_proj is [292, 64], q_proj [64, 64], k_proj and v_proj [32, 64], gate_proj
/// [96, 64].
static std::string withQuantization(llvm::StringRef quantization, llvm::StringRef more = "") {
  return (R"({"model_type": "bamba", "hidden_size": 64, "intermediate_size": 96, "vocab_size": 100,
    "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "attn_layer_indices": [1],
    "mamba_n_heads": 4, "mamba_d_state": 16, "quantization_config": )" +
          quantization + more + "}")
      .str();
}

namespace {
/// What was made of a configuration: the description or an error, and the warnings.
class Reading {
public:
  explicit Reading(llvm::StringRef quantization, llvm::StringRef more = "", const QuantizationOptions &options = {})
      : Reading(withQuantization(quantization, more), options) {}

  Reading(const std::string &text, const QuantizationOptions &options) {
    llvm::Expected<ModelDescription> read =
        parseModel(text, "c", [&](const std::string &line) { warnings += line + "\n"; }, options);
    if (read)
      model = std::move(*read);
    else
      error = llvm::toString(read.takeError());
  }

  /// A linear by the name of its weight: "numbers", or each tensor of its scales with the shape and how often a row
  /// stands, the group, and the tensors of static scales.
  std::string show(llvm::StringRef name) {
    EXPECT_EQ(error, "");
    std::string text = "no such linear";
    auto visit = [&](const Linear &linear) {
      if (linear.matrix.name == name)
        text = show(linear);
    };
    for (const Layer &layer : model.layers)
      for (const ResidualBlock &block : layer.blocks)
        if (const auto *mamba = std::get_if<Mamba2>(&block.body))
          visit(mamba->inProj), visit(mamba->outProj);
        else if (const auto *attention = std::get_if<Attention>(&block.body))
          visit(attention->query), visit(attention->key), visit(attention->value), visit(attention->output);
        else if (const auto *mlp = std::get_if<SwigluMlp>(&block.body))
          visit(mlp->gate), visit(mlp->up), visit(mlp->down);
    visit(model.head);
    return text;
  }

  ModelDescription model;
  std::string error, warnings;

private:
  static std::string show(const Linear &linear) {
    if (!linear.quantization)
      return linear.matrix.precision == Precision::Chosen ? "numbers" : "no numbers";
    EXPECT_EQ(linear.matrix.precision, Precision::Codes);
    std::string text;
    llvm::raw_string_ostream stream(text);
    for (const TensorRows &source : linear.quantization->scales.sources)
      stream << llvm::StringRef(source.tensor).split("layers.").second << '[' << source.shape.front() << ','
             << source.countColumns() << "]x" << source.repeat;
    if (linear.quantization->group)
      stream << " group " << linear.quantization->group;
    if (const std::optional<Weight> &inputs = linear.quantization->inputScales) {
      stream << ' ' << inputs->name << ':';
      for (const TensorRows &source : inputs->sources)
        stream << ' ' << llvm::StringRef(source.tensor).split("layers.").second;
    }
    return text;
  }
};
} // namespace

/// compressed-tensors with one group; `weights` and `inputs` are fields in addition to those of e4m3.
static std::string oneGroup(llvm::StringRef weights, llvm::StringRef inputs,
                            llvm::StringRef more = R"("ignore": ["lm_head"])") {
  return llvm::formatv(R"({{"quant_method": "compressed-tensors", "format": "float-quantized", {2}, "config_groups":
      {{"group_0": {{"targets": ["Linear"], "output_activations": null,
        "weights": {{"num_bits": 8, "type": "float", {0}, "observer_kwargs": {{}, "new_key": 1},
        "input_activations": {{"num_bits": 8, "type": "float", {1}}}}})",
                       weights, inputs, more);
}

static const char *const kChannel = R"("strategy": "channel", "dynamic": false)";
static const char *const kToken = R"("strategy": "token", "dynamic": true)";
static const char *const kTensor = R"("strategy": "tensor", "dynamic": false)";

TEST(CompressedTensors, ReadsChannelsAndTokens) {
  Reading reading(oneGroup(kChannel, kToken));
  EXPECT_EQ(reading.show("layers.0.mamba.in_proj"), "0.mamba.in_proj.weight_scale[292,1]x1");
  EXPECT_EQ(reading.show("layers.1.feed_forward.down_proj"), "1.feed_forward.down_proj.weight_scale[64,1]x1");
  EXPECT_EQ(reading.show("lm_head"), "numbers");
  EXPECT_EQ(reading.warnings, ""); // unknown keys are not worth one
  const Weight &scales = std::get<Mamba2>(reading.model.layers[0].blocks[0].body).inProj.quantization->scales;
  EXPECT_EQ(scales.name, "layers.0.mamba.in_proj_scale");
  EXPECT_TRUE(scales.positive && scales.transposed);
}

TEST(CompressedTensors, SharesStaticScalesOfOneInput) {
  Reading reading(oneGroup(kTensor, kTensor));
  EXPECT_EQ(reading.show("layers.0.mamba.in_proj"),
            "0.mamba.in_proj.weight_scale[1,1]x292 layers.0.mamba.in_proj_input_scale: 0.mamba.in_proj.input_scale");
  std::string shared = " layers.1.self_attn.qkv_input_scale: 1.self_attn.q_proj.input_scale "
                       "1.self_attn.k_proj.input_scale 1.self_attn.v_proj.input_scale";
  EXPECT_EQ(reading.show("layers.1.self_attn.q_proj"), "1.self_attn.q_proj.weight_scale[1,1]x64" + shared);
  EXPECT_EQ(reading.show("layers.1.self_attn.v_proj"), "1.self_attn.v_proj.weight_scale[1,1]x32" + shared);
  EXPECT_EQ(reading.show("layers.1.feed_forward.up_proj"),
            "1.feed_forward.up_proj.weight_scale[1,1]x96 layers.1.feed_forward.gate_up_input_scale: "
            "1.feed_forward.gate_proj.input_scale 1.feed_forward.up_proj.input_scale");
  // Only those that are quantized share it.
  Reading without(oneGroup(kTensor, kTensor, R"("ignore": ["lm_head", "model.layers.1.self_attn.k_proj"])"));
  EXPECT_EQ(without.show("layers.1.self_attn.k_proj"), "numbers");
  EXPECT_EQ(without.show("layers.1.self_attn.q_proj"),
            "1.self_attn.q_proj.weight_scale[1,1]x64 layers.1.self_attn.qkv_input_scale: "
            "1.self_attn.q_proj.input_scale 1.self_attn.v_proj.input_scale");
}

TEST(CompressedTensors, ReadsBlocks) {
  // 292 rows are 18 blocks of 16 and 4 rows; 64 columns are two of 48, of which the last is shorter.
  Reading blocks(oneGroup(R"("strategy": "block", "block_structure": [16, 48])",
                          R"("strategy": "group", "group_size": 48, "dynamic": true)"));
  EXPECT_EQ(blocks.show("layers.0.mamba.in_proj"), "0.mamba.in_proj.weight_scale[19,2]x16 group 48");
  EXPECT_EQ(blocks.show("layers.1.self_attn.k_proj"), "1.self_attn.k_proj.weight_scale[2,2]x16 group 48");
  Reading text(oneGroup(R"("strategy": "block", "block_structure": "128x128")",
                        R"("strategy": "group", "group_size": 128, "dynamic": true)"));
  EXPECT_EQ(text.show("layers.0.mamba.in_proj"), "0.mamba.in_proj.weight_scale[3,1]x128 group 128");
  // Without a strategy, the size of the group says it: a scale for 32 columns of each row.
  Reading groups(oneGroup(R"("group_size": 32)", R"("group_size": 32, "dynamic": true)"));
  EXPECT_EQ(groups.show("layers.0.mamba.in_proj"), "0.mamba.in_proj.weight_scale[292,2]x1 group 32");
}

TEST(CompressedTensors, ReadsTargetsAndPresets) {
  // A name counts more than a class, whichever group comes first.
  Reading reading(R"({"quant_method": "compressed-tensors", "ignore": ["lm_head", "re:.*\\.1\\.feed_forward.*"],
    "config_groups": {"FP8_DYNAMIC": ["Linear"], "FP8": ["model.layers.0.mamba.in_proj", "re:.*o_proj"],
                      "FP8_BLOCK": ["re:.*(q|k|v)_proj$"]}})");
  EXPECT_EQ(reading.show("layers.0.mamba.in_proj"),
            "0.mamba.in_proj.weight_scale[1,1]x292 layers.0.mamba.in_proj_input_scale: 0.mamba.in_proj.input_scale");
  EXPECT_EQ(reading.show("layers.0.mamba.out_proj"), "0.mamba.out_proj.weight_scale[64,1]x1");
  EXPECT_EQ(reading.show("layers.1.self_attn.q_proj"), "1.self_attn.q_proj.weight_scale[1,1]x128 group 128");
  EXPECT_EQ(reading.show("layers.1.self_attn.o_proj"),
            "1.self_attn.o_proj.weight_scale[1,1]x64 layers.1.self_attn.o_proj_input_scale: "
            "1.self_attn.o_proj.input_scale");
  EXPECT_EQ(reading.show("layers.0.feed_forward.gate_proj"), "0.feed_forward.gate_proj.weight_scale[96,1]x1");
  EXPECT_EQ(reading.show("layers.1.feed_forward.gate_proj"), "numbers");
  EXPECT_EQ(reading.warnings, "");
}

TEST(CompressedTensors, QuantizesTheHeadWhereItIsNotIgnored) {
  Reading reading(oneGroup(kChannel, kToken, R"("ignore": [])"));
  EXPECT_EQ(reading.model.head.quantization->scales.sources[0].tensor, "lm_head.weight_scale");
  // Rows beyond the vocabulary have scales, too.
  EXPECT_TRUE(llvm::is_contained(reading.model.checkpoint.padded, "lm_head.weight_scale"));
  Reading withStatic(oneGroup(kTensor, kTensor, R"("ignore": [])"));
  EXPECT_EQ(withStatic.model.head.quantization->inputScales->name, "lm_head_input_scale");
  EXPECT_EQ(withStatic.model.head.quantization->inputScales->sources[0].tensor, "lm_head.input_scale");
  EXPECT_EQ(Reading(oneGroup(kTensor, kTensor, R"("ignore": [])"), R"(, "tie_word_embeddings": true)").error,
            "c: field 'quantization_config': expected 'lm_head' among the ignored modules, as tie_word_embeddings "
            "makes it the embedding, found none");
}

TEST(CompressedTensors, KnowsScalesOfKeysAndValues) {
  std::string scheme = R"("kv_cache_scheme": {"num_bits": 8, "type": "float", "strategy": "tensor", "dynamic": false,
      "symmetric": true, "observer": "minmax"})";
  Reading reading(oneGroup(kChannel, kToken, scheme));
  const auto &attention = std::get<Attention>(reading.model.layers[1].blocks[0].body);
  ASSERT_TRUE(attention.cacheScales);
  EXPECT_EQ(attention.cacheScales->sources[0].tensor, "model.layers.1.self_attn.k_scale");
  EXPECT_EQ(attention.cacheScales->sources[1].tensor, "model.layers.1.self_attn.v_scale");
  EXPECT_EQ(attention.cacheScales->name, "layers.1.self_attn.cache_scales");
  EXPECT_EQ(Reading(oneGroup(kChannel, kToken, R"("kv_cache_scheme": {"strategy": "attn_head"})")).error,
            "c: field 'quantization_config.kv_cache_scheme.strategy': expected \"tensor\", found \"attn_head\"");
}

TEST(QuantizationConfig, KnowsScalesOfACacheThatAnOptionAsksFor) {
  QuantizationOptions options;
  options.fp8Cache = true;
  auto scalesOf = [&](const std::string &quantization, const QuantizationOptions &options) {
    Reading reading(quantization, "", options);
    EXPECT_EQ(reading.error, "");
    const auto &scales = std::get<Attention>(reading.model.layers[1].blocks[0].body).cacheScales;
    bool ignoresScales = llvm::is_contained(reading.model.checkpoint.ignored, ".k_scale");
    EXPECT_NE(ignoresScales, scales.has_value());
    EXPECT_TRUE(!scales || (scales->optional && scales->positive));
    return scales ? scales->sources[0].tensor + " " + scales->sources[1].tensor : "none";
  };
  std::string none = "null", modelOpt = R"({"quant_method": "modelopt", "quant_algo": "FP8", "ignore": ["lm_head"]})",
              fp8 = R"({"quant_method": "fp8", "weight_block_size": [128, 32]})";
  for (const std::string &quantization : {none, modelOpt, fp8, oneGroup(kChannel, kToken)})
    EXPECT_EQ(scalesOf(quantization, {}), "none");
  for (const std::string &quantization : {none, fp8, oneGroup(kChannel, kToken)})
    EXPECT_EQ(scalesOf(quantization, options), "model.layers.1.self_attn.k_scale model.layers.1.self_attn.v_scale");
  EXPECT_EQ(scalesOf(modelOpt, options),
            "model.layers.1.self_attn.k_proj.k_scale model.layers.1.self_attn.v_proj.v_scale");
}

TEST(CompressedTensors, RefusesOtherRecipes) {
  auto errorOf = [](const std::string &config) {
    Reading reading(config);
    llvm::StringRef error = reading.error;
    EXPECT_TRUE(error.consume_front("c: field 'quantization_config.")) << reading.error;
    return error.str();
  };
  EXPECT_EQ(errorOf(R"({"quant_method": "compressed-tensors", "format": "pack-quantized"})"),
            "format': expected \"float-quantized\", found \"pack-quantized\"");
  EXPECT_EQ(errorOf(R"({"quant_method": "compressed-tensors", "config_groups": {"NVFP4": ["Linear"]}})"),
            "config_groups.NVFP4': expected a scheme, or the targets of FP8, FP8_DYNAMIC or FP8_BLOCK, found the "
            "targets of NVFP4");
  EXPECT_EQ(errorOf(R"({"quant_method": "compressed-tensors"})"),
            "config_groups': expected at least one group, found no such field");
  EXPECT_EQ(errorOf(R"({"quant_method": "compressed-tensors", "config_groups": {"FP8": ["Embedding"]}})"),
            "config_groups.FP8': expected linears, found \"Embedding\"");
  EXPECT_EQ(errorOf(R"({"quant_method": "compressed-tensors", "sparsity_config": {"format": "sparse-24-bitmask"}})"),
            "sparsity_config.format': expected \"dense\", found \"sparse-24-bitmask\"");
  EXPECT_EQ(errorOf(oneGroup(kChannel, kToken, R"("transform_config": {"groups": {"u": {"type": "hadamard"}}})")),
            "transform_config': expected null, found an object");
  EXPECT_EQ(errorOf(oneGroup(kChannel, kToken, R"("ignore": ["re:(?!lm_head).*"])")),
            "ignore': expected patterns that bambac reads, found \"re:(?!lm_head).*\", which has a group such as "
            "'(?!'");
  std::string group = "config_groups.group_0.";
  EXPECT_EQ(errorOf(oneGroup(R"("strategy": "channel", "num_bits": 4)", kToken)),
            group + "weights.num_bits': expected 8, found 4");
  EXPECT_EQ(errorOf(oneGroup(R"("strategy": "channel", "type": "int")", kToken)),
            group + "weights.type': expected \"float\", found \"int\"");
  EXPECT_EQ(errorOf(oneGroup(R"("strategy": "channel", "symmetric": false)", kToken)),
            group + "weights.symmetric': expected true, found false");
  EXPECT_EQ(errorOf(oneGroup(R"("strategy": "tensor_group")", kToken)),
            group + "weights.strategy': expected \"tensor\", \"channel\", \"group\" or \"block\", found "
                    "\"tensor_group\"");
  EXPECT_EQ(errorOf(oneGroup(R"("strategy": "block", "block_structure": [0, 128])", kToken)),
            group + "weights.block_structure': expected an integer from 1 to 4194304, found 0");
  EXPECT_EQ(errorOf(oneGroup(kChannel, R"("strategy": "tensor", "dynamic": true)")),
            group + "input_activations.strategy': expected \"token\", found \"tensor\"");
  EXPECT_EQ(errorOf(oneGroup(kChannel, R"("strategy": "tensor_group", "dynamic": "local")")),
            group + "input_activations.dynamic': expected true or false, found \"local\"");
  EXPECT_EQ(errorOf(oneGroup(R"("strategy": "block", "block_structure": [128, 128])", kTensor)),
            group + "input_activations.dynamic': expected true, as the weights have blocks, found false");
  EXPECT_EQ(errorOf(oneGroup(R"("strategy": "block", "block_structure": [128, 128])",
                             R"("strategy": "group", "group_size": 64, "dynamic": true)")),
            group + "input_activations.group_size': expected 128 like the columns of a block of weights, found 64");
  EXPECT_EQ(errorOf(R"({"quant_method": "compressed-tensors", "config_groups": {"group_0": {"targets": ["Linear"],
      "weights": {"num_bits": 8, "type": "float", "strategy": "channel"}, "input_activations": null}}})"),
            group + "input_activations': expected an object (weights alone are not supported), found null");
}

TEST(FineGrainedFp8, ReadsBlocksAndTensors) {
  Reading blocks(R"({"quant_method": "fp8", "fmt": "e4m3", "weight_block_size": [128, 32],
    "activation_scheme": "dynamic", "modules_to_not_convert": ["self_attn", "model.layers.1.feed_forward"]})");
  EXPECT_EQ(blocks.show("layers.0.mamba.in_proj"), "0.mamba.in_proj.weight_scale_inv[3,2]x128 group 32");
  EXPECT_EQ(blocks.show("layers.1.self_attn.q_proj"), "numbers");
  EXPECT_EQ(blocks.show("layers.1.feed_forward.up_proj"), "numbers");
  EXPECT_EQ(blocks.show("lm_head"), "numbers");
  Reading tensors(R"({"quant_method": "fp8", "weight_block_size": null, "activation_scheme": "static"})");
  EXPECT_EQ(tensors.show("layers.0.mamba.in_proj"), "0.mamba.in_proj.weight_scale_inv[1,1]x292 "
                                                    "layers.0.mamba.in_proj_input_scale: "
                                                    "0.mamba.in_proj.activation_scale");
  // AutoFP8's files have other names of tensors, and no block size.
  Reading older(R"({"quant_method": "fp8", "activation_scheme": "static", "ignored_layers": ["lm_head"]})");
  EXPECT_EQ(older.show("layers.0.mamba.in_proj"),
            "0.mamba.in_proj.weight_scale[1,1]x292 layers.0.mamba.in_proj_input_scale: 0.mamba.in_proj.input_scale");
}

TEST(FineGrainedFp8, RefusesOtherRecipes) {
  auto errorOf = [](llvm::StringRef fields) {
    return Reading((R"({"quant_method": "fp8", "weight_block_size": [128, 128], )" + fields + "}").str()).error;
  };
  EXPECT_EQ(errorOf(R"("scale_fmt": "ue8m0")"),
            "c: field 'quantization_config.scale_fmt': expected \"float\", found \"ue8m0\"");
  EXPECT_EQ(errorOf(R"("fmt": "e5m2")"), "c: field 'quantization_config.fmt': expected \"e4m3\", found \"e5m2\"");
  EXPECT_EQ(errorOf(R"("activation_scheme": "static")"),
            "c: field 'quantization_config.activation_scheme': expected \"dynamic\", as the weights have blocks, found "
            "\"static\"");
  EXPECT_EQ(Reading(R"({"quant_method": "fp8", "weight_block_size": [128]})").error,
            "c: field 'quantization_config.weight_block_size': expected two integers or null, found an array of 1");
  EXPECT_EQ(Reading(R"({"quant_method": "gptq", "bits": 4})").error,
            "c: field 'quantization_config.quant_method': expected one of \"compressed-tensors\", \"fp8\", "
            "\"modelopt\", found \"gptq\"");
}

TEST(ModelOpt, ReadsOneAlgorithm) {
  Reading tensors(R"({"quant_method": "modelopt", "quant_algo": "FP8", "producer": {"name": "modelopt"},
    "ignore": ["lm_head", "*self_attn*"], "config_groups": {"group_0": {"targets": ["Linear"]}},
    "kv_cache_scheme": {"dynamic": false, "num_bits": 8, "type": "float"}})");
  EXPECT_EQ(tensors.show("layers.0.mamba.in_proj"),
            "0.mamba.in_proj.weight_scale[1,1]x292 layers.0.mamba.in_proj_input_scale: 0.mamba.in_proj.input_scale");
  EXPECT_EQ(tensors.show("layers.1.self_attn.q_proj"), "numbers");
  EXPECT_EQ(std::get<Attention>(tensors.model.layers[1].blocks[0].body).cacheScales->sources[0].tensor,
            "model.layers.1.self_attn.k_proj.k_scale");
  EXPECT_EQ(tensors.warnings, "");
  Reading channels(R"({"quant_method": "modelopt", "quantization": {"quant_algo": "fp8_per_channel_per_token",
    "kv_cache_quant_algo": null, "exclude_modules": ["lm_head", "model.layers.0.mamba.[io]*_proj"]}})");
  EXPECT_EQ(channels.show("layers.0.mamba.in_proj"), "numbers");
  EXPECT_EQ(channels.show("layers.1.self_attn.q_proj"), "1.self_attn.q_proj.weight_scale[64,1]x1");
}

TEST(ModelOpt, ReadsAlgorithmsOfLayers) {
  Reading reading(R"({"quant_method": "modelopt", "quant_algo": "MIXED_PRECISION", "quantized_layers": {
    "model.layers.0.mamba.in_proj": {"quant_algo": "FP8"},
    "model.layers.1.self_attn.*": {"quant_algo": "FP8_PER_CHANNEL_PER_TOKEN"}}})");
  EXPECT_EQ(reading.show("layers.0.mamba.in_proj"),
            "0.mamba.in_proj.weight_scale[1,1]x292 layers.0.mamba.in_proj_input_scale: 0.mamba.in_proj.input_scale");
  EXPECT_EQ(reading.show("layers.0.mamba.out_proj"), "numbers");
  EXPECT_EQ(reading.show("layers.1.self_attn.v_proj"), "1.self_attn.v_proj.weight_scale[32,1]x1");
  EXPECT_EQ(reading.show("lm_head"), "numbers");
}

TEST(ModelOpt, RefusesOtherRecipes) {
  EXPECT_EQ(Reading(R"({"quant_method": "modelopt", "quant_algo": "NVFP4"})").error,
            "c: field 'quantization_config.quant_algo': expected \"FP8\", \"FP8_PER_CHANNEL_PER_TOKEN\" or "
            "\"MIXED_PRECISION\", found \"NVFP4\"");
  EXPECT_EQ(Reading(R"({"quant_method": "modelopt", "quant_algo": "MIXED_PRECISION", "quantized_layers":
    {"model.layers.0.mamba.in_proj": {"quant_algo": "W4A16_AWQ"}}})")
                .error,
            "c: field 'quantization_config.quantized_layers.model.layers.0.mamba.in_proj.quant_algo': expected \"FP8\" "
            "or \"FP8_PER_CHANNEL_PER_TOKEN\", found \"W4A16_AWQ\"");
  EXPECT_EQ(Reading(R"({"quant_method": "modelopt", "quant_algo": "FP8", "kv_cache_quant_algo": "NVFP4"})").error,
            "c: field 'quantization_config.kv_cache_quant_algo': expected \"FP8\" or null, found \"NVFP4\"");
}

TEST(QuantizationConfig, WarnsOfPatternsThatNameNothing) {
  // The convolution and the embedding are modules of the model, though no linears.
  Reading reading(oneGroup(kChannel, kToken, R"("ignore": ["lm_head", "re:.*conv1d", "model.embed_tokens",
      "re:.*router", "model.layers.7.mamba.in_proj"])"));
  EXPECT_EQ(reading.warnings, "c: quantization_config: 're:.*router' names no module of the model\n"
                              "c: quantization_config: 'model.layers.7.mamba.in_proj' names no module of the model\n");
  EXPECT_EQ(Reading(R"({"quant_method": "modelopt", "quant_algo": "FP8", "ignore": ["lm_head"], "awq": 1})").warnings,
            "c: field 'quantization_config.awq' is unknown and ignored\n");
}

TEST(QuantizationConfig, ReadsBackFromTheNormalisedForm) {
  for (const std::string &config :
       {oneGroup(kTensor, kTensor), oneGroup(kChannel, kToken, R"("global_compression_ratio": Infinity)"),
        std::string(R"({"quant_method": "fp8", "weight_block_size": [128, 32]})")}) {
    Reading first(config);
    Reading second(first.model.config, QuantizationOptions());
    EXPECT_EQ(second.show("layers.0.mamba.in_proj"), first.show("layers.0.mamba.in_proj"));
    EXPECT_EQ(second.model.config, first.model.config);
  }
}
