// Computes the frequencies of each type of rotation in f64.
#include "compiler/models/RopeConfig.h"
#include "llvm/Support/MathExtras.h"
#include <algorithm>
#include <cmath>

using namespace llvm;

namespace bambac {

/// theta^(-2 j / width): the pairs turn ever slower.
static std::vector<double> plainFrequencies(const RopeConfig &rope) {
  std::vector<double> frequencies(rope.width / 2);
  for (auto [pair, frequency] : llvm::enumerate(frequencies))
    frequency = std::pow(rope.theta, -2.0 * static_cast<double>(pair) / static_cast<double>(rope.width));
  return frequencies;
}

/// Pairs with long waves turn slower by the factor, those with short ones as before; between them it fades in.
static double scaleLlama3(const RopeConfig &rope, double frequency) {
  double turns = static_cast<double>(rope.originalPositions) * frequency / (2 * numbers::pi);
  double low = rope.lowFrequencyFactor, high = rope.highFrequencyFactor;
  double share = std::clamp((turns - low) / (high - low), 0.0, 1.0);
  return (1 - share) * frequency / rope.factor + share * frequency;
}

/// The pair, a broken number, that turns `turns` times in the original context.
static double yarnPair(const RopeConfig &rope, double turns) {
  double wave = static_cast<double>(rope.originalPositions) / (turns * 2 * numbers::pi);
  return static_cast<double>(rope.width) * std::log(wave) / (2 * std::log(rope.theta));
}

/// The same idea, with a ramp over the numbers of the pairs.
static void scaleYarn(const RopeConfig &rope, std::vector<double> &frequencies) {
  double low = yarnPair(rope, rope.betaFast), high = yarnPair(rope, rope.betaSlow);
  if (rope.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, static_cast<double>(rope.width - 1));
  if (low == high)
    high += 0.001; // no division by zero
  for (auto [pair, frequency] : llvm::enumerate(frequencies)) {
    double ramp = std::clamp((static_cast<double>(pair) - low) / (high - low), 0.0, 1.0);
    frequency = frequency / rope.factor * ramp + frequency * (1 - ramp);
  }
}

/// `frequencies` divided by a factor for each.
static std::vector<double> dividedBy(std::vector<double> frequencies, ArrayRef<double> factors) {
  for (auto [frequency, factor] : llvm::zip_equal(frequencies, factors))
    frequency /= factor;
  return frequencies;
}

Rotary makeRotary(const RopeConfig &rope) {
  Rotary rotary;
  rotary.scale = rope.attentionFactor;
  rotary.frequencies = plainFrequencies(rope);
  switch (rope.type) {
  case RopeType::Default:
    break;
  case RopeType::Linear:
    for (double &frequency : rotary.frequencies)
      frequency /= rope.factor;
    break;
  case RopeType::Llama3:
    for (double &frequency : rotary.frequencies)
      frequency = scaleLlama3(rope, frequency);
    break;
  case RopeType::Yarn:
    scaleYarn(rope, rotary.frequencies);
    break;
  case RopeType::LongRope:
    rotary.longFrequencies = dividedBy(rotary.frequencies, rope.longFactors);
    rotary.frequencies = dividedBy(rotary.frequencies, rope.shortFactors);
    rotary.shortContext = rope.originalPositions;
    break;
  }
  return rotary;
}

} // namespace bambac
