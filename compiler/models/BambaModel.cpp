// Every layer is a mixer, Mamba2 or attention, and then a SwiGLU MLP.
#include "compiler/models/BambaModel.h"
#include "compiler/models/BambaConfig.h"
#include "compiler/models/QuantizationConfig.h"
#include "compiler/models/QuantizeModel.h"
#include "llvm/ADT/Twine.h"
#include <cmath>

using namespace llvm;

namespace bambac {

namespace {
/// Makes the weights of one part of the model. The IR names them as the checkpoint does, without the prefix "model."
/// that most tensors have and without the suffix ".weight".
class WeightNames {
public:
  /// `prefix` is "" or a layer's, such as "layers.3.".
  explicit WeightNames(std::string prefix) : prefix(std::move(prefix)) {}

  Weight vector(StringRef name, int64_t size, StringRef suffix = ".weight") const {
    return whole(name, {size}, {tensor(name) + suffix.str(), {size}});
  }

  Linear linear(StringRef name, int64_t outputs, int64_t inputs, bool bias = false) const {
    return {matrix(name, outputs, inputs, tensor(name)),
            bias ? std::optional(vector((name + ".bias").str(), outputs, "")) : std::nullopt, std::nullopt};
  }

  Weight matrix(StringRef name, int64_t rows, int64_t columns, std::string from) const {
    Weight weight = whole(name, {rows, columns}, {std::move(from) + ".weight", {rows, columns}});
    weight.precision = Precision::Chosen;
    return weight;
  }

  /// The checkpoint has a row a channel; kernels run along channels and want a row a tap.
  Weight taps(StringRef name, int64_t taps, int64_t channels) const {
    Weight weight = whole(name, {taps, channels}, {tensor(name) + ".weight", {channels, 1, taps}});
    weight.transposed = true;
    return weight;
  }

private:
  std::string tensor(StringRef name) const { return ("model." + prefix + name).str(); }

  Weight whole(StringRef name, std::vector<int64_t> shape, TensorRows source) const {
    Weight weight;
    weight.name = prefix + name.str();
    weight.shape = std::move(shape);
    weight.sources.push_back(std::move(source));
    return weight;
  }

