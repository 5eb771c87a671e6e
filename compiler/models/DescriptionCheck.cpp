// Two walks: over the blocks, whose sizes say what shape each weight has, and over the rows of the checkpoint.
#include "compiler/models/DescriptionCheck.h"
#include "runtime/contract/quantization.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/MathExtras.h"
#include <map>

using namespace llvm;

namespace bambac {

namespace {

/// Keeps the first mistake.
class Mistake {
public:
  void enter(std::string newPlace) { place = std::move(newPlace); }
  void fail(const Twine &what, const Twine &expected, const Twine &found) {
    if (text.empty())
      text = (place + what + ": expected " + expected + ", found " + found).str();
  }
  Error take() { return text.empty() ? Error::success() : Error(createStringError(text)); }

private:
  std::string place, text;
};

std::string describe(ArrayRef<int64_t> shape) {
  std::string text = "[";
  for (auto [index, size] : enumerate(shape))
    text += (index ? ", " : "") + std::to_string(size);
  return text + "]";
}

/// The shapes that the sizes of a block ask for.
class BlockCheck {
public:
  BlockCheck(const ModelDescription &model, Mistake &mistake) : model(model), mistake(mistake) {}

  void checkModel() {
    expectShape(model.embedding, {model.vocabSize, model.hiddenSize});
    for (auto [number, layer] : enumerate(model.layers)) {
      mistake.enter("layer " + std::to_string(number) + ": ");
      checkLayer(layer);
    }
    mistake.enter("");
    expectShape(model.finalNorm, {model.hiddenSize});
    expectLinear(model.head, model.vocabSize, model.hiddenSize);
  }

private:
  void checkLayer(const Layer &layer) {
    auto hasTwo = [&](auto isOfKind) { return count_if(layer.blocks, isOfKind) > 1; };
    if (hasTwo([](const ResidualBlock &block) { return std::holds_alternative<Mamba2>(block.body); }) ||
        hasTwo([](const ResidualBlock &block) { return std::holds_alternative<Attention>(block.body); }))
      mistake.fail("mixers", "at most one of each kind", "two");
    for (const ResidualBlock &block : layer.blocks) {
      expectShape(block.norm, {model.hiddenSize});
      std::visit([&](const auto &body) { check(body); }, block.body);
    }
  }

  void check(const Mamba2 &mamba) {
    Mamba2Columns columns = mamba.columns();
    expectDivisor("groups of B and C", mamba.groups, "heads", mamba.heads);
    if (mamba.normGroups != 1)
      mistake.fail("gated norm", "one group of channels (several are not supported)", Twine(mamba.normGroups));
    expectLinear(mamba.inProj, columns.total(), model.hiddenSize);
    expectLinear(mamba.outProj, model.hiddenSize, columns.x.count);
    if (mamba.convTaps.shape.size() != 2 || mamba.convTaps.shape.front() < 2)
      mistake.fail("weight '" + mamba.convTaps.name + "'", "at least two taps", describe(mamba.convTaps.shape));
    else
      expectShape(mamba.convTaps, {mamba.convTaps.shape.front(), columns.convolved().count});
    if (mamba.convBias)
      expectShape(*mamba.convBias, {columns.convolved().count});
    for (const Weight *weight : {&mamba.aLog, &mamba.d, &mamba.dtBias})
      expectShape(*weight, {mamba.heads});
    expectShape(mamba.norm, {columns.gate.count});
  }

  void check(const Attention &attention) {
    expectDivisor("KV heads", attention.kvHeads, "heads", attention.heads);
    checkRotary(attention);
    int64_t width = attention.heads * attention.headDim, kvWidth = attention.kvHeads * attention.headDim;
    expectLinear(attention.query, width, model.hiddenSize);
    expectLinear(attention.key, kvWidth, model.hiddenSize);
    expectLinear(attention.value, kvWidth, model.hiddenSize);
    expectLinear(attention.output, model.hiddenSize, width);
    if (attention.cacheScales)
      expectShape(*attention.cacheScales, {contract::kNumCacheScales});
  }

  void checkRotary(const Attention &attention) {
    const Rotary &rotary = attention.rotary;
    if (rotary.width() > attention.headDim)
      mistake.fail("rotary embedding", "at most the " + Twine(attention.headDim / 2) + " pairs of a head",
                   Twine(rotary.width() / 2));
    if (!rotary.longFrequencies.empty() && rotary.longFrequencies.size() != rotary.frequencies.size())
      mistake.fail("rotary embedding", "as many frequencies for long contexts as for short ones",
                   Twine(rotary.longFrequencies.size()) + " and " + Twine(rotary.frequencies.size()));
  }

  void check(const SwigluMlp &mlp) {
    // The gate decides how wide the MLP is.
    int64_t width = mlp.gate.matrix.shape.empty() ? 0 : mlp.gate.outputs();
    expectLinear(mlp.gate, width, model.hiddenSize);
    expectLinear(mlp.up, width, model.hiddenSize);
    expectLinear(mlp.down, model.hiddenSize, width);
  }

  void expectDivisor(StringRef what, int64_t found, StringRef of, int64_t total) {
    if (found < 1 || total < 1 || total % found != 0)
      mistake.fail(what, "a divisor of the " + Twine(total) + " " + of, Twine(found));
  }

  void expectShape(const Weight &weight, ArrayRef<int64_t> shape) {
    if (ArrayRef(weight.shape) != shape)
      mistake.fail("weight '" + weight.name + "'", "shape " + describe(shape), describe(weight.shape));
  }

