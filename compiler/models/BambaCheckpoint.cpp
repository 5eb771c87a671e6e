// What Bamba checkpoints hold beside the tensors that the model reads, and the fields of a config.json that say the
// same as the configuration that was compiled.
#include "compiler/models/BambaConfig.h"
#include "compiler/models/BambaModel.h"
#include "runtime/contract/checkpoint_rules.h"
#include <cmath>

using namespace llvm;

namespace bambac {

namespace {
class FieldList {
public:
  explicit FieldList(std::vector<ConfigField> &fields) : fields(fields) {}

  /// A field that a file must have.
  void addSize(StringRef name, int64_t value) { fields.push_back({{name.str()}, {value}}); }

  /// A field whose absence means `missing`; for a flag, null means false.
  template <typename T> void add(StringRef name, const T &value, const T &missing) {
    fields.push_back({{name.str()}, {json::Value(value)}, value == missing});
    if (std::is_same_v<T, bool> && !value)
      fields.back().values.push_back(nullptr);
  }

  void addAny(std::vector<std::string> names, std::vector<json::Value> values, bool optional) {
    fields.push_back({std::move(names), std::move(values), optional});
  }

private:
  std::vector<ConfigField> &fields;
};
} // namespace

static void addSizes(FieldList &fields, const BambaConfig &config) {
  const BambaConfig missing;
  fields.addSize("vocab_size", config.vocabSize);
  fields.addSize("hidden_size", config.hiddenSize);
  fields.addSize("intermediate_size", config.intermediateSize);
  fields.addSize("num_hidden_layers", config.numLayers);
  fields.add("rms_norm_eps", config.rmsNormEps, missing.rmsNormEps);
  fields.add("tie_word_embeddings", config.tieWordEmbeddings, missing.tieWordEmbeddings);
  fields.add("mlp_bias", config.mlpBias, missing.mlpBias);
}

static void addMamba(FieldList &fields, const BambaConfig &config) {
  const BambaConfig missing;
  fields.addSize("mamba_n_heads", config.mambaHeads);
  fields.add("mamba_n_groups", config.mambaGroups, missing.mambaGroups);
  fields.addSize("mamba_d_state", config.stateSize);
  fields.add("mamba_d_conv", config.convTaps, missing.convTaps);
  fields.add("mamba_expand", config.expand, missing.expand);
  fields.add("mamba_conv_bias", config.convBias, missing.convBias);
  fields.add("mamba_proj_bias", config.projBias, missing.projBias);
  // mamba_expand decides what "auto" and no such field mean.
  fields.addAny({"mamba_d_head"}, {config.mambaHeadDim, "auto"}, /*optional=*/true);
  // The runtime writes infinity as text, in whichever way a file does.
  json::Value largest = std::isinf(config.dtMax) ? json::Value("Infinity") : json::Value(config.dtMax);
  fields.addAny({"time_step_limit"}, {json::Array{config.dtMin, std::move(largest)}},
                config.dtMin == 0.0 && std::isinf(config.dtMax));
}

/// The names of a field that describes the rotation, in the order in which they count: in either object, in the part of
/// attention layers, and at the top.
static std::vector<std::string> ropeNames(ArrayRef<StringRef> fieldNames, bool atTop = false) {
  std::vector<std::string> names;
  for (StringRef object : {"rope_scaling.", "rope_parameters."})
    for (StringRef layers : {"full_attention.", "attention.", ""})
      for (StringRef name : fieldNames)
        names.push_back((object + layers + name).str());
  if (atTop)
    names.push_back(fieldNames.front().str());
  return names;
}

static void addRopeType(FieldList &fields, const RopeConfig &rope) {
  fields.addAny(ropeNames({"rope_type", "type"}), {json::Value(nameOf(rope.type))}, rope.type == RopeType::Default);
  auto add = [&](StringRef name, double value) { fields.addAny(ropeNames({name}), {value}, /*optional=*/true); };
  if (rope.type != RopeType::Default)
    add("factor", rope.factor);
  if (rope.type == RopeType::Llama3) {
    add("low_freq_factor", rope.lowFrequencyFactor);
    add("high_freq_factor", rope.highFrequencyFactor);
  }
  if (rope.type == RopeType::Yarn) {
    add("beta_fast", rope.betaFast);
    add("beta_slow", rope.betaSlow);
    fields.addAny(ropeNames({"truncate"}), {rope.truncate}, rope.truncate == RopeConfig().truncate);
  }
  if (rope.type == RopeType::Yarn || rope.type == RopeType::LongRope)
    add("attention_factor", rope.attentionFactor);
  if (rope.type == RopeType::LongRope) {
    fields.addAny(ropeNames({"short_factor"}), {json::Array(rope.shortFactors)}, /*optional=*/false);
    fields.addAny(ropeNames({"long_factor"}), {json::Array(rope.longFactors)}, /*optional=*/false);
  }
  if (rope.originalPositions) {
    std::vector<std::string> positions = ropeNames({"original_max_position_embeddings"});
    positions.insert(positions.begin(), "original_max_position_embeddings");
    fields.addAny(std::move(positions), {rope.originalPositions}, /*optional=*/true);
  }
}

static void addRope(FieldList &fields, const BambaConfig &config) {
  // Each way to say how many dimensions turn may be left out, as the other may say it. The product of a factor and the
  // head is truncated to the width, which is even: factors up to the odd widths on both sides mean the same, or
  // nothing.
  auto width = static_cast<double>(config.rope.width), whole = static_cast<double>(config.headDim);
  fields.addAny({"attn_rotary_emb"}, {config.rope.width}, /*optional=*/true);
  json::Object factors{{contract::rules_key::kFrom, (width - 0.5) / whole},
                       {contract::rules_key::kBelow, (width + 1.5) / whole}};
  fields.addAny(ropeNames({"partial_rotary_factor"}, /*atTop=*/true), {std::move(factors)}, /*optional=*/true);
  fields.addAny(ropeNames({"rope_theta"}, /*atTop=*/true), {config.rope.theta},
                config.rope.theta == RopeConfig().theta);
  addRopeType(fields, config.rope);
}

static void addAttention(FieldList &fields, const BambaConfig &config) {
  const BambaConfig missing;
  fields.addSize("num_attention_heads", config.attentionHeads);
  // null, too, means as many as there are heads.
  std::vector<json::Value> kvHeads{config.kvHeads};
  if (config.kvHeads == config.attentionHeads)
    kvHeads.push_back(nullptr);
  fields.addAny({"num_key_value_heads"}, std::move(kvHeads), /*optional=*/false);
  fields.addAny({"head_dim"}, {config.headDim}, config.headDim == config.hiddenSize / config.attentionHeads);
  fields.add("attention_bias", config.attentionBias, missing.attentionBias);
  addRope(fields, config);
}

static void addLayers(FieldList &fields, const BambaConfig &config) {
  json::Array indices, types, older;
  for (int64_t layer = 0; layer < config.numLayers; ++layer) {
    if (config.isAttention[layer])
      indices.push_back(layer);
    types.push_back(config.isAttention[layer] ? "full_attention" : "linear_attention");
    older.push_back(config.isAttention[layer] ? "attention" : "mamba");
  }
  // Any of the three may say it; the tensors tell a checkpoint of other layers, too.
  fields.addAny({"attn_layer_indices"}, {std::move(indices)}, /*optional=*/true);
  fields.addAny({"layer_types", "layers_block_type"}, {std::move(types), std::move(older)}, /*optional=*/true);
}

/// What the tensors of a checkpoint do not tell. Where they do, any format that has them is welcome; a library that
/// quantizes while it loads takes numbers, too.
static void addQuantization(FieldList &fields, const BambaConfig &config) {
  if (!config.quantization)
    return fields.addAny({"quantization_config.quant_method"}, {nullptr}, /*optional=*/true);
  std::optional<QuantizationScheme> scheme = config.quantization->findOnlyScheme();
  if (!scheme)
    return;
  const std::string group = "quantization_config.config_groups.group_0.";
  fields.addAny({group + "input_activations.dynamic"}, {!scheme->staticInputs}, /*optional=*/true);
  fields.addAny({"quantization_config.activation_scheme"}, {scheme->staticInputs ? "static" : "dynamic"},
                /*optional=*/true);
  if (scheme->weights == QuantizationScheme::Weights::Block)
    fields.addAny({"quantization_config.weight_block_size", group + "weights.block_structure"},
                  {json::Array{scheme->blockRows, scheme->blockColumns}}, /*optional=*/true);
}

CheckpointRules describeBambaCheckpoint(const BambaConfig &config) {
  const std::string embedding = "model.embed_tokens.weight", head = "lm_head.weight";
  CheckpointRules rules;
  rules.ignored = {".rotary_emb.inv_freq"};
  if (!config.cacheScales) // keys and values are kept as numbers
    rules.ignored.insert(rules.ignored.end(), {".k_scale", ".v_scale"});
  rules.padded = {embedding};
  if (config.tieWordEmbeddings)
    rules.copies.emplace_back(head, embedding);
  else
    rules.padded.push_back(head);
  FieldList fields(rules.fields);
  fields.addAny({"model_type"}, {"bamba"}, /*optional=*/false);
  fields.addAny({"hidden_act"}, {"silu", "swish"}, /*optional=*/true);
  addSizes(fields, config);
  if (config.hasMamba())
    addMamba(fields, config);
  if (config.hasAttention())
    addAttention(fields, config);
  addLayers(fields, config);
  addQuantization(fields, config);
  return rules;
}

} // namespace bambac
