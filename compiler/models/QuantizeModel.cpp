// Walks over the linears by what they read. Names of scales in the IR follow from those of the weights.
#include "compiler/models/QuantizeModel.h"
#include "runtime/contract/quantization.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/MathExtras.h"

using namespace llvm;

namespace bambac {

static constexpr StringLiteral kWeightSuffix = ".weight";

static std::string withoutSuffix(StringRef tensor) {
  tensor.consume_back(kWeightSuffix);
  return tensor.str();
}

static std::string moduleOf(const Weight &weight) { return withoutSuffix(weight.sources.front().tensor); }

static std::string moduleOf(const Linear &linear) { return moduleOf(linear.matrix); }

namespace {
/// Linears that read the same value.
struct SameInput {
  std::vector<Linear *> linears;
  StringRef name; ///< of several, for the weight that they share
};

std::vector<SameInput> groupByInput(Mamba2 &mamba) { return {{{&mamba.inProj}, ""}, {{&mamba.outProj}, ""}}; }
std::vector<SameInput> groupByInput(Attention &attention) {
  return {{{&attention.query, &attention.key, &attention.value}, "qkv"}, {{&attention.output}, ""}};
}
std::vector<SameInput> groupByInput(SwigluMlp &mlp) { return {{{&mlp.gate, &mlp.up}, "gate_up"}, {{&mlp.down}, ""}}; }

class Quantizer {
public:
  Quantizer(ModelDescription &model, const QuantizationRecipe &recipe) : model(model), recipe(recipe) {}

  void run() {
    for (Layer &layer : model.layers)
      for (ResidualBlock &block : layer.blocks)
        for (const SameInput &group : std::visit([](auto &body) { return groupByInput(body); }, block.body))
          quantize(group);
    if (std::optional<QuantizationScheme> scheme = recipe.find(model.head.matrix.name)) {
      quantize(model.head, *scheme, model.head.matrix.name);
      // An option asks for the codes, or the head is the embedding, which is read as numbers, too.
      model.head.quantization->scales.computed =
          recipe.overrides.contains(model.head.matrix.name) || moduleOf(model.head) == moduleOf(model.embedding);
      if (scheme->staticInputs)
        shareInputScale({&model.head}, {model.head.matrix.name}, model.head.matrix.name);
    }
  }

private:
  void quantize(const SameInput &group) {
    std::vector<Linear *> sharing;
    std::vector<std::string> modules;
    for (Linear *linear : group.linears) {
      std::string module = moduleOf(*linear);
      std::optional<QuantizationScheme> scheme = recipe.find(module);
      if (!scheme)
        continue;
      quantize(*linear, *scheme);
      if (scheme->staticInputs) {
        sharing.push_back(linear);
        modules.push_back(module);
      }
    }
    StringRef first = group.linears.front()->matrix.name;
    std::string name = group.name.empty() ? first.str() : (first.rsplit('.').first + "." + group.name).str();
    shareInputScale(sharing, modules, name);
  }

  /// `module` is that of the only source where its tensor does not say it.
  void quantize(Linear &linear, const QuantizationScheme &scheme, StringRef module = "") {
    Weight &matrix = linear.matrix;
    Quantization quantization;
    quantization.group = scheme.weights == QuantizationScheme::Weights::Block ? scheme.blockColumns : 0;
    Weight &scales = quantization.scales;
    int64_t groups =
        quantization.group == 0 ? 1 : static_cast<int64_t>(divideCeil(linear.inputs(), quantization.group));
    scales.name = matrix.name + "_scale";
    scales.shape = {groups, linear.outputs()};
    scales.transposed = scales.positive = true;
    for (const TensorRows &source : matrix.sources) {
      std::string tensor = module.empty() ? withoutSuffix(source.tensor) : module.str();
      scales.sources.push_back(scalesOf(source, tensor + recipe.weightScale, scheme, groups));
      // A vocabulary may end later in the checkpoint.
      if (is_contained(model.checkpoint.padded, source.tensor) && scheme.weights != QuantizationScheme::Weights::Tensor)
        model.checkpoint.padded.push_back(scales.sources.back().tensor);
    }
    matrix.precision = Precision::Codes;
    matrix.scales = scales.name;
    linear.quantization = std::move(quantization);
  }

