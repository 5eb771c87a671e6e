// By the rules of runtime/checkpoint/initializer.h, as the loader of random weights.
#include "runtime/run/random_tensors.h"
#include "runtime/checkpoint/initializer.h"
#include "runtime/run/failure.h"
#include "runtime/run/format.h"
#include "runtime/support/element.h"

#include <algorithm>
#include <map>
#include <set>

namespace bambac::run {

static constexpr const char *kNumbers = "BF16", *kCodes = "F8_E4M3";

/// Elements of a row, the fan-in of a matrix.
static uint64_t columnsOf(const std::vector<uint64_t> &shape) {
  uint64_t columns = 1;
  for (size_t i = 1; i < shape.size(); ++i)
    columns *= shape[i];
  return columns;
}

namespace {
/// By names of tensors: the scales of codes, for the codes' and for the scales' tensors; and the scales that the loader
/// computes, which no checkpoint has.
struct Scales {
  std::map<std::string, float> written;
  std::set<std::string> computed;
};
} // namespace

static Scales findScales(const Metadata &metadata) {
  std::set<std::string> numbers; // a head of codes may be the embedding
  std::map<std::string, const WeightInfo *> weights;
  for (const WeightInfo &weight : metadata.weights) {
    weights[weight.name] = &weight;
    for (const SourceTensor &source : weight.sources)
      if (weight.scales.empty())
        numbers.insert(source.name);
  }
  Scales scales;
  for (const WeightInfo &codes : metadata.weights)
    for (size_t i = 0; !codes.scales.empty() && i < codes.sources.size(); ++i) {
      const SourceTensor &source = codes.sources[i];
      const WeightInfo &info = *weights.at(codes.scales);
      const std::string &ofSource = info.sources.at(i).name;
      // A library that an older compiler wrote does not say of a head that it is the embedding.
      if (info.isComputed || numbers.contains(source.name))
        scales.computed.insert(ofSource);
      else
        scales.written[source.name] = scales.written[ofSource] = rt::scaleOfRandomCodes(columnsOf(source.shape));
    }
  return scales;
}

std::vector<RandomTensor> collectTensors(const Metadata &metadata) {
  std::vector<RandomTensor> tensors;
  std::map<std::string, std::vector<uint64_t>> shapes;
  Scales scales = findScales(metadata);
  for (const WeightInfo &weight : metadata.weights)
    for (const SourceTensor &source : weight.sources) {
      if (scales.computed.contains(source.name))
        continue;
      auto scale = scales.written.find(source.name);
      bool isScaled = scale != scales.written.end(), isCodes = isScaled && !weight.scales.empty();
      auto [known, isNew] = shapes.emplace(source.name, source.shape);
      if (isNew)
        tensors.push_back({{source.name, isCodes ? kCodes : kNumbers, source.shape}, isScaled ? scale->second : 0.0f});
      else if (known->second != source.shape)
        fail("tensor '{}' has two shapes in the weight manifest: {} and {}", source.name, formatShape(known->second),
             formatShape(source.shape));
    }
  return tensors;
}

template <typename To> static std::vector<std::byte> round(const std::vector<float> &numbers, float scale) {
  std::vector<To> rounded(numbers.size());
  std::ranges::transform(numbers, rounded.begin(), [&](float number) { return rt::fromF32<To>(number / scale); });
  auto bytes = std::as_bytes(std::span(rounded));
  return {bytes.begin(), bytes.end()};
}

std::vector<std::byte> RandomTensor::generate(uint64_t seed, uint64_t first, uint64_t count) const {
  std::vector<float> numbers(count, scale);
  bool hasCodes = dtype == kCodes;
  if (hasCodes || scale == 0)
    rt::Initializer(seed, name, columnsOf(shape)).generate(first, count, numbers.data());
  return hasCodes ? round<rt::E4m3>(numbers, scale) : round<rt::Bf16>(numbers, 1.0f);
}

} // namespace bambac::run
