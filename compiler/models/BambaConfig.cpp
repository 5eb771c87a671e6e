// Reads a config.json in either style of Hugging Face's Bamba: the hub's (attn_rotary_emb, rope_theta) and the later
// one (rope_parameters, layer_types).
#include "compiler/models/BambaConfig.h"
#include "compiler/config/FieldReader.h"
#include "compiler/models/BambaConfigCheck.h"
#include "compiler/models/QuantizationConfig.h"
#include <limits>

using namespace llvm;

namespace bambac {

static constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Fields of training, of generation and of Hugging Face's bookkeeping.
static constexpr StringLiteral kIgnoredFields[] = {"add_cross_attention",
                                                   "architectures",
                                                   "attention_dropout",
                                                   "attn_implementation",
                                                   "auto_map",
                                                   "bad_words_ids",
                                                   "begin_suppress_tokens",
                                                   "chunk_size_feed_forward",
                                                   "cross_attention_hidden_size",
                                                   "decoder_start_token_id",
                                                   "diversity_penalty",
                                                   "do_sample",
                                                   "early_stopping",
                                                   "encoder_no_repeat_ngram_size",
                                                   "exponential_decay_length_penalty",
                                                   "finetuning_task",
                                                   "forced_bos_token_id",
                                                   "forced_eos_token_id",
                                                   "id2label",
                                                   "initializer_range",
                                                   "is_decoder",
                                                   "is_encoder_decoder",
                                                   "label2id",
                                                   "length_penalty",
                                                   "logits_to_keep",
                                                   "mamba_dt_rank",
                                                   "max_length",
                                                   "min_length",
                                                   "no_repeat_ngram_size",
                                                   "num_beam_groups",
                                                   "num_beams",
                                                   "num_logits_to_keep",
                                                   "num_return_sequences",
                                                   "output_attentions",
                                                   "output_hidden_states",
                                                   "output_router_logits",
                                                   "output_scores",
                                                   "prefix",
                                                   "problem_type",
                                                   "pruned_heads",
                                                   "remove_invalid_values",
                                                   "repetition_penalty",
                                                   "return_dict",
                                                   "return_dict_in_generate",
                                                   "sep_token_id",
                                                   "suppress_tokens",
                                                   "task_specific_params",
                                                   "temperature",
                                                   "tf_legacy_loss",
                                                   "tie_encoder_decoder",
                                                   "time_step_floor",
                                                   "time_step_max",
                                                   "time_step_min",
                                                   "tokenizer_class",
                                                   "top_k",
                                                   "top_p",
                                                   "torchscript",
                                                   "transformers_version",
                                                   "typical_p",
                                                   "unsloth_fixed",
                                                   "unsloth_version",
                                                   "use_bfloat16",
                                                   "use_cache",
                                                   "use_mamba_kernels",
                                                   "z_loss_coefficient"};

static void readSizes(FieldReader &reader, BambaConfig &config) {
  config.vocabSize = reader.requiredInteger("vocab_size", 1, limits::kVocab);
  config.hiddenSize = reader.requiredInteger("hidden_size", 1, limits::kWidth);
  config.intermediateSize = reader.requiredInteger("intermediate_size", 1, limits::kWidth);
  config.numLayers = reader.requiredInteger("num_hidden_layers", 1, limits::kLayers);
  reader.readInteger("max_position_embeddings", config.maxPositions, 1, limits::kPositions);
  // Below the smallest normal float, eps would vanish in the kernels.
  reader.readNumber("rms_norm_eps", config.rmsNormEps, std::numeric_limits<float>::min(), 1.0);
  reader.readBool("tie_word_embeddings", config.tieWordEmbeddings);
  reader.readBool("mlp_bias", config.mlpBias);
}

/// A size of one kind of layers, which must be there where the model has such layers.
static void readLayerSize(FieldReader &reader, StringRef name, int64_t &size, bool isUsed) {
  if (isUsed)
    size = reader.requiredInteger(name, 1, limits::kHeads);
  else
    reader.readInteger(name, size, 1, limits::kHeads);
}

static void readMamba(FieldReader &reader, BambaConfig &config) {
  readLayerSize(reader, "mamba_n_heads", config.mambaHeads, config.hasMamba());
  readLayerSize(reader, "mamba_d_state", config.stateSize, config.hasMamba());
  reader.readInteger("mamba_n_groups", config.mambaGroups, 1, limits::kHeads);
  reader.readInteger("mamba_d_conv", config.convTaps, 2, limits::kConvTaps);
  reader.readInteger("mamba_expand", config.expand, 1, limits::kExpand);
  reader.readInteger("mamba_chunk_size", config.chunkSize, 1, limits::kWidth);
  reader.readBool("mamba_conv_bias", config.convBias);
  reader.readBool("mamba_proj_bias", config.projBias);

  const json::Value *headDim = reader.get("mamba_d_head");
  if (!headDim || headDim->getAsString() == StringRef("auto"))
    config.mambaHeadDim = config.expand * config.hiddenSize / config.mambaHeads;
  else if (headDim->getAsNumber())
    config.mambaHeadDim = reader.integer("mamba_d_head", *headDim, 1, limits::kWidth).value_or(1);
  else
    reader.fail("mamba_d_head", "an integer or \"auto\"");
}

/// No field and null mean no limit, and so does a null in the place of one.
static void readTimeStepLimit(FieldReader &reader, BambaConfig &config) {
  constexpr StringLiteral name = "time_step_limit";
  config.dtMin = 0.0;
  config.dtMax = kInfinity;
  const json::Array *pair = reader.optionalArray(name);
  if (!pair)
    return;
  if (pair->size() != 2)
    return reader.fail(name, "two numbers");
  const json::Value &min = (*pair)[0], &max = (*pair)[1];
  if (min.kind() != json::Value::Null)
    config.dtMin = reader.number(name, min, 0.0, std::numeric_limits<float>::max()).value_or(0.0);
  if (max.kind() != json::Value::Null)
    config.dtMax = reader.number(name, max, config.dtMin, kInfinity).value_or(kInfinity);
}

static void readAttention(FieldReader &reader, BambaConfig &config) {
  readLayerSize(reader, "num_attention_heads", config.attentionHeads, config.hasAttention());
  if (reader.isNull("num_key_value_heads"))
    config.kvHeads = config.attentionHeads;
  else
    readLayerSize(reader, "num_key_value_heads", config.kvHeads, config.hasAttention());
  (void)reader.get("num_key_value_heads");
  reader.readBool("attention_bias", config.attentionBias);
  config.headDim =
      reader.optionalInteger("head_dim", 1, limits::kWidth).value_or(config.hiddenSize / config.attentionHeads);
}

/// True for attention, from the name of a layer's type.
static std::optional<bool> attentionFromType(const json::Value &type) {
  std::optional<StringRef> name = type.getAsString();
  if (name == StringRef("full_attention") || name == StringRef("attention"))
    return true;
  if (name == StringRef("linear_attention") || name == StringRef("mamba"))
    return false;
  return std::nullopt;
}

static void readLayerTypes(FieldReader &reader, StringRef name, const json::Array &types, BambaConfig &config) {
  if (types.size() != static_cast<size_t>(config.numLayers))
    return reader.fail(name, "an array of num_hidden_layers = " + Twine(config.numLayers));
  std::vector<bool> isAttention;
  for (const json::Value &type : types) {
    std::optional<bool> attention = attentionFromType(type);
    if (!attention)
      return reader.fail(name, "\"full_attention\" or \"linear_attention\" for each layer", describe(type));
    isAttention.push_back(*attention);
  }
  if (reader.get("attn_layer_indices") && isAttention != config.isAttention)
    return reader.fail(name, "the layers that attn_layer_indices names", "others");
  config.isAttention = std::move(isAttention);
}

static void readLayers(FieldReader &reader, BambaConfig &config) {
  config.isAttention.assign(config.numLayers, false);
  if (const json::Array *indices = reader.optionalArray("attn_layer_indices")) {
    for (const json::Value &value : *indices) {
      std::optional<int64_t> layer = reader.integer("attn_layer_indices", value, 0, config.numLayers - 1);
      if (!layer)
        return;
      if (config.isAttention[*layer])
        return reader.fail("attn_layer_indices", "each layer once", Twine(*layer) + " twice");
      config.isAttention[*layer] = true;
    }
  }
  for (StringRef name : {"layer_types", "layers_block_type"})
    if (const json::Array *types = reader.optionalArray(name))
      readLayerTypes(reader, name, *types, config);
}

/// What is not implemented must not be taken for something else.
static void checkKind(FieldReader &reader) {
  (void)reader.get("model_type"); // has chosen the family
  const json::Value *activation = reader.get("hidden_act");
  if (activation && activation->getAsString() != StringRef("silu") && activation->getAsString() != StringRef("swish"))
    reader.fail("hidden_act", "\"silu\"");
}

/// The tokens of a field that is a number or a list of numbers, where -1 is none.
static std::vector<int32_t> readTokens(FieldReader &reader, StringRef name, BambaConfig &config) {
  std::vector<int32_t> tokens;
  const json::Value *value = reader.get(name);
  if (!value)
    return tokens;
  auto add = [&](const json::Value &id) {
    std::optional<int64_t> token = reader.integer(name, id, -1, limits::kPositions);
    if (token && *token >= 0 && !is_contained(tokens, *token))
      tokens.push_back(static_cast<int32_t>(*token));
  };
  if (const json::Array *ids = value->getAsArray())
    llvm::for_each(*ids, add);
  else
    add(*value);
  config.notes.emplace_back(name.str(), *value);
  return tokens;
}

static void readTokenIds(FieldReader &reader, BambaConfig &config) {
  if (std::vector<int32_t> bos = readTokens(reader, "bos_token_id", config); !bos.empty())
    config.bosToken = bos.front();
  config.eosTokens = readTokens(reader, "eos_token_id", config);
  (void)readTokens(reader, "pad_token_id", config);
}

/// The type of the checkpoint's tensors; a note only, as the loader looks at the tensors themselves. "auto" says the
/// same.
static void readDtype(FieldReader &reader, BambaConfig &config) {
  for (StringRef name : {"torch_dtype", "dtype"}) {
    const json::Value *value = reader.get(name);
    if (!value)
      continue;
    StringRef type = value->getAsString().value_or("");
    type.consume_front("torch.");
    if (type == "auto")
      continue;
    if (!is_contained({"float64", "float32", "bfloat16", "float16"}, type))
      return reader.fail(name, "\"float64\", \"float32\", \"bfloat16\", \"float16\" or \"auto\"");
    if (config.notes.empty() || config.notes.back().first != "dtype")
      config.notes.emplace_back("dtype", type.str());
  }
}

Expected<BambaConfig> parseBambaConfig(const json::Object &object, StringRef path, WarningHandler warn) {
  BambaConfig config;
  std::string error;
  FieldReader reader(object, path, error);
  checkKind(reader);
  readSizes(reader, config);
  readLayers(reader, config);
  readMamba(reader, config);
  readTimeStepLimit(reader, config);
  readAttention(reader, config);
  std::vector<std::string> warnings; // for the case that there is no error
  config.rope = readRope(reader, ropeDefaults(config), warnings);
  readTokenIds(reader, config);
  readDtype(reader, config);
  config.quantization = readQuantizationConfig(reader, warnings);
  if (error.empty())
    checkConsistency(reader, config);
  if (!error.empty())
    return createStringError(error);
  for (StringRef name : kIgnoredFields)
    (void)reader.get(name);
  reader.listUnknown(warnings);
  for (const std::string &warning : warnings)
    warn(warning);
  return config;
}

} // namespace bambac
