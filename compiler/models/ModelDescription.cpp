// Walks over a description: all of its weights, and sizes that follow from them.
#include "compiler/models/ModelDescription.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/MathExtras.h"

using namespace llvm;

namespace bambac {

int64_t TensorRows::countColumns() const { return product_of(drop_begin(shape), int64_t{1}); }

static void visitOptional(const std::optional<Weight> &weight, WeightVisitor visit) {
  if (weight)
    visit(*weight);
}

static void visitLinear(const Linear &linear, WeightVisitor visit) {
  visit(linear.matrix);
  visitOptional(linear.bias, visit);
  if (linear.quantization) {
    visit(linear.quantization->scales);
    visitOptional(linear.quantization->inputScales, visit);
  }
}

void Mamba2::forEachWeight(WeightVisitor visit) const {
  visitLinear(inProj, visit);
  visit(convTaps);
  visitOptional(convBias, visit);
  for (const Weight *weight : {&aLog, &d, &dtBias, &norm})
    visit(*weight);
  visitLinear(outProj, visit);
}

void Attention::forEachWeight(WeightVisitor visit) const {
  for (const Linear *linear : {&query, &key, &value})
    visitLinear(*linear, visit);
  visitOptional(cacheScales, visit);
  visitLinear(output, visit);
}

void SwigluMlp::forEachWeight(WeightVisitor visit) const {
  for (const Linear *linear : {&gate, &up, &down})
    visitLinear(*linear, visit);
}

void ModelDescription::forEachWeight(WeightVisitor visit) const {
  visit(embedding);
  for (const Layer &layer : layers)
    for (const ResidualBlock &block : layer.blocks) {
      visit(block.norm);
      std::visit([&](const auto &body) { body.forEachWeight(visit); }, block.body);
    }
  visit(finalNorm);
  visitLinear(head, visit);
}

uint64_t ModelDescription::countParameters() const {
  StringSet<> counted;
  uint64_t total = 0;
  forEachWeight([&](const Weight &weight) {
    for (const TensorRows &source : weight.sources) {
      if (!counted.insert(source.tensor).second)
        continue;
      uint64_t elements = 1;
      for (int64_t size : source.shape)
        elements = SaturatingMultiply(elements, static_cast<uint64_t>(size));
      total = SaturatingAdd(total, elements);
    }
  });
  return total;
}

int64_t ModelDescription::widestRow() const {
  int64_t widest = std::max(vocabSize, hiddenSize);
  for (const Layer &layer : layers)
    for (const ResidualBlock &block : layer.blocks)
      widest = std::max(widest, std::visit([](const auto &body) { return body.widestRow(); }, block.body));
  return widest;
}

bool ModelDescription::hasCodesOfRows() const {
  StringSet<> scales;
  bool found = false;
  forEachWeight([&](const Weight &weight) { // a linear's scales come after its matrix
    if (weight.precision == Precision::Codes)
      scales.insert(weight.scales);
    else if (scales.contains(weight.name))
      found |= weight.shape.front() == 1;
  });
  return found;
}

const Rotary *ModelDescription::findLongRotary(int64_t maxContext) const {
  for (const Layer &layer : layers)
    for (const ResidualBlock &block : layer.blocks)
      if (const auto *attention = std::get_if<Attention>(&block.body);
          attention && attention->rotary.isLong(maxContext))
        return &attention->rotary;
  return nullptr;
}

} // namespace bambac
