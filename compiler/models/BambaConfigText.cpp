// Writes the normalised configuration, a config.json in the later style with every field given.
#include "compiler/models/BambaConfig.h"
#include "llvm/Support/FormatVariadic.h"
#include <cmath>

using namespace llvm;

namespace bambac {

/// Infinity as Hugging Face writes it in strict JSON.
static json::Value number(double value) {
  if (std::isinf(value))
    return json::Object{{"__float__", "Infinity"}};
  return value;
}

static json::Value toJson(const BambaConfig &config) {
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
      {"time_step_limit", json::Array{number(config.dtMin), number(config.dtMax)}},
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

std::string toJsonText(const BambaConfig &config) { return formatv("{0}", toJson(config)); }

} // namespace bambac
