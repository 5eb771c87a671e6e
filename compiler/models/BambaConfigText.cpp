// Writes the normalised configuration, a config.json in the later style with every field given.
#include "compiler/models/BambaConfig.h"
#include "llvm/Support/FormatVariadic.h"
#include <cmath>

using namespace llvm;

namespace bambac {

/// A number that transformers takes for a float: 0.0, where JSON's writer says 0; infinity as Hugging Face writes it in
/// strict JSON.
static void writeFloat(json::OStream &json, double value) {
  if (std::isinf(value))
    return json.value(json::Object{{"__float__", "Infinity"}});
  std::string text = formatv("{0}", json::Value(value));
  json.rawValue(StringRef(text).find_first_of(".e") == StringRef::npos ? text + ".0" : text);
}

static void writeFloats(json::OStream &json, ArrayRef<double> values) {
  json.array([&] {
    for (double value : values)
      writeFloat(json, value);
  });
}

/// The fields that the type of rotation uses.
static void writeRope(json::OStream &json, const RopeConfig &rope) {
  auto number = [&](StringRef name, double value) {
    json.attributeBegin(name), writeFloat(json, value), json.attributeEnd();
  };
  auto numbers = [&](StringRef name, ArrayRef<double> values) {
    json.attributeBegin(name), writeFloats(json, values), json.attributeEnd();
  };
  bool isYarn = rope.type == RopeType::Yarn, isLong = rope.type == RopeType::LongRope,
       isLlama = rope.type == RopeType::Llama3;
  json.object([&] {
    if (isYarn || isLong)
      number("attention_factor", rope.attentionFactor);
    if (isYarn) {
      number("beta_fast", rope.betaFast);
      number("beta_slow", rope.betaSlow);
    }
    if (rope.type != RopeType::Default)
      number("factor", rope.factor);
    if (isLlama)
      number("high_freq_factor", rope.highFrequencyFactor);
    if (isLong)
      numbers("long_factor", rope.longFactors);
    if (isLlama)
      number("low_freq_factor", rope.lowFrequencyFactor);
    if (isYarn || isLong || isLlama)
      json.attribute("original_max_position_embeddings", rope.originalPositions);
    number("rope_theta", rope.theta);
    json.attribute("rope_type", nameOf(rope.type));
    if (isLong)
      numbers("short_factor", rope.shortFactors);
    if (isYarn)
      json.attribute("truncate", rope.truncate);
  });
}

/// All fields but those with floats that are not the standard's.
static json::Object toJson(const BambaConfig &config) {
  json::Array attentionLayers;
  for (int64_t layer = 0; layer < config.numLayers; ++layer)
    if (config.isAttention[layer])
      attentionLayers.push_back(layer);
  json::Object object{
      {"architectures", json::Array{"BambaForCausalLM"}},
      {"attention_bias", config.attentionBias},
      {"attn_layer_indices", std::move(attentionLayers)},
      {"attn_rotary_emb", config.rope.width},
      {"hidden_act", "silu"},
      {"hidden_size", config.hiddenSize},
      {"intermediate_size", config.intermediateSize},
      {"mamba_chunk_size", config.chunkSize},
      {"mamba_conv_bias", config.convBias},
      {"mamba_d_conv", config.convTaps},
      {"mamba_d_state", config.stateSize},
      {"mamba_expand", config.expand},
      {"mamba_n_groups", config.mambaGroups},
      {"mamba_n_heads", config.mambaHeads},
      {"mamba_proj_bias", config.projBias},
      {"max_position_embeddings", config.maxPositions},
      {"mlp_bias", config.mlpBias},
      {"model_type", "bamba"},
      {"num_attention_heads", config.attentionHeads},
      {"num_hidden_layers", config.numLayers},
      {"num_key_value_heads", config.kvHeads},
      {"rms_norm_eps", config.rmsNormEps},
      {"tie_word_embeddings", config.tieWordEmbeddings},
      {"vocab_size", config.vocabSize},
  };
  // Without layers that use them, these may have no value that a file could hold.
  if (config.hasAttention())
    object["head_dim"] = config.headDim;
  if (config.hasMamba())
    object["mamba_d_head"] = config.mambaHeadDim;
  if (config.quantization)
    object["quantization_config"] = config.quantization->config;
  for (const auto &[name, value] : config.notes)
    object.try_emplace(name, value);
  return object;
}

std::string toJsonText(const BambaConfig &config) {
  json::Object object = toJson(config);
  object["time_step_limit"] = object["rope_parameters"] = nullptr; // have their places in the order
  SmallVector<StringRef> names;
  for (const auto &[name, value] : object)
    names.push_back(name);
  llvm::sort(names);
  std::string text;
  raw_string_ostream stream(text);
  json::OStream json(stream);
  json.objectBegin();
  for (StringRef name : names) {
    json.attributeBegin(name);
    if (name == "time_step_limit")
      writeFloats(json, {config.dtMin, config.dtMax});
    else if (name == "rope_parameters")
      writeRope(json, config.rope);
    else
      json.value(*object.get(name));
    json.attributeEnd();
  }
  json.objectEnd();
  return text;
}

} // namespace bambac
