#include "runtime/run/logits_distance.h"

#include <algorithm>
#include <cmath>

namespace bambac::run {

double LogitsDistance::relativeError() const {
  return squaredNorm > 0 ? std::sqrt(squaredError / squaredNorm) : std::sqrt(squaredError);
}

LogitsDistance &LogitsDistance::operator+=(const LogitsDistance &other) {
  squaredError += other.squaredError;
  squaredNorm += other.squaredNorm;
  divergence += other.divergence;
  agreeing += other.agreeing;
  tokens += other.tokens;
  return *this;
}

/// log(sum exp(logits))
static double logOfSum(std::span<const float> logits, double largest) {
  double sum = 0;
  for (float logit : logits)
    sum += std::exp(logit - largest);
  return largest + std::log(sum);
}

LogitsDistance measureDistance(std::span<const float> reference, std::span<const float> found) {
  auto best = std::ranges::max_element(reference), bestFound = std::ranges::max_element(found);
  double logOfReference = logOfSum(reference, *best), logOfFound = logOfSum(found, *bestFound);
  LogitsDistance distance;
  distance.tokens = 1;
  distance.agreeing = best - reference.begin() == bestFound - found.begin();
  for (size_t v = 0; v < reference.size(); ++v) {
    double p = reference[v] - logOfReference, q = found[v] - logOfFound, difference = found[v] - reference[v];
    distance.squaredError += difference * difference;
    distance.squaredNorm += static_cast<double>(reference[v]) * reference[v];
    distance.divergence += std::exp(p) * (p - q);
  }
  return distance;
}

} // namespace bambac::run