  /// The scales of the rows that `source` takes.
  static TensorRows scalesOf(const TensorRows &source, std::string tensor, const QuantizationScheme &scheme,
                             int64_t groups) {
    int64_t rows = source.countAllRows();
    TensorRows scales;
    scales.tensor = std::move(tensor);
    scales.firstRow = source.firstRow;
    scales.numRows = source.countRows();
    scales.leavesRows = source.leavesRows;
    switch (scheme.weights) {
    case QuantizationScheme::Weights::Tensor:
      scales.shape = {1};
      scales.repeat = rows;
      break;
    case QuantizationScheme::Weights::Channel:
      scales.shape = {rows, 1};
      break;
    case QuantizationScheme::Weights::Block:
      scales.shape = {static_cast<int64_t>(divideCeil(rows, scheme.blockRows)), groups};
      scales.repeat = scheme.blockRows;
      scales.leavesRows = true; // the last block may be longer than what is left of the matrix
      break;
    }
    return scales;
  }

  void shareInputScale(ArrayRef<Linear *> linears, ArrayRef<std::string> modules, const std::string &name) {
    if (linears.empty())
      return;
    Weight scale;
    scale.name = name + "_input_scale";
    scale.shape = {static_cast<int64_t>(modules.size())};
    scale.positive = true;
    for (const std::string &module : modules)
      scale.sources.push_back({module + recipe.inputScale, {1}});
    for (Linear *linear : linears)
      linear->quantization->inputScales = scale;
  }

  ModelDescription &model;
  const QuantizationRecipe &recipe;
};
} // namespace

LinearNames listLinears(const ModelDescription &model) {
  LinearNames names;
  for (const Layer &layer : model.layers)
    for (ResidualBlock block : layer.blocks) // a copy, since groups are of linears that can be changed
      for (const SameInput &group : std::visit([](auto &body) { return groupByInput(body); }, block.body))
        for (const Linear *linear : group.linears)
          names.blocks.push_back(moduleOf(*linear));
  names.head = model.head.matrix.name;
  return names;
}

std::vector<std::string> listModules(const ModelDescription &model) {
  std::vector<std::string> modules{model.head.matrix.name};
  StringSet<> known{model.head.matrix.name};
  model.forEachWeight([&](const Weight &weight) {
    for (const TensorRows &source : weight.sources)
      if (StringRef module = StringRef(source.tensor).rsplit('.').first; known.insert(module).second)
        modules.push_back(module.str());
  });
  return modules;
}

static Weight makeCacheScales(const Attention &attention, const CacheScaleNames &names) {
  Weight scales;
  std::string module = StringRef(moduleOf(attention.key)).rsplit('.').first.str();
  scales.name = (StringRef(attention.key.matrix.name).rsplit('.').first + ".cache_scales").str();
  scales.shape = {contract::kNumCacheScales};
  scales.positive = scales.optional = true;
  scales.sources.resize(contract::kNumCacheScales);
  scales.sources[contract::kScaleOfKeys] = {module + "." + names.key, {1}};
  scales.sources[contract::kScaleOfValues] = {module + "." + names.value, {1}};
  return scales;
}

void quantizeCache(ModelDescription &model, const CacheScaleNames &names) {
  for (Layer &layer : model.layers)
    for (ResidualBlock &block : layer.blocks)
      if (auto *attention = std::get_if<Attention>(&block.body))
        attention->cacheScales = makeCacheScales(*attention, names);
}

void quantizeModel(ModelDescription &model, const QuantizationRecipe &recipe) { Quantizer(model, recipe).run(); }

} // namespace bambac
