// Lists the tensors of a checkpoint and the states of a sequence, module by module.
#include "compiler/build/Globals.h"
#include "mlir/Dialect/MLProgram/IR/MLProgram.h"
#include "mlir/IR/Builders.h"

using namespace mlir;

namespace bambac {

std::string inLayer(int64_t layer, StringRef name) { return ("layers." + Twine(layer) + "." + name).str(); }

namespace {
/// Declares globals, those of one layer after another.
class GlobalBuilder {
public:
  GlobalBuilder(ModuleOp module, const BambaConfig &config, const CompileLimits &limits, const ElementTypes &types)
      : builder(OpBuilder::atBlockEnd(module.getBody())), config(config), limits(limits), types(types) {}

  void declareModel();

private:
  void declareMamba();
  void declareAttention();
  void declareMlp();

  /// A weight [rows, columns] and, where asked, its bias [rows].
  void linear(StringRef name, int64_t rows, int64_t columns, bool bias);
  void matrix(StringRef name, StringRef source, int64_t rows, int64_t columns);
  /// A vector of f32, its source's name "model." + name + suffix.
  void vector(StringRef name, int64_t size, StringRef suffix = ".weight");
  void weight(const Twine &name, ArrayRef<int64_t> shape, Type element, const Twine &source,
              ArrayRef<int64_t> sourceShape, bool transpose = false);
  void state(StringRef name, StateKind kind, ArrayRef<int64_t> itemShape, Type element);

  OpBuilder builder;
  const BambaConfig &config;
  const CompileLimits &limits;
  const ElementTypes &types;
  /// Stands before names: "" or "layers.3.".
  std::string prefix;
};
} // namespace

void GlobalBuilder::weight(const Twine &name, ArrayRef<int64_t> shape, Type element, const Twine &source,
                           ArrayRef<int64_t> sourceShape, bool transpose) {
  auto type = RankedTensorType::get(shape, element);
  auto global = ml_program::GlobalOp::create(
      builder, builder.getUnknownLoc(), (prefix + name).str(), type, /*is_mutable=*/false,
      ml_program::ExternAttr::get(builder.getContext(), type), builder.getStringAttr("private"));
  auto sourceName = builder.getStringAttr(source);
  global->setAttr(attr::kSources, builder.getArrayAttr(SourceAttr::get(builder.getContext(), sourceName, sourceShape)));
  if (transpose)
    global->setAttr(attr::kTranspose, builder.getUnitAttr());
}

void GlobalBuilder::vector(StringRef name, int64_t size, StringRef suffix) {
  weight(name, {size}, types.wide, "model." + prefix + name + suffix, {size});
}

void GlobalBuilder::matrix(StringRef name, StringRef source, int64_t rows, int64_t columns) {
  weight(name, {rows, columns}, types.matrix, source + ".weight", {rows, columns});
}

void GlobalBuilder::linear(StringRef name, int64_t rows, int64_t columns, bool bias) {
  matrix(name, ("model." + prefix + name).str(), rows, columns);
  if (bias)
    vector((name + ".bias").str(), rows, "");
}

void GlobalBuilder::state(StringRef name, StateKind kind, ArrayRef<int64_t> itemShape, Type element) {
  SmallVector<int64_t> shape{ShapedType::kDynamic};
  llvm::append_range(shape, itemShape);
  auto type = RankedTensorType::get(shape, element);
  auto global = ml_program::GlobalOp::create(
      builder, builder.getUnknownLoc(), prefix + name.str(), type,
      /*is_mutable=*/true, ml_program::ExternAttr::get(builder.getContext(), type), builder.getStringAttr("private"));
  global->setAttr(attr::kState, StateAttr::get(builder.getContext(), kind));
}

void GlobalBuilder::declareMamba() {
  int64_t channels = config.convChannels(), taps = config.convTaps;
  linear("mamba.in_proj", config.inProjSize(), config.hiddenSize, config.projBias);
  // The checkpoint has a row a channel; kernels run along channels and want a row a tap.
  weight("mamba.conv1d", {taps, channels}, types.wide, "model." + prefix + "mamba.conv1d.weight", {channels, 1, taps},
         /*transpose=*/true);
  if (config.convBias)
    vector("mamba.conv1d.bias", channels, "");
  for (StringRef name : {"mamba.A_log", "mamba.D", "mamba.dt_bias"})
    vector(name, config.mambaHeads, "");
  vector("mamba.norm", config.innerSize());
  linear("mamba.out_proj", config.hiddenSize, config.innerSize(), config.projBias);
  state("conv_state", StateKind::Slot, {types.convRing ? taps : taps - 1, channels}, types.wide);
  state("ssm_state", StateKind::Slot, {config.mambaHeads, config.mambaHeadDim, config.stateSize}, types.ssmState);
}

void GlobalBuilder::declareAttention() {
  int64_t query = config.attentionHeads * config.headDim, key = config.kvHeads * config.headDim;
  linear("self_attn.q_proj", query, config.hiddenSize, config.attentionBias);
  linear("self_attn.k_proj", key, config.hiddenSize, config.attentionBias);
  linear("self_attn.v_proj", key, config.hiddenSize, config.attentionBias);
  linear("self_attn.o_proj", config.hiddenSize, query, config.attentionBias);
  state("k_cache", StateKind::Page, {config.kvHeads, limits.pageTokens, config.headDim}, types.cache);
  state("v_cache", StateKind::Page, {config.kvHeads, limits.pageTokens, config.headDim}, types.cache);
}

void GlobalBuilder::declareMlp() {
  linear("feed_forward.gate_proj", config.intermediateSize, config.hiddenSize, config.mlpBias);
  linear("feed_forward.up_proj", config.intermediateSize, config.hiddenSize, config.mlpBias);
  linear("feed_forward.down_proj", config.hiddenSize, config.intermediateSize, config.mlpBias);
}

void GlobalBuilder::declareModel() {
  constexpr StringLiteral embedding = "model.embed_tokens";
  matrix("embed_tokens", embedding, config.vocabSize, config.hiddenSize);
  for (int64_t layer = 0; layer < config.numLayers; ++layer) {
    prefix = inLayer(layer, "");
    vector("input_layernorm", config.hiddenSize);
    if (config.isAttention[layer])
      declareAttention();
    else
      declareMamba();
    vector("pre_ff_layernorm", config.hiddenSize);
    declareMlp();
  }
  prefix.clear();
  vector("final_layernorm", config.hiddenSize);
  // Tied or not, the head has a global of its own: the embedding is read by rows, the head as a linear.
  matrix("lm_head", config.tieWordEmbeddings ? embedding : StringLiteral("lm_head"), config.vocabSize,
         config.hiddenSize);
}

void declareGlobals(ModuleOp module, const BambaConfig &config, const CompileLimits &limits,
                    const ElementTypes &types) {
  GlobalBuilder(module, config, limits, types).declareModel();
}

} // namespace bambac