  void expectLinear(const Linear &linear, int64_t outputs, int64_t inputs) {
    expectShape(linear.matrix, {outputs, inputs});
    if (linear.bias)
      expectShape(*linear.bias, {outputs});
    if (linear.quantization)
      expectScales(linear, *linear.quantization);
  }

  void expectScales(const Linear &linear, const Quantization &quantization) {
    if (linear.matrix.precision != Precision::Codes || linear.matrix.scales != quantization.scales.name)
      mistake.fail("weight '" + linear.matrix.name + "'", "codes with the scales '" + quantization.scales.name + "'",
                   "'" + linear.matrix.scales + "'");
    int64_t group = quantization.group;
    if (group < 0)
      return mistake.fail("weight '" + quantization.scales.name + "'", "a group of at least 0 columns", Twine(group));
    int64_t groups = group == 0 ? 1 : static_cast<int64_t>(divideCeil(linear.inputs(), group));
    expectShape(quantization.scales, {groups, linear.outputs()});
    if (quantization.scales.sources.size() != linear.matrix.sources.size())
      mistake.fail("weight '" + quantization.scales.name + "'", "as many sources as the codes",
                   Twine(quantization.scales.sources.size()));
    if (quantization.inputScales && group != 0)
      mistake.fail("weight '" + quantization.inputScales->name + "'", "one group of columns", Twine(group));
  }

  const ModelDescription &model;
  Mistake &mistake;
};

/// Weights and the rows that they take from the checkpoint.
class SourceCheck {
public:
  explicit SourceCheck(Mistake &mistake) : mistake(mistake) {}

  void add(const Weight &weight) {
    mistake.enter("weight '" + weight.name + "': ");
    auto [known, isNew] = weights.try_emplace(weight.name, &weight);
    if (!isNew && !isSame(*known->second, weight))
      return mistake.fail("name", "one weight of that name", "two that differ");
    int64_t rows = 0, columns = -1;
    for (const TensorRows &source : weight.sources) {
      if (!addSource(source))
        return;
      if (columns >= 0 && columns != source.countColumns())
        return mistake.fail("tensor '" + source.tensor + "'", Twine(columns) + " columns like the one before it",
                            Twine(source.countColumns()));
      columns = source.countColumns();
      rows += source.countRows();
    }
    if (columns < 0)
      return mistake.fail("sources", "at least one tensor", "none");
    std::vector<int64_t> stacked = {rows, columns};
    if (weight.transposed)
      std::swap(stacked.front(), stacked.back());
    if (stacked.back() == 1 && weight.shape.size() == 1)
      stacked.pop_back();
    if (stacked != weight.shape)
      mistake.fail("sources", "rows of shape " + describe(weight.shape), describe(stacked));
  }

  /// Every row of a tensor is in some weight.
  void checkCoverage() {
    mistake.enter("");
    for (auto &[name, tensor] : tensors) {
      if (tensor.leavesRows)
        continue;
      llvm::sort(tensor.taken);
      int64_t end = 0;
      for (auto [first, last] : tensor.taken) {
        if (first > end)
          break;
        end = std::max(end, last);
      }
      if (end < tensor.rows)
        mistake.fail("tensor '" + name + "'", "each row in some weight", "row " + Twine(end) + " in none");
    }
  }

private:
  struct Tensor {
    std::vector<int64_t> shape;
    int64_t rows = 0;                               ///< with repetitions
    std::vector<std::pair<int64_t, int64_t>> taken; ///< first rows and ends
    bool leavesRows = false;
  };

  static bool isSame(const Weight &a, const Weight &b) {
    auto sameRows = [](const TensorRows &x, const TensorRows &y) {
      return x.tensor == y.tensor && x.shape == y.shape && x.firstRow == y.firstRow && x.countRows() == y.countRows() &&
             x.repeat == y.repeat;
    };
    return a.shape == b.shape && a.transposed == b.transposed && a.precision == b.precision && a.scales == b.scales &&
           std::ranges::equal(a.sources, b.sources, sameRows);
  }

  bool addSource(const TensorRows &source) {
    std::string what = "tensor '" + source.tensor + "'";
    if (source.shape.empty() || any_of(source.shape, [](int64_t size) { return size < 1; })) {
      mistake.fail(what, "a shape of positive sizes", describe(source.shape));
      return false;
    }
    Tensor &tensor =
        tensors.try_emplace(source.tensor, Tensor{source.shape, source.countAllRows(), {}, false}).first->second;
    int64_t all = source.countAllRows(), count = source.countRows();
    if (tensor.shape != source.shape) {
      mistake.fail(what, "shape " + describe(tensor.shape) + " as in another weight", describe(source.shape));
      return false;
    }
    if (source.firstRow < 0 || count < 1 || source.firstRow > all || count > all - source.firstRow) {
      mistake.fail(what, "rows of the " + Twine(all) + " that it has",
                   Twine(count) + " from row " + Twine(source.firstRow) + " on");
      return false;
    }
    tensor.taken.emplace_back(source.firstRow, source.firstRow + count);
    tensor.leavesRows |= source.leavesRows;
    return true;
  }

  Mistake &mistake;
  StringMap<const Weight *> weights;
  std::map<std::string, Tensor> tensors; // in alphabetical order, so that the same mistake is always the first
};

} // namespace

Error checkDescription(const ModelDescription &model) {
  Mistake mistake;
  BlockCheck(model, mistake).checkModel();
  SourceCheck sources(mistake);
  model.forEachWeight([&](const Weight &weight) { sources.add(weight); });
  sources.checkCoverage();
  return mistake.take();
}

} // namespace bambac