  std::string prefix;
};
} // namespace

static Mamba2 describeMamba(const BambaConfig &config, const WeightNames &names) {
  Mamba2 mamba;
  mamba.heads = config.mambaHeads;
  mamba.headDim = config.mambaHeadDim;
  mamba.groups = config.mambaGroups;
  mamba.stateSize = config.stateSize;
  mamba.chunkSize = config.chunkSize;
  mamba.dtMin = config.dtMin;
  mamba.dtMax = config.dtMax;
  Mamba2Columns columns = mamba.columns();
  int64_t channels = columns.convolved().count;
  mamba.inProj = names.linear("mamba.in_proj", columns.total(), config.hiddenSize, config.projBias);
  mamba.convTaps = names.taps("mamba.conv1d", config.convTaps, channels);
  if (config.convBias)
    mamba.convBias = names.vector("mamba.conv1d.bias", channels, "");
  mamba.aLog = names.vector("mamba.A_log", config.mambaHeads, "");
  mamba.d = names.vector("mamba.D", config.mambaHeads, "");
  mamba.dtBias = names.vector("mamba.dt_bias", config.mambaHeads, "");
  mamba.norm = names.vector("mamba.norm", columns.gate.count);
  mamba.outProj = names.linear("mamba.out_proj", config.hiddenSize, columns.x.count, config.projBias);
  return mamba;
}

static Attention describeAttention(const BambaConfig &config, const WeightNames &names) {
  Attention attention;
  attention.heads = config.attentionHeads;
  attention.kvHeads = config.kvHeads;
  attention.headDim = config.headDim;
  attention.rotary = makeRotary(config.rope);
  attention.scale = 1.0 / std::sqrt(static_cast<double>(config.headDim));
  int64_t width = config.attentionHeads * config.headDim, kvWidth = config.kvHeads * config.headDim;
  attention.query = names.linear("self_attn.q_proj", width, config.hiddenSize, config.attentionBias);
  attention.key = names.linear("self_attn.k_proj", kvWidth, config.hiddenSize, config.attentionBias);
  attention.value = names.linear("self_attn.v_proj", kvWidth, config.hiddenSize, config.attentionBias);
  attention.output = names.linear("self_attn.o_proj", config.hiddenSize, width, config.attentionBias);
  return attention;
}

static SwigluMlp describeMlp(const BambaConfig &config, const WeightNames &names) {
  int64_t width = config.intermediateSize, hidden = config.hiddenSize;
  return {names.linear("feed_forward.gate_proj", width, hidden, config.mlpBias),
          names.linear("feed_forward.up_proj", width, hidden, config.mlpBias),
          names.linear("feed_forward.down_proj", hidden, width, config.mlpBias)};
}

static Layer describeLayer(const BambaConfig &config, int64_t number) {
  WeightNames names("layers." + std::to_string(number) + ".");
  ResidualBlock mixer{names.vector("input_layernorm", config.hiddenSize), describeMlp(config, names)};
  if (config.isAttention[number])
    mixer.body = describeAttention(config, names);
  else
    mixer.body = describeMamba(config, names);
  return {{std::move(mixer), {names.vector("pre_ff_layernorm", config.hiddenSize), describeMlp(config, names)}}};
}

ModelDescription describeBamba(const BambaConfig &config) {
  WeightNames names("");
  ModelDescription model;
  model.vocabSize = config.vocabSize;
  model.hiddenSize = config.hiddenSize;
  model.maxPositions = config.maxPositions;
  model.normEps = config.rmsNormEps;
  std::string embedding = "model.embed_tokens";
  model.embedding = names.matrix("embed_tokens", config.vocabSize, config.hiddenSize, embedding);
  for (int64_t layer = 0; layer < config.numLayers; ++layer)
    model.layers.push_back(describeLayer(config, layer));
  model.finalNorm = names.vector("final_layernorm", config.hiddenSize);
  // Tied or not, the head has a weight of its own: the embedding is read by rows, the head as a linear.
  model.head.matrix =
      names.matrix("lm_head", config.vocabSize, config.hiddenSize, config.tieWordEmbeddings ? embedding : "lm_head");
  model.bosToken = config.bosToken;
  model.eosTokens = config.eosTokens;
  model.config = toJsonText(config);
  model.checkpoint = describeBambaCheckpoint(config);
  if (config.quantization)
    quantizeModel(model, *config.quantization);
  if (config.cacheScales)
    quantizeCache(model, *config.cacheScales);
  return model;
}

Expected<ModelDescription> readBamba(const ModelSource &source, WarningHandler warn) {
  Expected<BambaConfig> config = parseBambaConfig(source.object, source.path, warn);
  if (!config)
    return config.takeError();
  std::optional<QuantizationRecipe> recipe = std::exchange(config->quantization, std::nullopt);
  if (!recipe)
    recipe = source.quantization;
  ModelDescription plain = describeBamba(*config);
  if (recipe)
    for (StringRef pattern : recipe->findUnmatched(listModules(plain)))
      warn((source.path + ": quantization_config: '" + quantization::showText(pattern) +
            "' names no module of the model")
               .str());
  Expected<std::optional<QuantizationRecipe>> chosen = applyOptions(recipe, source.options, listLinears(plain));
  if (!chosen)
    return chosen.takeError();
  // The checkpoint has no codes and no scales of a head that is the embedding: they are made while it is loaded.
  auto scheme = *chosen ? (*chosen)->find(plain.head.matrix.name) : std::nullopt;
  if (config->tieWordEmbeddings && scheme && *scheme != QuantizationScheme())
    return createStringError(source.path + ": field 'quantization_config': expected '" + plain.head.matrix.name +
                             "' among the ignored modules, as tie_word_embeddings makes it the embedding, found none");
  if (source.options.fp8Cache || (*chosen && (*chosen)->cachesCodes))
    config->cacheScales = *chosen ? (*chosen)->cacheScales : CacheScaleNames();
  config->quantization = std::move(*chosen);
  return describeBamba(*config);
}

} // namespace bambac
