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

/// All fields but time_step_limit.
static json::Object toJson(const BambaConfig &config) {
  json::Array attentionLayers;
  for (int64_t layer = 0; layer < config.numLayers; ++layer)
    if (config.isAttention[layer])
      attentionLayers.push_back(layer);
  json::Object object{
      {"architectures", json::Array{"BambaForCausalLM"}},
      {"attention_bias", config.attentionBias},
      {"attn_layer_indices", std::move(attentionLayers)},
      {"attn_rotary_emb", config.rotaryDim},
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
      {"rope_parameters", json::Object{{"rope_type", "default"}, {"rope_theta", config.ropeTheta}}},
      {"tie_word_embeddings", config.tieWordEmbeddings},
      {"vocab_size", config.vocabSize},
  };
  // Without layers that use them, these may have no value that a file could hold.
  if (config.hasAttention())
    object["head_dim"] = config.headDim;
  if (config.hasMamba())
    object["mamba_d_head"] = config.mambaHeadDim;
  for (const auto &[name, value] : config.notes)
    object.try_emplace(name, value);
  return object;
}

std::string toJsonText(const BambaConfig &config) {
  json::Object object = toJson(config);
  object["time_step_limit"] = nullptr; // has its place in the order
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
      json.array([&] { writeFloat(json, config.dtMin), writeFloat(json, config.dtMax); });
    else
      json.value(*object.get(name));
    json.attributeEnd();
  }
  json.objectEnd();
  return text;
}

} // namespace bambac
