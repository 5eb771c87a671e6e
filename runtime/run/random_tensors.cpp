// By the rules of runtime/checkpoint/initializer.h, as the loader of random weights.
#include "runtime/run/random_tensors.h"
#include "runtime/checkpoint/initializer.h"
#include "runtime/contract/metadata_keys.h"
#include "runtime/run/failure.h"
#include "runtime/run/format.h"
#include "runtime/support/element.h"

#include <algorithm>
#include <map>

namespace bambac::run {

static constexpr const char *kNumbers = "BF16", *kCodes = "F8_E4M3";

/// Elements of a row, the fan-in of a matrix.
static uint64_t columnsOf(const std::vector<uint64_t> &shape) {
  uint64_t columns = 1;
  for (size_t i = 1; i < shape.size(); ++i)
    columns *= shape[i];
  return columns;
}

/// The scales of all codes, by the names of the codes' and of the scales' tensors.
static std::map<std::string, float> findScales(const Metadata &metadata) {
  std::map<std::string, float> scales;
  for (const WeightInfo &codes : metadata.weights)
    for (const WeightInfo &other : metadata.weights)
      if (!codes.scales.empty() && other.name == codes.scales)
        for (size_t i = 0; i < codes.sources.size(); ++i)
          scales[codes.sources[i].name] = scales[other.sources.at(i).name] =
              rt::scaleOfRandomCodes(columnsOf(codes.sources[i].shape));
  return scales;
}

std::vector<RandomTensor> collectTensors(const Metadata &metadata) {
  std::vector<RandomTensor> tensors;
  std::map<std::string, std::vector<uint64_t>> shapes;
  std::map<std::string, float> scales = findScales(metadata);
  bool isQuantized = metadata.json.at(contract::key::kConfig).contains("quantization_config");
  for (const WeightInfo &weight : metadata.weights)
    for (const SourceTensor &source : weight.sources) {
      bool hasCodes = !weight.scales.empty(), isScaled = scales.contains(source.name);
      if (isScaled && !hasCodes && !isQuantized)
        continue; // scales that the loader computes
      auto [known, isNew] = shapes.emplace(source.name, source.shape);
      if (isNew)
        tensors.push_back({{source.name, hasCodes && isQuantized ? kCodes : kNumbers, source.shape},
                           isScaled && isQuantized ? scales[source.name] : 0.0f});
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
