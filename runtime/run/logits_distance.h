// How far the logits of one model are from those of another.
#ifndef BAMBAC_RUNTIME_RUN_LOGITS_DISTANCE_H
#define BAMBAC_RUNTIME_RUN_LOGITS_DISTANCE_H

#include <cstdint>
#include <span>

namespace bambac::run {

/// Of one token, or of several added up.
struct LogitsDistance {
  double squaredError = 0, squaredNorm = 0; ///< of the differences, and of what they are from
  double divergence = 0;                    ///< Kullback and Leibler's, in nats, a sum over tokens
  uint64_t agreeing = 0, tokens = 0;        ///< tokens with the same best next one

  /// The length of the difference over that of the reference.
  double relativeError() const;
  LogitsDistance &operator+=(const LogitsDistance &other);
};

/// Of a row of logits from that of the reference: of the distributions P (the reference's) and Q that they stand for,
/// the divergence is sum_v P(v) (log P(v) - log Q(v)).
LogitsDistance measureDistance(std::span<const float> reference, std::span<const float> found);

} // namespace bambac::run

#endif // BAMBAC_RUNTIME_RUN_LOGITS_DISTANCE_H
